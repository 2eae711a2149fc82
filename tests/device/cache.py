"""Where the large parts of the emulated device are kept, and how the first of them is made."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PACKAGES = (
    "linux-image-arm64", "raspi-firmware", "systemd-sysv", "udev", "kmod", "dbus", "procps",
    "iproute2", "ca-certificates", "locales", "sudo", "wireless-regdb",
    "python3", "python3-venv", "python3-pip", "python3-numpy", "python3-libcamera", "sqlite3",
    "alsa-utils", "cloud-init",
)
"""What the root file system is made of; another list is another file in the cache."""

# qemu-user's default processor takes seven times as long.
PROCESSOR = "cortex-a72"

# LiteRT asks /proc/cpuinfo, and under qemu-user that is the workstation's, at which it crashes.
CPUINFO = """processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3
"""


class Unprepared(Exception):
    """What the test needs is not there or does not work; it says nothing about the product."""


@contextmanager
def preparing(what: str) -> Iterator[None]:
    """Raise Unprepared, with *what* cannot be made and why, where the block fails."""
    try:
        yield
    except (OSError, RuntimeError, subprocess.SubprocessError, ValueError) as error:
        lines = [line for line in str(error).splitlines() if line.strip()] or ["no reason given"]
        raise Unprepared(f"{what} cannot be made: {lines[-1].strip()}") from error


def folder() -> Path:
    """Return the folder of the cache: ``$MASKGATE_DEVICE_CACHE``, or in the user's own cache."""
    given = os.environ.get("MASKGATE_DEVICE_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    place = Path(given) if given else Path(home).expanduser() / "maskgate-device"
    place.mkdir(parents=True, exist_ok=True)
    return place


def root_tar(packages: Sequence[str] = PACKAGES) -> Path:
    """Return the Debian trixie arm64 root file system, made once by mmdebstrap (5-30 minutes)."""
    given = os.environ.get("MASKGATE_DEVICE_ROOT")
    if given:
        return Path(given)
    name = hashlib.sha256(" ".join(sorted(packages)).encode()).hexdigest()[:12]
    tar = folder() / f"root-trixie-{name}.tar"
    if not tar.exists():
        part = tar.with_suffix(".part.tar")
        call(
            "mmdebstrap", "--arch=arm64", "--variant=apt",
            "--components=main,non-free-firmware", f"--include={','.join(packages)}",
            # Nobody reads them there, and a test can be made anew when the power goes.
            *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale")),
            "--dpkgopt=force-unsafe-io", "--aptopt=Acquire::Languages \"none\"",
            *_proxies(), "trixie", str(part), *_mirror(),
        )
        part.rename(tar)
    return tar


def _mirror() -> list[str]:
    """Return the mirror that the workstation takes Debian from, where that is a Debian."""
    given = os.environ.get("MASKGATE_DEVICE_MIRROR")
    if given:
        return [given]
    try:
        listed = call("apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)")
    except (OSError, RuntimeError):
        return []
    found = re.findall(r"^Debian (https?://\S+)$", listed, re.M)
    return [uri for uri in found if "security" not in uri][:1]


def _proxies() -> list[str]:
    """Return the options that lead mmdebstrap's apt to the network as the workstation's goes."""
    try:
        told = call("apt-config", "dump")
    except (OSError, RuntimeError):
        return []
    lines = re.findall(r"^(Acquire::https?::(?:Proxy|CaInfo|Verify-Peer)\b.* \".+\";)$", told, re.M)
    return [f"--aptopt={line}" for line in lines]


def emulated(*command: str) -> str:
    """Do :func:`call`, once more where an arm64 program crashed: qemu-user does that by chance."""
    try:
        return call(*command)
    except RuntimeError as error:
        if not re.search("uncaught target signal|Segmentation fault", str(error)):
            raise
        print(f"qemu-user crashed, once more: {str(error).splitlines()[-1]}")
        return call(*command)


def call(*command: str, **options: object) -> str:
    """Run *command* with arm64 programs at their fastest; return its output, raise with it."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=7200,
        env={**os.environ, "QEMU_CPU": PROCESSOR, "DEBIAN_FRONTEND": "noninteractive"},
        **options,  # type: ignore[call-overload]
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])}: {done.stdout[-800:]}{done.stderr[-2000:]}")
    return str(done.stdout)
