"""What system an image holds, and whether a gate can be made of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edge.errors import UsageError

PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
"""The supported releases of Raspberry Pi OS, and the Python each of them has."""

_ADVICE = "take Raspberry Pi OS Lite (64-bit), Bookworm or Trixie"


@dataclass(frozen=True, slots=True)
class System:
    """The system in an image: its *release*, *python* as "3.13", the *numpy* of its packages or "".

    *cloud_init* is how it takes its first settings; older ones take custom.toml instead.
    """

    release: str
    python: str
    numpy: str
    cloud_init: bool
    raspberry: bool


def examine(root: Path) -> System:
    """Return what the system in the folder *root* is; raises UsageError where it is unfit."""
    facts = _assignments(root / "etc/os-release") or _assignments(root / "usr/lib/os-release")
    release = facts.get("VERSION_CODENAME", "")
    name = facts.get("PRETTY_NAME", "an unknown system")
    packages = installed_packages(root)
    processor = packages.get("dpkg", ("", ""))[1]
    if processor != "arm64":
        raise UsageError(
            f"this image is {processor or 'of an unknown processor'} ({name}); maskgate needs a "
            f"64-bit one, arm64: {_ADVICE}"
        )
    if release not in PYTHONS:
        raise UsageError(f"this image is {name}; {_ADVICE}")
    return System(
        release,
        PYTHONS[release],
        _upstream(packages.get("python3-numpy", ("", ""))[0]),
        "cloud-init" in packages,
        (root / "etc/rpi-issue").exists(),
    )


def installed_packages(root: Path) -> dict[str, tuple[str, str]]:
    """Return name -> (version, architecture) of what dpkg has installed in *root*."""
    try:
        text = (root / "var/lib/dpkg/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    found = {}
    for entry in text.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Status|Version|Architecture): (.*)$", entry, re.M))
        if fields.get("Status", "").endswith(" installed"):
            found[fields["Package"]] = (fields.get("Version", ""), fields.get("Architecture", ""))
    return found


def _assignments(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    return {
        name: value.strip("\"'") for name, value in re.findall(r"^([A-Z_]+)=(.*)$", text, re.M)
    }


def _upstream(version: str) -> str:
    """Return "2.2.4" of Debian's "1:2.2.4+ds-1"."""
    found = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", version)
    return found[1] if found else ""
