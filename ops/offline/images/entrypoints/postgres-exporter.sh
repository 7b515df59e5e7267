#!/bin/sh
# Debian's exporter is older than the flags that switch collectors on and off, and than some of the
# collectors: their flags are dropped, and queries.yaml makes up for the metrics.
set -eu
for argument in "$@"; do
    shift
    case "$argument" in
    --collector.* | --no-collector.*) ;;
    *) set -- "$@" "$argument" ;;
    esac
done
export PG_EXPORTER_EXTEND_QUERY_PATH="${PG_EXPORTER_EXTEND_QUERY_PATH:-/usr/local/share/postgres_exporter/queries.yaml}"
exec prometheus-postgres-exporter "$@"
