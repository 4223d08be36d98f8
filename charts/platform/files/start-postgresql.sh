#!/bin/sh
# Start PostgreSQL on the volume at $PGDATA, made on the first start. The role $PGUSER owns the database $PGDATABASE; its
# password is always the one of the Secret, so that a new Secret does not lock anybody out.
set -eu
for folder in /usr/lib/postgresql/*/bin; do PATH="$PATH:$folder"; done
umask 077

version=$(postgres --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  rm -rf "$PGDATA.new" # of a first start that was cut off
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

# Statements come from a file: beside this shell, no process may live whose number a lock file of a killed server has.
statements=/tmp/statements
single() {
  postgres --single -D "$PGDATA" -c log_statement=none template1 < "$statements" > /dev/null
  rm "$statements"
}
password=$(printf %s "$PGPASSWORD" | sed "s/'/''/g")
# Single-user mode takes one statement a line.
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

# Kubernetes asks with TERM, on which PostgreSQL would wait for its clients; INT ends them and leaves clean data.
postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp "$@" &
server=$!
trap 'kill -INT "$server"' TERM INT
wait "$server" || wait "$server"
