#!/bin/sh
# Start PostgreSQL with its data in $PGDATA, which is created on the first start. The role $PGUSER owns the database
# $PGDATABASE; its password is set from the Secret on every start, so that a changed Secret takes effect.
set -eu
for folder in /usr/lib/postgresql/*/bin; do PATH="$PATH:$folder"; done
umask 077

version=$(postgres --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  rm -rf "$PGDATA.new" # left by an interrupted first start
  initdb --pgdata "$PGDATA.new" --username postgres --auth-local trust --auth-host scram-sha-256 \
    --encoding UTF8 --locale C.UTF-8 --data-checksums
  echo "host all all all scram-sha-256" >> "$PGDATA.new/pg_hba.conf"
  rm -rf "$PGDATA"
  mv "$PGDATA.new" "$PGDATA"
elif [ "$(cat "$PGDATA/PG_VERSION")" != "$version" ]; then
  echo "the data are of PostgreSQL $(cat "$PGDATA/PG_VERSION"), the image has $version: keep an image with the older," \
    "back up, and restore into a new volume" >&2
  exit 1
fi

# Statements come from a file rather than a pipe: PostgreSQL refuses to start if the process ID in the lock file of a
# killed server is that of a running process, and a second process of this script could have it.
statements=/tmp/statements
single() {
  postgres --single -D "$PGDATA" -c log_statement=none template1 < "$statements" > /dev/null
  rm "$statements"
}
password=$(printf %s "$PGPASSWORD" | sed "s/'/''/g")
# Single-user mode reads one statement per line.
cat > "$statements" << STATEMENTS
DO 'BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ''$PGUSER'') THEN CREATE ROLE "$PGUSER" LOGIN; END IF; END';
ALTER ROLE "$PGUSER" PASSWORD '$password';
STATEMENTS
single
if [ ! -e "$PGDATA/.made" ]; then
  echo "CREATE DATABASE \"$PGDATABASE\" OWNER \"$PGUSER\";" > "$statements"
  single
  touch "$PGDATA/.made"
fi

# Kubernetes sends SIGTERM, on which PostgreSQL waits for its clients; SIGINT disconnects them and shuts down cleanly.
postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp "$@" &
server=$!
trap 'kill -INT "$server"' TERM INT
wait "$server" || wait "$server"
