# Thin: each line calls a real tool. `make` alone lists the targets.
.DEFAULT_GOAL := help
# What npm installs, each with its own lock file: contracts' tools and PostgreSQL; for tests alone OMG's client, and what drives a browser.
npm_stamps = $(1:%=%/node_modules/.package-lock.json)
export PENNING_ANVIL ?= $(CURDIR)/contracts/node_modules/.bin/anvil

.PHONY: benchpayments benchsubscribers help tools testtools build devnet test bench benchexits benchdatabase queries fuzz lint docs contracts clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 18

tools: $(call npm_stamps,contracts priv/postgres) ## Install what the build needs, pinned, without root (anvil, forge, solc, PostgreSQL, libclang)
	@node priv/scripts/fetch-libclang.mjs

testtools: $(call npm_stamps,tests/omg-js tests/explorer) ## Install what only tests need, pinned: OMG's client, and what drives a browser

# No package runs a program of its own on this machine just because it is installed.
%/node_modules/.package-lock.json: %/package-lock.json
	npm ci --prefix $* --ignore-scripts --no-audit --no-fund
	npm run --prefix $* --if-present hydrate
	@touch $@

build: tools ## Build the penning binary
	cargo build --locked -p penning

devnet: build ## Run a whole network on this machine: L1, operator, watcher, ten funded accounts
	cargo run --locked -q -p penning -- devnet $(ARGS)

test: tools testtools ## Run every test: contracts, core, nodes, end to end against a real anvil, OMG's client, a real browser
	npm --prefix contracts test
	cargo test --workspace --locked
	npm --prefix tests/omg-js test
	npm --prefix tests/explorer test

bench: benchpayments benchexits benchdatabase benchsubscribers ## Measure everything: half an hour on a machine with nothing else to do

benchpayments: tools ## Measure operator, watcher and store, and write docs/performance-payments.md
	cargo run --locked --release -p penning -- bench --out docs/performance-payments.md $(ARGS)

benchexits: tools ## Measure a watcher with 10,000 open exits, and write docs/performance-exits.md
	cargo run --locked --release -p penning -- bench --exits --out docs/performance-exits.md $(ARGS)

benchdatabase: tools ## Measure the WatcherDB, and write docs/performance-database.md
	cargo run --locked --release -p penning -- bench --database --out docs/performance-database.md $(ARGS)

benchsubscribers: tools ## Measure 10,000 subscribers, and write docs/performance-subscriptions.md
	cargo run --locked --release -p penning -- bench --subscribers 10000 --out docs/performance-subscriptions.md $(ARGS)

queries: tools ## Check the queries of the WatcherDB against a real PostgreSQL, and rewrite .sqlx
	priv/scripts/queries.sh

FUZZ_S ?= 30
FUZZ_TARGETS ?= $(basename $(notdir $(wildcard tests/fuzz/fuzz_targets/*.rs)))

fuzz: ## Attack every decoder, FUZZ_S=30 seconds each (docs/operate/fuzzing.md)
	@for target in $(FUZZ_TARGETS); do \
		cargo +nightly fuzz run --fuzz-dir tests/fuzz $$target -- -max_total_time=$(FUZZ_S) || exit 1; \
	done

lint: tools ## Formatting and clippy, as CI runs them
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

docs: tools ## Build the API documentation, warnings are errors
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

contracts: contracts/node_modules/.package-lock.json ## Compile the contracts and rewrite priv/contracts
	npm --prefix contracts run artifacts

clean: ## Remove what was built and the devnet's data
	cargo clean
	rm -rf .penning contracts/out contracts/cache
