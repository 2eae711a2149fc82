"""Small images with the layout of Raspberry Pi OS, made without rights of root."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

MIB = 1024 * 1024
TRIXIE = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_CODENAME=trixie\n'
FSTAB = (
    "proc /proc proc defaults 0 0\nPARTUUID=1-01  /boot/firmware  vfat    defaults          0  2\n"
    "PARTUUID=1-02  /               ext4    defaults,noatime  0  1\n"
)
BOOKWORM = TRIXIE.replace("13 (trixie)", "12 (bookworm)").replace("trixie", "bookworm")

needs_file_systems = pytest.mark.skipif(
    not all(shutil.which(name) for name in ("mke2fs", "mkfs.vfat", "mcopy")),
    reason="e2fsprogs, dosfstools or mtools is not installed",
)


def table(*parts: tuple[int, int, int]) -> bytes:
    """Return an MBR with *parts*: kind, start and size in sectors."""
    sector = bytearray(512)
    for number, (kind, start, size) in enumerate(parts):
        struct.pack_into("<B3xB3xII", sector, 446 + 16 * number, 0, kind, start, size)
    sector[510:] = b"\x55\xaa"
    return bytes(sector)


def package(name: str, version: str, processor: str) -> str:
    return (
        f"Package: {name}\nStatus: install ok installed\nVersion: {version}\n"
        f"Architecture: {processor}\n"
    )


def system_in(
    root: Path, release: str = TRIXIE, processor: str = "arm64", extra: str = "cloud-init"
) -> Path:
    """Make as much of a system in *root* as is asked of one."""
    status = [
        package("dpkg", "1.22", processor), package("python3-numpy", "1:2.2.4+ds-1", processor),
    ]
    if extra:
        status.append(package(extra, "25.1", "all"))
    for name, text in {
        "etc/os-release": release,
        "var/lib/dpkg/status": "\n".join(status),
        "boot/firmware/.keep": "",
        "etc/hostname": "raspberrypi\n",
        "etc/fstab": FSTAB,
    }.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return root


def image_of(root: Path, image: Path, size: int = 24) -> Path:
    """Write the system in *root* as an image: 4 MiB of FAT and *size* MiB of ext4."""
    fat = image.with_suffix(".fat")
    with fat.open("wb") as file:
        file.truncate(4 * MIB)
    _call("mkfs.vfat", "-n", "bootfs", str(fat))
    line = image.with_suffix(".line")
    line.write_text("console=tty1 root=/dev/mmcblk0p2 rootwait resize\n")
    _call("mcopy", "-i", str(fat), str(line), "::/cmdline.txt")
    with image.open("wb") as file:
        file.write(table((0x0C, 2048, 4 * 2048), (0x83, 5 * 2048, size * 2048)))
        file.seek(MIB)
        file.write(fat.read_bytes())
        file.truncate((5 + size) * MIB)
    _call(
        "mke2fs", "-q", "-F", "-t", "ext4", "-d", str(root), "-E", f"offset={5 * MIB}", str(image),
        f"{size}M",
    )
    return image


def _call(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=60)
