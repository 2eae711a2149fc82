"""Putting a gate into an image: packages, maskgate, settings, and what lets a card last."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from edge.errors import OutputError
from scripts.flashing import wheels
from scripts.flashing.mounts import runnable
from scripts.flashing.personal import File, Personal, personal_files, with_words
from scripts.flashing.system import System
from scripts.flashing.tools import run

ROOT = Path(__file__).resolve().parents[2]
CONFIG = "etc/maskgate/gate.toml"
_BOOT = "boot/firmware"

# A log in memory: it is written to all day, and wears the card out.
_JOURNAL = "[Journal]\nStorage=volatile\nRuntimeMaxUse=32M\n"
# 15 s is the longest that a Pi's watchdog can count.
_WATCHDOG = "[Manager]\nRuntimeWatchdogSec=15\nRebootWatchdogSec=10min\n"
LASTING: Mapping[str, File] = {
    "etc/systemd/journald.conf.d/50-maskgate.conf": File(_JOURNAL),
    "etc/systemd/system.conf.d/50-maskgate.conf": File(_WATCHDOG),
}
"""What lets a card last and a board that hangs start again."""


def install(
    root: Path, system: System, config: Path, wheelhouse: Path, say: Callable[[str], None]
) -> None:
    """Install maskgate into the system in *root* by ``scripts/install-device``, with *config*.

    *wheelhouse* is filled with the wheels for that system unless there are some.  Raises
    OutputError where one of these fails.
    """
    if not list(wheelhouse.glob("maskgate-*.whl")):
        say(f"Getting the wheels for Python {system.python}, numpy {system.numpy or 'any'}")
        wheels.fill(wheelhouse, system.python, system.numpy)
    # There before the installer runs, so that it checks it with the version it installs.
    place = root / CONFIG
    place.parent.mkdir(parents=True, exist_ok=True)
    write_file(root, CONFIG, File(config.read_text(encoding="utf-8"), 0o600))
    with runnable(root) as environment:
        _installer(root, wheelhouse, environment)
    # Its own defaults stand beside it; the card's owner has not seen either yet.
    (root / f"{CONFIG}.new").unlink(missing_ok=True)
    os.chown(place, 0, _group(root, "maskgate"))
    place.chmod(0o640)


def personalise(root: Path, system: System, wanted: Personal) -> None:
    """Write what makes the card in *root* that of one shop, and what lets it last."""
    for name, file in {**LASTING, **personal_files(wanted, cloud_init=system.cloud_init)}.items():
        write_file(root, name, file)
    words = []
    if wanted.wifi_country:
        words.append(f"cfg80211.ieee80211_regdom={wanted.wifi_country}")
        for switch in (root / "var/lib/systemd/rfkill").glob("*:wlan"):
            switch.write_text("0\n", encoding="ascii")
    command_line = root / _BOOT / "cmdline.txt"
    if words and command_line.is_file():
        text = command_line.read_text(encoding="utf-8")
        command_line.write_text(with_words(text, *words), encoding="utf-8")
    if system.cloud_init:
        # It waits for somebody at a keyboard to name the first user; cloud-init makes one.
        run(["systemctl", f"--root={root}", "disable", "--quiet", "userconfig.service"],
            allowed=(0, 1))


def write_file(root: Path, name: str, file: File) -> None:
    """Write *file* to *name* in *root*; never, not for a moment, more readable than its mode."""
    place = root / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file.mode)
    with os.fdopen(handle, "w", encoding="utf-8") as output:
        output.write(file.text)
    if not name.startswith(f"{_BOOT}/"):
        place.chmod(file.mode)


def _installer(root: Path, wheelhouse: Path, environment: Mapping[str, str]) -> None:
    command = [
        str(ROOT / "scripts/install-device"), "--root", str(root), "--board", "raspberry",
        "--wheel", str(wheelhouse),
    ]
    # Its lines are for the person who waits; the last one of an error is the reason.
    with subprocess.Popen(
        command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace",
    ) as installer:
        last = ""
        assert installer.stdout is not None
        for line in installer.stdout:
            # What it tells a person at the board does not hold here.
            if line.startswith("Installed:"):
                break
            sys.stderr.write(f"  {line}")
            last = line.strip() or last
        installer.stdout.read()
    if installer.returncode:
        raise OutputError(f"scripts/install-device failed in the image: {last}")


def _group(root: Path, name: str) -> int:
    for line in (root / "etc/group").read_text(encoding="utf-8").splitlines():
        fields = line.split(":")
        if fields[0] == name:
            return int(fields[2])
    raise OutputError(f"the image has no group {name} after the installation; report it")
