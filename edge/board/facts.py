"""What this board is: model, processor, memory, system, software, and how it fares now.

:func:`read_board` reads it all at once; :func:`read_condition` only what changes while a
program runs.  Every fact may be unknown, which is None, and shown as ``unknown``.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.board.load import read_load
from edge.board.memory import Memory, read_memory
from edge.board.power import Brakes, Draw, brakes_lines, read_brakes, read_draw
from edge.board.reading import (
    Run,
    list_folder,
    read_number,
    read_strings,
    read_table,
    read_text,
    run_command,
)
from edge.board.surroundings import read_surroundings

UNKNOWN = "unknown"
# Arm's part numbers, from the manuals of the processors on the boards we support and some
# neighbours.
_ARM_PARTS = {
    0xD03: "Cortex-A53", 0xD04: "Cortex-A35", 0xD05: "Cortex-A55", 0xD07: "Cortex-A57",
    0xD08: "Cortex-A72", 0xD09: "Cortex-A73", 0xD0A: "Cortex-A75", 0xD0B: "Cortex-A76",
    0xD41: "Cortex-A78", 0xD42: "Cortex-A78AE",
}
# A sensor that is off or broken tells nonsense, such as -256 or 255.
_SENSIBLE = (-40.0, 150.0)


@dataclass(frozen=True, slots=True)
class Condition:
    """How the board fares at a moment.

    *governors* are the names of the kernel's frequency policies in use, *mhz* the fastest
    core's frequency now, *celsius* the hottest sensor, *load* the processes that wanted to run
    in the last minute, and *draw* the power.  Unknown is None or empty.
    """

    governors: tuple[str, ...] = ()
    mhz: float | None = None
    celsius: float | None = None
    brakes: Brakes = field(default_factory=Brakes)
    load: float | None = None
    memory: Memory = field(default_factory=Memory)
    draw: Draw | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """What the machine is, and its *condition* when it was read.

    *model* is the device tree's, or the maker's of a PC.  *soc* is such as ``bcm2712``, *cpu*
    the core's name.  *usable_cores* may be fewer than *cores*, in a container.  *max_mhz* is
    the most the kernel would let a core run at.  *system* is the distribution's name,
    *python_bits* 32 or 64.  *runtime* names LiteRT, its version and delegate.  *surroundings*
    tell that this is no bare board: ``container (docker)``, ``emulated (qemu)``.
    """

    model: str | None
    compatible: tuple[str, ...]
    soc: str | None
    cpu: str | None
    cores: int | None
    usable_cores: int
    max_mhz: float | None
    system: str | None
    kernel: str | None
    machine: str
    python: str
    python_bits: int
    runtime: str | None
    opencv: str | None
    surroundings: tuple[str, ...]
    condition: Condition

    @property
    def title(self) -> str:
        """What a person calls the machine: its model, or its processor where it has none."""
        return self.model or " ".join(part for part in (self.cpu, self.machine) if part)

    @property
    def raspberry_pi(self) -> bool:
        """Whether the device tree says that this is a Raspberry Pi of any kind."""
        return any(name.startswith("raspberrypi,") for name in self.compatible)

    @property
    def jetson(self) -> bool:
        """Whether the device tree says that this is an NVIDIA Jetson of any kind."""
        return any(name.startswith("nvidia,") for name in self.compatible)


def read_board(root: Path = Path("/"), run: Run = run_command) -> Board:
    """Return what the machine under *root* is and how it fares; raises nothing.

    *run* runs the few commands that are asked; in tests, one that answers from a fixture.
    Python, LiteRT and OpenCV are always those of this program.
    """
    processors = _processors(root)
    first = processors[0] if processors else {}
    compatible = read_strings(root / "proc/device-tree/compatible")
    machine = read_text(root / "proc/sys/kernel/arch") or platform.machine()
    return Board(
        model=_model(root),
        compatible=compatible,
        soc=compatible[-1].rpartition(",")[2] if compatible else None,
        cpu=_cpu_name(first),
        cores=len(processors) or None,
        usable_cores=_usable_cores(),
        max_mhz=_max_over_cores(root, "cpuinfo_max_freq"),
        system=_system(root),
        kernel=read_text(root / "proc/sys/kernel/osrelease"),
        machine=machine,
        python=platform.python_version(),
        python_bits=struct.calcsize("P") * 8,
        runtime=_runtime(),
        opencv=_opencv(),
        surroundings=read_surroundings(root, first, machine),
        condition=read_condition(root, run),
    )


def read_condition(root: Path = Path("/"), run: Run = run_command) -> Condition:
    """Return how the machine under *root* fares now; raises nothing."""
    governors = {
        read_text(core / "cpufreq/scaling_governor") for core in _cores(root)
    } - {None, ""}
    return Condition(
        governors=tuple(sorted(str(name) for name in governors)),
        mhz=_max_over_cores(root, "scaling_cur_freq"),
        celsius=max((celsius for _, celsius in read_heat(root)), default=None),
        brakes=read_brakes(root, run),
        load=read_load(root),
        memory=read_memory(root),
        draw=read_draw(root, run),
    )


def read_heat(root: Path = Path("/")) -> tuple[tuple[str, float], ...]:
    """Return (name, degrees Celsius) of each sensor under *root* that tells something sensible."""
    found = []
    for zone in list_folder(root / "sys/class/thermal", "thermal_zone"):
        celsius = read_number(zone / "temp", 1e-3)
        if celsius is not None and _SENSIBLE[0] <= celsius <= _SENSIBLE[1]:
            found.append((read_text(zone / "type") or zone.name, celsius))
    return tuple(found)


def board_rows(board: Board) -> list[tuple[str, str]]:
    """Return *board* as (name, value) rows for people; what is not known is ``unknown``."""
    clock = f"{board.max_mhz:.0f} MHz at most" if board.max_mhz else "frequency unknown"
    cores = _plural(board.cores, "core") if board.cores else "cores unknown"
    if board.cores and board.usable_cores < board.cores:
        cores += f", {board.usable_cores} usable"
    rows = [
        ("board", board.model or UNKNOWN),
        ("processor", ", ".join([*filter(None, (board.soc, board.cpu)), cores, clock])),
        ("memory", _mebibytes(board.condition.memory.total)),
        ("system", f"{board.system or UNKNOWN}, kernel {board.kernel or UNKNOWN}, {board.machine}"),
        ("software", _software(board)),
    ]
    if board.surroundings:
        rows.append(("runs in", ", ".join(board.surroundings)))
    return rows + condition_rows(board.condition)


def condition_rows(condition: Condition) -> list[tuple[str, str]]:
    """Return *condition* as (name, value) rows for people."""
    brakes = condition.brakes
    throttling = ", ".join(brakes_lines(brakes)) or ("none" if brakes.known else UNKNOWN)
    draw = condition.draw
    rows = [
        ("governor", ", ".join(condition.governors) or UNKNOWN),
        ("temperature", UNKNOWN if condition.celsius is None else f"{condition.celsius:.1f} °C"),
        ("throttling", throttling),
        ("load", UNKNOWN if condition.load is None else f"{condition.load:.2f} in the last minute"),
    ]
    if draw is not None and draw.watts is not None:
        rows.append(("power", f"{draw.watts:.2f} W, {draw.what}"))
    return rows


def _software(board: Board) -> str:
    return (
        f"Python {board.python} ({board.python_bits} bit), {board.runtime or 'no LiteRT'}, "
        + (f"OpenCV {board.opencv}" if board.opencv else "no OpenCV")
    )


def _processors(root: Path) -> list[dict[str, str]]:
    blocks = (read_text(root / "proc/cpuinfo") or "").split("\n\n")
    tables = [
        {
            key.strip(): value.strip()
            for key, _, value in (line.partition(":") for line in block.splitlines())
        }
        for block in blocks
    ]
    return [table for table in tables if "processor" in table]


def _cpu_name(processor: dict[str, str]) -> str | None:
    try:
        named = _ARM_PARTS.get(int(processor["CPU part"], 16))
    except (KeyError, ValueError):
        named = None
    return named or processor.get("model name") or None


def _model(root: Path) -> str | None:
    model = read_text(root / "proc/device-tree/model")
    if model:
        return model
    maker = read_text(root / "sys/class/dmi/id/sys_vendor")
    product = read_text(root / "sys/class/dmi/id/product_name")
    return " ".join(part for part in (maker, product) if part) or None


def _system(root: Path) -> str | None:
    for place in ("etc/os-release", "usr/lib/os-release"):
        name = read_table(root / place, "=").get("PRETTY_NAME")
        if name:
            return name
    return None


def _cores(root: Path) -> Sequence[Path]:
    folders = list_folder(root / "sys/devices/system/cpu", "cpu")
    return [folder for folder in folders if folder.name[3:].isdigit()]


def _max_over_cores(root: Path, name: str) -> float | None:
    """Return the largest of the cores' cpufreq values called *name*, in MHz."""
    values = [read_number(core / "cpufreq" / name, 1e-3) for core in _cores(root)]
    return max((value for value in values if value), default=None)


def _usable_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return os.cpu_count() or 1


def _runtime() -> str | None:
    # Not imported: a runtime that crashes must not take the report about it along.
    for name in ("ai-edge-litert", "tflite-runtime"):
        try:
            return f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def _opencv() -> str | None:
    # apt's build is known to no package list of Python's, so only cv2 itself can tell.
    try:
        import cv2
    except Exception:  # a broken build raises what it likes
        return None
    return str(cv2.__version__)


def _mebibytes(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.0f} MiB"


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" + ("" if count == 1 else "s")
