# Sourced by scripts/install-device: files of the system that are written whole, and taken back.
# shellcheck shell=bash

# The places that were written to; what was there before is in $STAGE/before, with owner and rights.
WROTE=()

# put FILE PLACE MODE: write it whole or not at all, and only where it differs.
put() {
    local place="$DEST$2"
    if cmp -s "$1" "$place"; then
        return 0
    fi
    if [ -n "$DRY" ]; then
        say "would write: $2"
        return
    fi
    mkdir -p "$(dirname "$place")"
    if [ -e "$place" ] &&
        ! { mkdir -p "$STAGE/before$(dirname "$2")" && cp -a "$place" "$STAGE/before$2"; }; then
        fail "cannot keep a copy of $place; is the disk full (df -h /var/tmp)?"
    fi
    # Before the file is there: whatever ends this in between takes it back, too.
    WROTE+=("$2")
    if ! { install -m "$3" "$1" "$place.tmp" && whole "$place"; }; then
        fail "cannot write $place; is the disk full?"
    fi
    say "Wrote $2"
}

# whole PLACE: PLACE.tmp takes its place, in one step.
whole() {
    sync "$1.tmp" && mv -T "$1.tmp" "$1" && return
    rm -f "$1.tmp"
    return 1
}

# put_back: all that put wrote is as it was; never ends the program, which may be ending already.
put_back() {
    local name place
    for name in "${WROTE[@]}"; do
        place="$DEST$name"
        rm -f "$place.tmp"
        if [ ! -e "$STAGE/before$name" ]; then
            rm -f "$place"
        elif ! { cp -a "$STAGE/before$name" "$place.tmp" && whole "$place"; }; then
            say "$place is the new version's and could not be put back; the disk may be full" >&2
        fi
    done
    WROTE=()
}
