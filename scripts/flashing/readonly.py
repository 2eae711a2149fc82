"""A card whose system cannot be written to: what the gate keeps is on a partition of its own.

The first start sets the board up and is writable; once the gate has come up the card seals
itself, and every later start mounts the root and the boot partition read-only.  So there is
nothing that a power cut could damage but the third partition, which is checked at each start.

Plain ``ro`` in fstab, not the overlay that raspi-config offers: nothing of the system has to be
built anew, memory is not filled with what is written in vain, and what cannot be written says so.
"""

from __future__ import annotations

import re
from pathlib import Path

from edge.errors import UsageError
from scripts.flashing.build import write_file
from scripts.flashing.mounts import DATA
from scripts.flashing.personal import File
from scripts.flashing.system import System
from scripts.flashing.tools import run

DATA_SIZE = 1024**3
"""Bytes of the third partition; journal, models and pictures take some 100 MB by default."""
LABEL = "maskgate"
KEPT = (
    "etc/maskgate", "var/lib/maskgate",
    # Random seed, clock, radio switches; leases of the network; the volume of a loudspeaker.
    "var/lib/systemd", "var/lib/NetworkManager", "var/lib/alsa",
)
"""The folders that are on the third partition, as they are called in the system."""

# What is synced lasts at once, and the gate syncs what counts; so ext4's own 5 s are said, not
# changed: longer would save nothing on a card that is written to this rarely.
_DATA = "noatime,data=ordered,commit=5,nofail"
# Where a mount is not required it is not waited for either, unless that is said.
_EARLY = "nofail,x-systemd.before=local-fs.target"
_MEMORY = {
    "tmp": "mode=1777,nosuid,nodev,size=25%",
    "var/tmp": "mode=1777,nosuid,nodev,size=25%",
    "var/log": "mode=0755,nosuid,nodev,noexec,size=16M",
}
# They tidy up or update the system, and would only fail.
_IDLE = ("apt-daily", "apt-daily-upgrade", "apt-listchanges", "dpkg-db-backup", "logrotate",
         "man-db")
_RELEASES = ("trixie",)

SEAL = """#!/bin/sh
# Written by scripts/flash --read-only: ends the time in which this card can be written to.
set -eu
if command -v cloud-init > /dev/null; then
    # What failed there has been told there; it is done, and is not done again.
    timeout 1800 cloud-init status --wait > /dev/null || true
fi
tries=0
until systemctl is-active --quiet maskgate; do
    tries=$((tries + 1))
    [ "$tries" -lt 360 ] || {
        echo "the gate does not come up; the card stays writable until a start at which it does"
        exit 1
    }
    sleep 5
done
mkdir -p /etc/cloud
: > /etc/cloud/cloud-init.disabled
# Last, in one step: from now on there is nothing left to do.
sed -E 's#^([^\\t ]+[\\t ]+(/|/boot/firmware)[\\t ]+[^\\t ]+[\\t ]+[^\\t ]+)#\\1,ro#' \\
    /etc/fstab > /etc/fstab.sealed
chmod 644 /etc/fstab.sealed
sync
mv /etc/fstab.sealed /etc/fstab
sync
echo "the gate is up; from the next start on this card is read-only"
systemctl reboot
"""
_UNIT = """[Unit]
Description=Make the card read-only once the gate has come up
ConditionPathIsReadWrite=/etc
After=maskgate.service

[Service]
# Not oneshot: cloud-init's last part waits for what is started at boot.
Type=exec
ExecStart=/usr/local/sbin/maskgate-seal

[Install]
WantedBy=multi-user.target
"""


def check_fit(root: Path, system: System) -> None:
    """Raise UsageError unless a card that seals itself can be made of *system*, in *root*."""
    if system.release not in _RELEASES:
        raise UsageError(
            f"--read-only is for Trixie, this image is {system.release}, whose first start lets "
            "its root have the whole card; take Trixie, or leave --read-only out"
        )
    fstab(_fstab_of(root))


def fstab(text: str) -> str:
    """Return *text*, an fstab, with the third partition and what is in memory.

    The root's own line stays until the card seals itself.  Raises UsageError where it has none.
    """
    places = re.findall(r"^[^#\s]\S*\s+(\S+)", text, re.M)
    if "/" not in places:
        raise UsageError("this image's /etc/fstab has no line for /, so --read-only cannot be told "
                         "to it; take Raspberry Pi OS Lite (64-bit), Trixie")
    new = [f"LABEL={LABEL} /{DATA} ext4 {_DATA} 0 2"]
    new += [f"/{DATA}/{name} /{name} none bind,{_EARLY} 0 0" for name in KEPT]
    new += [f"tmpfs /{name} tmpfs {options} 0 0" for name, options in _MEMORY.items()]
    taken = {line.split()[1] for line in new}
    old = [
        line for line in text.splitlines()
        if line.lstrip().startswith("#") or len(line.split()) < 2 or line.split()[1] not in taken
    ]
    return "\n".join([*old, *new, ""])


def files(root: Path) -> dict[str, File]:
    """Return path -> file, relative to *root*, of what makes its card seal itself."""
    found = {
        "usr/local/sbin/maskgate-seal": File(SEAL, 0o755),
        "etc/systemd/system/maskgate-seal.service": File(_UNIT),
        "etc/tmpfiles.d/maskgate-log.conf": File(log_folders(root / "var/log")),
        # A swap file would be on the root; compressed memory needs none.
        "etc/rpi/swap.conf.d/50-maskgate.conf": File("[Main]\nMechanism=zram\n"),
        "etc/fstab": File(fstab(_fstab_of(root))),
    }
    for name in _IDLE:
        place = f"etc/systemd/system/{name}.service.d/50-maskgate.conf"
        found[place] = File("[Unit]\nConditionPathIsReadWrite=/usr\n")
    return found


def log_folders(log: Path) -> str:
    """Return tmpfiles.d lines for the folders in *log*: apt and others do not make theirs."""
    lines = []
    for place in sorted(path for path in log.glob("*") if path.is_dir() and not path.is_symlink()):
        # With this one there journald would think of the card again.
        if place.name != "journal":
            about = place.stat()
            mode = about.st_mode & 0o7777
            lines.append(f"d /var/log/{place.name} {mode:04o} {about.st_uid} {about.st_gid} -\n")
    return "".join(lines)


def prepare(root: Path) -> None:
    """Make the card in *root*, whose third partition is mounted in it, seal itself."""
    for name, file in files(root).items():
        write_file(root, name, file)
    for name in KEPT:
        place, kept = root / name, root / DATA / name
        place.mkdir(parents=True, exist_ok=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        run(["cp", "-a", str(place), str(kept)])
    if (root / "usr/sbin/NetworkManager").exists():
        # It writes names of servers to /etc itself, unless it finds its own link there.
        names = root / "etc/resolv.conf"
        names.unlink(missing_ok=True)
        names.symlink_to("/run/NetworkManager/resolv.conf")
    # The root may not grow into what lies behind it.
    line = root / "boot/firmware/cmdline.txt"
    if line.is_file():
        words = [word for word in line.read_text(encoding="utf-8").split() if word != "resize"]
        line.write_text(" ".join(words) + "\n", encoding="utf-8")
    wanted = root / "etc/systemd/system/multi-user.target.wants/maskgate-seal.service"
    wanted.parent.mkdir(parents=True, exist_ok=True)
    wanted.unlink(missing_ok=True)
    wanted.symlink_to("/etc/systemd/system/maskgate-seal.service")


def _fstab_of(root: Path) -> str:
    try:
        return (root / "etc/fstab").read_text(encoding="utf-8")
    except OSError:
        return ""
