"""How much memory there is, and how much of it this program holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edge.board.reading import read_table

_KIB = re.compile(r"(\d+) kB")


@dataclass(frozen=True, slots=True)
class Memory:
    """The machine's memory in MiB: *total*, and what a new program may take without swapping."""

    total: float | None = None
    available: float | None = None


@dataclass(frozen=True, slots=True)
class OwnMemory:
    """This program's memory in MiB: resident now, and the most it ever was."""

    resident: float | None = None
    peak: float | None = None


def read_memory(root: Path = Path("/")) -> Memory:
    """Return the memory of the machine under *root*."""
    table = read_table(root / "proc/meminfo")
    return Memory(_mebibytes(table.get("MemTotal")), _mebibytes(table.get("MemAvailable")))


def read_own_memory(root: Path = Path("/")) -> OwnMemory:
    """Return the memory that this program holds."""
    table = read_table(root / "proc/self/status")
    return OwnMemory(_mebibytes(table.get("VmRSS")), _mebibytes(table.get("VmHWM")))


def _mebibytes(text: str | None) -> float | None:
    found = _KIB.fullmatch(text or "")
    return int(found.group(1)) / 1024 if found else None
