"""What makes a benchmark's figures say something else than how fast the board is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edge.board.facts import Board, Condition
from edge.board.load import Process
from edge.board.power import Brakes

# Raspberry Pi firmware begins to slow down here; an Orin, at 99 degrees, has room left then.
_HOT = 80.0
_LOADED = 0.5
_LITTLE_MEMORY = 100.0  # MiB
_ADVICE = {
    "under-voltage": "use the board's own power supply and a short cable",
    "average over-current": "use a stronger supply, or a lower power mode",
}


def spoilers(
    board: Board,
    during: Sequence[Condition],
    after: Condition,
    busy_before: Sequence[Process],
    busy_during: Sequence[Process],
) -> tuple[str, ...]:
    """Return a line for each thing that spoils the figures, and what to do about it.

    *board* is as it was before; *during* and *after* are how it fared later.
    """
    before = board.condition
    found = [*_machine(board), *_governors((before, *during, after))]
    found += _braked(before.brakes, [c.brakes for c in (*during, after)])
    found += _hot((before, *during, after))
    if before.load is not None and before.load >= _LOADED:
        found.append(
            f"the load was {before.load:.2f} before the benchmark began; stop what else runs"
        )
    for when, processes in (("before", busy_before), ("during", busy_during)):
        if processes:
            found.append(f"busy {when} the benchmark: {_names(processes)}; stop them")
    if before.memory.available is not None and before.memory.available < _LITTLE_MEMORY:
        found.append(f"only {before.memory.available:.0f} MiB of memory were free; it may swap")
    return tuple(found)


def _machine(board: Board) -> Iterable[str]:
    for words in board.surroundings:
        if words.startswith("emulated"):
            yield f"this machine is {words}: its speed says nothing about any board"
        elif words == "virtual machine":
            yield "this is a virtual machine: its neighbours take part of its time"
    if board.cores and board.usable_cores < board.cores:
        yield f"only {board.usable_cores} of {board.cores} cores may be used here"


def _governors(conditions: Iterable[Condition]) -> Iterable[str]:
    slow = {name for c in conditions for name in c.governors} - {"performance"}
    if slow:
        yield (
            f"the governor is {', '.join(sorted(slow))}, which lowers the frequency between "
            "frames; for figures to compare: echo performance | sudo tee "
            "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
        )


def _braked(before: Brakes, later: Sequence[Brakes]) -> Iterable[str]:
    if before.now:
        yield f"before the benchmark: {_with_advice(before.now)}"
    held = set(before.now)
    fresh = {word for brakes in later for word in brakes.now} - held
    # A flag that is only in "since the start" came and went between two looks.
    fresh |= {word for brakes in later for word in brakes.since_boot} - set(before.since_boot)
    if fresh - held:
        yield f"during the benchmark: {_with_advice(sorted(fresh - held))}"
    if not before.now and not fresh and before.since_boot:
        yield f"since the board was started, not during the benchmark: " \
              f"{_with_advice(before.since_boot)}"
    counts = dict(before.events)
    last = dict(later[-1].events) if later else counts
    for name, count in last.items():
        if count > counts.get(name, count):
            yield f"during the benchmark: {count - counts[name]} times {_with_advice([name])}"


def _with_advice(words: Sequence[str]) -> str:
    advice = [_ADVICE[word] for word in words if word in _ADVICE]
    return ", ".join(words) + "".join(f"; {line}" for line in advice)


def _hot(conditions: Iterable[Condition]) -> Iterable[str]:
    hottest = max((c.celsius for c in conditions if c.celsius is not None), default=None)
    if hottest is not None and hottest >= _HOT:
        yield f"it was {hottest:.0f} °C hot, where boards slow down; give it a cooler or air"


def _names(processes: Sequence[Process]) -> str:
    return ", ".join(f"{p.name} ({p.cores:.1f} cores)" for p in processes)
