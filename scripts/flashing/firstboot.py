"""``--first-boot``: a stock image, and what it does by itself when it starts for the first time.

Nothing of the image is run on the workstation; the board needs a network at its first start,
for packages.  Trixie only: what Bookworm takes of the kind is no place for a program.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from edge.errors import UsageError
from scripts.flashing import wheels
from scripts.flashing.build import LASTING, write_file
from scripts.flashing.personal import File, Personal, network_config, user_data, with_words
from scripts.flashing.system import System

ROOT = Path(__file__).resolve().parents[2]
PAYLOAD = "boot/firmware/maskgate"
_BOOT = "boot/firmware"

# Files on the boot partition have no rights: the settings are moved off it, secrets wiped.
SETUP = """#!/bin/sh
# Written by scripts/flash --first-boot; cloud-init runs it once.
set -eu
here=/boot/firmware/maskgate
umask 077
mkdir -p /etc/maskgate
chmod 755 /etc/maskgate
if [ -e "$here/gate.toml" ]; then
    cp "$here/gate.toml" /etc/maskgate/gate.toml
    shred -u "$here/gate.toml" 2> /dev/null || rm -f "$here/gate.toml"
fi
printf 'network: {version: 2}\\n' > /boot/firmware/network-config
sync
umask 022
tries=0
# The boot partition has no right to execute, and sh is no bash.
until bash "$here/program/scripts/install-device" --board raspberry --wheel "$here/wheels"; do
    tries=$((tries + 1))
    [ "$tries" -lt 20 ] || exit 1
    sleep 30
done
chgrp maskgate /etc/maskgate/gate.toml
chmod 640 /etc/maskgate/gate.toml
rm -f /etc/maskgate/gate.toml.new
rm -rf "$here"
systemctl restart maskgate
"""


def prepare(root: Path, system: System, wanted: Personal, config: Path, wheelhouse: Path) -> None:
    """Put settings, installer and wheels on the boot partition of the image in *root*.

    Raises UsageError for an image without cloud-init.
    """
    if not system.cloud_init:
        raise UsageError(
            f"--first-boot needs cloud-init, which {system.release} does not have; take Trixie, or "
            "leave --first-boot out"
        )
    if not list(wheelhouse.glob("maskgate-*.whl")):
        wheels.fill(wheelhouse, system.python, system.numpy)
    payload = root / PAYLOAD
    shutil.copytree(wheelhouse, payload / "wheels", copy_function=shutil.copyfile)
    program = payload / "program"
    for name in ("scripts/install-device", "scripts/environment.sh",
                 "scripts/constraints/device.txt", "docs/service.md"):
        place = program / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, place)
    shutil.copytree(ROOT / "scripts/service", program / "scripts/service",
                    copy_function=shutil.copyfile)
    write_file(root, f"{PAYLOAD}/gate.toml", File(config.read_text(encoding="utf-8")))
    write_file(root, f"{PAYLOAD}/setup.sh", File(SETUP))
    write_file(root, f"{_BOOT}/network-config", File(network_config(wanted)))
    write_file(root, f"{_BOOT}/user-data", File(user_data(wanted, (f"sh /{PAYLOAD}/setup.sh",))))
    for name, file in LASTING.items():
        write_file(root, name, file)
    if wanted.wifi_country:
        line = root / _BOOT / "cmdline.txt"
        country = f"cfg80211.ieee80211_regdom={wanted.wifi_country}"
        line.write_text(with_words(line.read_text(encoding="utf-8"), country), encoding="utf-8")
