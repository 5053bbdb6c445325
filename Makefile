# Thin: each line calls a real tool. `make` alone lists the targets.
.DEFAULT_GOAL := help
NPM_STAMP := contracts/node_modules/.package-lock.json
POSTGRES_STAMP := priv/postgres/node_modules/.package-lock.json
export PENNING_ANVIL ?= $(CURDIR)/contracts/node_modules/.bin/anvil

.PHONY: help tools build devnet test bench benchexits benchdatabase queries fuzz lint docs contracts clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 18

tools: $(NPM_STAMP) $(POSTGRES_STAMP) ## Install what the build needs, pinned, without root (anvil, forge, solc, PostgreSQL, libclang)
	@node priv/scripts/fetch-libclang.mjs

$(NPM_STAMP): contracts/package-lock.json
	npm ci --prefix contracts --no-audit --no-fund
	@touch $@

# The links between the server's libraries are made here, because npm may refuse to run what the package does for that.
$(POSTGRES_STAMP): priv/postgres/package-lock.json priv/postgres/hydrate.mjs
	npm ci --prefix priv/postgres --no-audit --no-fund --ignore-scripts
	node priv/postgres/hydrate.mjs
	@touch $@

build: tools ## Build the penning binary
	cargo build --locked -p penning

devnet: build ## Run a whole network on this machine: L1, operator, watcher, ten funded accounts
	cargo run --locked -q -p penning -- devnet $(ARGS)

test: tools ## Run every test: contracts, core, nodes, end to end against a real anvil
	npm --prefix contracts test
	cargo test --workspace --locked

bench: tools ## Measure, and write docs/performance.md
	cargo run --locked --release -p penning -- bench --out docs/performance.md $(ARGS)

benchexits: tools ## Measure a watcher with 10,000 open exits, and write docs/performance-exits.md
	cargo run --locked --release -p penning -- bench --exits --out docs/performance-exits.md $(ARGS)

benchdatabase: tools ## Measure the WatcherDB, and write docs/performance-database.md
	cargo run --locked --release -p penning -- bench --database --out docs/performance-database.md $(ARGS)

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

contracts: $(NPM_STAMP) ## Compile the contracts and rewrite priv/contracts
	npm --prefix contracts run artifacts

clean: ## Remove what was built and the devnet's data
	cargo clean
	rm -rf .penning contracts/out contracts/cache
