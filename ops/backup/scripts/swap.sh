# Puts what is in ASIDE/new in the place of a volume's content, which goes to ASIDE/old.
#
# Renames alone. ASIDE/phase says how far it has come, so that back.sh can undo it from anywhere:
# `out` while the old content moves out, `in` once it is out and the new one moves in.
#
#   swap.sh ROOT ASIDE
set -eu
cd "$1"
staging=$2

phase() {
    echo "$1" >"$staging/phase.next"
    mv -f "$staging/phase.next" "$staging/phase"
}

move() {
    for path in "$1"/* "$1"/.[!.]*; do
        case ${path##*/} in
        "$staging" | lost+found) continue ;;
        esac
        if [ -e "$path" ] || [ -L "$path" ]; then
            mv -f "$path" "$2/"
        fi
    done
}

[ -d "$staging/new" ]
mkdir "$staging/old"
phase out
move . "$staging/old"
phase in
move "$staging/new" .
