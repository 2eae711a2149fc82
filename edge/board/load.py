"""What else the machine is busy with."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.board.reading import list_folder, read_text

# Below this share of one core a process disturbs no measurement.
_BUSY = 0.2
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Process:
    """Another process, and how many cores' worth of time it took: 1.0 is one whole core."""

    name: str
    pid: int
    cores: float


@dataclass(frozen=True, slots=True)
class Ticks:
    """The processor time that each process has had so far, in seconds, at *when* seconds."""

    when: float
    seconds: Mapping[tuple[int, str], float]


def read_ticks(
    root: Path = Path("/"), clock: Callable[[], float] = time.monotonic
) -> Ticks:
    """Return how much processor time every other process under *root* has had."""
    own = os.getpid()
    rate = os.sysconf("SC_CLK_TCK")
    seconds: dict[tuple[int, str], float] = {}
    for folder in list_folder(root / "proc"):
        if not folder.name.isdigit() or int(folder.name) == own:
            continue
        # "pid (name) state ...": the name may hold blanks and brackets itself.
        head, _, rest = (read_text(folder / "stat") or "").rpartition(")")
        fields = rest.split()
        if len(fields) < 13:
            continue
        try:
            spent = (int(fields[11]) + int(fields[12])) / rate
        except ValueError:
            continue
        seconds[int(folder.name), head.partition("(")[2]] = spent
    return Ticks(clock(), seconds)


def busy_processes(before: Ticks, after: Ticks) -> tuple[Process, ...]:
    """Return who took more than a fifth of a core between *before* and *after*, busiest first."""
    gap = after.when - before.when
    if gap <= 0:
        return ()
    found = [
        Process(name, pid, (spent - before.seconds[pid, name]) / gap)
        for (pid, name), spent in after.seconds.items()
        if (pid, name) in before.seconds
    ]
    busy = sorted((p for p in found if p.cores >= _BUSY), key=lambda p: -p.cores)
    return tuple(busy[:_SHOWN])


def read_load(root: Path = Path("/")) -> float | None:
    """Return how many processes wanted to run, averaged over the last minute, or None."""
    first = (read_text(root / "proc/loadavg") or "").split(" ")[0]
    try:
        return float(first)
    except ValueError:
        return None
