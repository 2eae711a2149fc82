# Sourced by scripts/flash and scripts/make-bundle: sets PYTHON to one that has what they import.
# shellcheck shell=bash

# The checks of the configuration are the gate's own, so that they need what the gate needs.
flashing_python() {
    local candidate found missing='import click, cv2, gpiozero, msgspec, numpy, pip'
    found="$(find_python || true)"
    for candidate in "${PYTHON:-}" "$VENV/bin/python" "$found"; do
        if [ -n "$candidate" ] && "$candidate" -c "$missing" 2> /dev/null; then
            PYTHON="$candidate"
            return
        fi
    done
    # Root leaves nothing in a checkout that is somebody's.
    if [ "$(id -u)" = 0 ]; then VENV=/var/cache/maskgate/flash; fi
    PYTHON="$VENV/bin/python"
    if "$PYTHON" -c "$missing" 2> /dev/null; then
        return
    fi
    [ -n "$found" ] || fail "no 64-bit Python 3.10 to 3.13 found; install one"
    "$found" -c 'import venv, ensurepip' 2> /dev/null ||
        fail "$found cannot make environments; sudo apt install python3-venv"
    echo "Making an environment in $VENV; this takes a while the first time" >&2
    mkdir -p "$(dirname "$VENV")"
    { "$found" -m venv "$VENV" && "$PYTHON" -m pip install --disable-pip-version-check --quiet \
        --constraint "$ROOT/scripts/constraints/device.txt" \
        click gpiozero msgspec numpy opencv-python-headless tomli; } >&2 ||
        fail "the environment in $VENV cannot be made; is there a network?"
}
flashing_python
