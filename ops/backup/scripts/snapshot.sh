# Puts a service's files, as they are at one moment, into the folder STAGE of its data folder.
#
# It runs inside the service's container, as its user: it stops every other process of that user
# (SIGSTOP), links and copies, and lets them go on. What it leaves is what a SIGKILL would have
# left at that moment, from which each of the services starts by design. To whoever started this
# it does not matter: once begun, it comes to its end.
#
#   snapshot.sh DATA STAGE SECONDS COPIED LINKED LOGS
set -eu
data=$1 stage=$2 seconds=$3 copied=$4 linked=$5 logs=$6

fail() {
    echo "$*" >&2
    exit 1
}

# Elsewhere `kill -STOP -1` would stop a whole machine.
case $(cat /proc/1/comm) in
docker-init | tini | catatonit) ;;
*) fail "process 1 of this container is no init, which the stack's containers have" ;;
esac

cd "$data"
rm -rf "$stage"
mkdir "$stage"

me=$(id -u)
pids=
for path in /proc/[0-9]*; do
    pid=${path#/proc/}
    if [ "$pid" != 1 ] && [ "$pid" != $$ ] && grep -q "^Uid:[[:space:]]$me[[:space:]]" "$path/status" 2>/dev/null; then
        pids="$pids $pid"
    fi
done
[ -n "$pids" ] || fail "no process of the service runs"

read -r began _ </proc/uptime
# Not its own process, nor process 1.
trap 'kill -CONT -1 2>/dev/null || :' EXIT
kill -STOP -1
# Should this script be killed, or a disk not answer.
(sleep "$seconds" && : >"$stage/.late" && kill -CONT -1) </dev/null >/dev/null 2>&1 &
guard=$!

for pid in $pids; do
    tries=0
    while grep -q '^State:.[RSD]' /proc/"$pid"/task/*/status 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 1000 ] || fail "process $pid does not stop"
    done
done

for path in $linked; do
    [ ! -e "$path" ] || cp -al "$path" "$stage/"
done
for log in $logs; do
    [ -d "$log" ] || continue
    cp -al "$log" "$stage/"
    newest=
    for path in "$log"/[0-9]*; do
        [ ! -f "$path" ] || newest=$path
    done
    if [ -n "$newest" ]; then
        rm "$stage/$newest"
        cp -a "$newest" "$stage/$newest"
    fi
done
for path in $copied; do
    [ ! -e "$path" ] || cp -a "$path" "$stage/"
done

[ ! -e "$stage/.late" ] || fail "it took more than $seconds s, and the service had to go on"
kill -CONT -1
trap - EXIT
read -r ended _ </proc/uptime
kill "$guard" 2>/dev/null || :
echo "$began $ended"
