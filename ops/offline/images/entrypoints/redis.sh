#!/bin/sh
# Like the official image's: flags or a configuration file alone are for redis-server. The official
# build also has protected mode off by default, without which other containers are refused.
set -eu
case "${1:-}" in
-* | *.conf) set -- redis-server "$@" ;;
esac
if [ "${1:-}" = redis-server ]; then
    shift
    case "${1:-}" in
    *.conf)
        configuration=$1
        shift
        set -- redis-server "$configuration" --protected-mode no "$@"
        ;;
    *) set -- redis-server --protected-mode no "$@" ;;
    esac
fi
exec "$@"
