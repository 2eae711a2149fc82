"""The partitions of a Raspberry Pi OS image, and of a card that was made of one, by its MBR."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from edge.errors import SourceError

SECTOR = 512
BLOCK = 4 * 1024 * 1024
"""An erase block of a card, at most; the third partition begins at one."""
_ENTRY = struct.Struct("<B3sB3sII")
_TABLE = 446
_FAT = (0x0B, 0x0C)
_LINUX = 0x83
# The largest size that 32 bits of sectors can say.
_MOST = 0xFFFFFFFF * SECTOR
# Cylinder, head and sector of what they cannot say.
_FAR = b"\xfe\xff\xff"


@dataclass(frozen=True, slots=True)
class Partition:
    """Where a partition is: *start* and *size* in bytes."""

    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The partition that the board starts from (FAT), the root file system and *data* (ext4).

    *data* is there on a card with ``--read-only`` alone.
    """

    boot: Partition
    root: Partition
    data: Partition | None = None


def read_layout(image: Path) -> Layout:
    """Return where the partitions of *image* are; raises SourceError for any other layout."""
    with image.open("rb") as file:
        sector = file.read(SECTOR)
        whole = file.seek(0, 2)
    if len(sector) < SECTOR or sector[510:] != b"\x55\xaa":
        raise SourceError(
            f"{image.name}: has no partition table; is it an image of Raspberry Pi OS?"
        )
    found = []
    for number in range(4):
        _, _, kind, _, start, size = _ENTRY.unpack_from(sector, _TABLE + 16 * number)
        if kind:
            found.append((kind, Partition(start * SECTOR, size * SECTOR)))
    kinds = [kind for kind, _ in found]
    if len(found) not in (2, 3) or kinds[0] not in _FAT or set(kinds[1:]) != {_LINUX}:
        names = ", ".join(f"{kind:02x}" for kind in kinds) or "none"
        raise SourceError(
            f"{image.name}: its partitions are {names}; Raspberry Pi OS has two, 0c and 83 (NOOBS "
            "and other systems are not supported)"
        )
    layout = Layout(*(part for _, part in found))
    end = max(part.start + part.size for _, part in found)
    if end > whole or layout.root.start < layout.boot.start:
        raise SourceError(
            f"{image.name}: is {whole} bytes, and its partitions need {end}; it is not whole, "
            "download it again"
        )
    return layout


def grow_root(image: Path, layout: Layout, size: int) -> Layout:
    """Make the root partition of *image* *size* bytes large; the file system stays as it was."""
    size = min(size, _MOST - layout.root.start) // SECTOR * SECTOR
    with image.open("r+b") as file:
        file.truncate(layout.root.start + size)
        table = bytearray(file.read(SECTOR))
        for number in range(4):
            place = _TABLE + 16 * number
            entry = _ENTRY.unpack_from(table, place)
            if entry[2] == _LINUX:
                _ENTRY.pack_into(table, place, *entry[:5], size // SECTOR)
        file.seek(0)
        file.write(table)
    return Layout(layout.boot, Partition(layout.root.start, size))


def add_data(image: Path, layout: Layout, size: int) -> Layout:
    """Give *image* a third partition of *size* bytes behind its root; it holds nothing yet."""
    start = layout.root.start + layout.root.size
    start = (start + BLOCK - 1) // BLOCK * BLOCK
    size = min(size, _MOST - start) // SECTOR * SECTOR
    with image.open("r+b") as file:
        file.truncate(start + size)
        places = [_TABLE + 16 * number for number in range(4)]
        table = file.read(SECTOR)
        # Two of the four are taken.
        free = next(place for place in places if not table[place + 4])
        file.seek(free)
        file.write(_ENTRY.pack(0, _FAR, _LINUX, _FAR, start // SECTOR, size // SECTOR))
    return Layout(layout.boot, layout.root, Partition(start, size))
