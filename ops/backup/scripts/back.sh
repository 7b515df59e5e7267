# Undoes swap.sh, however far it came; what it has undone already is no harm.
#
#   back.sh ROOT ASIDE
set -eu
cd "$1"
staging=$2

phase() {
    echo "$1" >"$staging/phase.next"
    mv -f "$staging/phase.next" "$staging/phase"
}

ours() {
    case ${1##*/} in
    "$staging" | lost+found) return 1 ;;
    esac
    [ -e "$1" ] || [ -L "$1" ]
}

reached=$(cat "$staging/phase" 2>/dev/null || :)
if [ "$reached" = in ]; then
    for path in ./* ./.[!.]*; do
        if ours "$path"; then
            rm -rf "$path"
        fi
    done
    # Before anything comes back: from here on what is in place is the old content.
    phase out
fi
if [ -n "$reached" ]; then
    for path in "$staging"/old/* "$staging"/old/.[!.]*; do
        if [ -e "$path" ] || [ -L "$path" ]; then
            mv -f "$path" .
        fi
    done
fi
rm -rf "$staging"
