#!/bin/sh
# First start: makes the cluster, the user and the database from the same variables as the official
# image (POSTGRES_USER, POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE, POSTGRES_DB,
# POSTGRES_INITDB_ARGS), and runs /docker-entrypoint-initdb.d/*.sh and *.sql.
set -eu

from_file() {
    eval "value=\${$1:-} file=\${$1_FILE:-}"
    if [ -n "$value" ] && [ -n "$file" ]; then
        echo "set $1 or $1_FILE, not both" >&2
        exit 1
    fi
    if [ -n "$file" ]; then
        value=$(cat "$file")
    fi
    eval "$1=\$value"
    export "$1"
    unset "$1_FILE"
}

make_cluster() {
    if [ -z "$POSTGRES_PASSWORD" ]; then
        echo "no password: set POSTGRES_PASSWORD_FILE or POSTGRES_PASSWORD" >&2
        exit 1
    fi
    password_file=$(mktemp /tmp/password.XXXXXX)
    printf '%s\n' "$POSTGRES_PASSWORD" >"$password_file"
    # The arguments are split on purpose.
    # shellcheck disable=SC2086
    initdb --pgdata="$PGDATA" --username="$POSTGRES_USER" --pwfile="$password_file" \
        --encoding=UTF8 --auth-local=trust --auth-host=scram-sha-256 ${POSTGRES_INITDB_ARGS:-}
    rm -f "$password_file"
    echo "listen_addresses = '*'" >>"$PGDATA/postgresql.conf"
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
}

run_initial_scripts() {
    export PGUSER="$POSTGRES_USER" PGPASSWORD="$POSTGRES_PASSWORD"
    if [ "$POSTGRES_DB" != postgres ]; then
        psql --no-psqlrc --set=ON_ERROR_STOP=1 --set=name="$POSTGRES_DB" --dbname=postgres <<'SQL'
CREATE DATABASE :"name";
SQL
    fi
    for script in /docker-entrypoint-initdb.d/*; do
        case "$script" in
        *.sh)
            if [ -x "$script" ]; then "$script"; else . "$script"; fi
            ;;
        *.sql) psql --no-psqlrc --set=ON_ERROR_STOP=1 --dbname="$POSTGRES_DB" --file="$script" ;;
        esac
    done
    unset PGUSER PGPASSWORD
}

case "${1:-}" in
-*) set -- postgres "$@" ;;
esac

if [ "${1:-}" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    from_file POSTGRES_PASSWORD
    from_file POSTGRES_USER
    from_file POSTGRES_DB
    POSTGRES_USER=${POSTGRES_USER:-postgres}
    POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
    mkdir -p "$PGDATA"
    make_cluster
    shift
    # On the socket only: nobody connects over the network before the scripts are through.
    options="-c listen_addresses=''"
    for argument in "$@"; do
        options="$options \"$argument\""
    done
    pg_ctl --pgdata="$PGDATA" --wait --options="$options" start
    run_initial_scripts
    pg_ctl --pgdata="$PGDATA" --wait --mode=fast stop
    unset POSTGRES_PASSWORD
    set -- postgres "$@"
fi
exec "$@"
