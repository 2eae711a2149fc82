# Sourced by scripts/demo and scripts/test: makes .venv once, with locked versions.
# shellcheck shell=bash

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="$ROOT/.venv"

fail() {
    echo "$(basename "$0"): $1" >&2
    exit "${2:-1}"
}

# Prints the first interpreter that maskgate supports; $PYTHON, where set, is the only one tried.
find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3.10 python3}; do
        if command -v "$candidate" > /dev/null 2>&1 && "$candidate" -c '
import sys
raise SystemExit(not ((3, 10) <= sys.version_info[:2] <= (3, 13) and sys.maxsize > 2**32))
' 2> /dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# prepare NAME EXTRAS CONSTRAINTS: install the checkout with EXTRAS unless that is done already.
prepare() {
    local name="$1" extras="$2" constraints="$ROOT/scripts/constraints/$3" python wanted stamp
    stamp="$VENV/.maskgate-$name"
    if [ ! -x "$VENV/bin/python" ]; then
        python="$(find_python)" || fail \
            "no 64-bit Python 3.10 to 3.13 found; install one, or name it: PYTHON=/path/to/python3 $0"
        "$python" -c 'import venv, ensurepip' 2> /dev/null || fail \
            "$python cannot make environments; install its venv module (Debian: apt install python3-venv)"
        echo "Making an environment in $VENV with $python"
        "$python" -m venv "$VENV" || fail "cannot make $VENV; is the folder writable?"
    fi
    wanted="$(cat "$ROOT/setup.cfg" "$ROOT/pyproject.toml" "$constraints" | cksum) $ROOT"
    if [ "$(cat "$stamp" 2> /dev/null)" = "$wanted" ]; then
        return
    fi
    echo "Installing maskgate[$extras]; this takes a while the first time"
    # Editable, so that a change in the checkout needs no new installation.
    if ! "$VENV/bin/python" -m pip install --disable-pip-version-check --quiet \
        --constraint "$constraints" --editable "$ROOT[$extras]" > "$VENV/install.log" 2>&1; then
        tail -n 3 "$VENV/install.log" >&2
        fail "installation failed (see $VENV/install.log); is the package registry reachable?"
    fi
    echo "$wanted" > "$stamp"
}
