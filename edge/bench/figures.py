"""The few figures of a benchmark that two of them are compared by, each with a name and a unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from edge.bench.result import Result

Judgement = Literal["same", "slower", "faster", "more", "less", "missing", "new"]
TOLERANCE = 0.30
"""Runs of one board differ by less than this; a figure further off is said, in both directions."""

# Less than this is a clock's grain and a cache's mood.
_LEAST_MS = 0.05

# By the end of a figure's name: its unit, and whether more of it is better.
_UNITS: Mapping[str, tuple[str, bool]] = {
    "_ms": ("ms", False), "_fps": ("FPS", True), "_mib": ("MiB", False), "_ratio": ("x", False),
    "_watts": ("W", False),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure in two benchmarks; *change* is new over old, None where one lacks it."""

    name: str
    unit: str
    old: float | None
    new: float | None
    change: float | None
    judgement: Judgement


def figures(result: Result) -> dict[str, float]:
    """Return the figures of *result* by name, rounded to what they are worth."""
    found: dict[str, float] = {}
    for one in result.networks:
        found[f"{one.network}_{_threads(one.threads)}_ms"] = one.time.p50_ms
    if result.cost is not None:
        for share in result.cost.stages:
            found[f"stage_{share.stage}_ms"] = share.time.p50_ms
        found["frame_1_face_1_thread_ms"] = result.cost.frame.p50_ms
        found["frame_to_bare_ratio"] = result.cost.ratio
        found["frame_to_bare_calm_ratio"] = result.cost.calm_ratio
    if result.cost_small is not None:
        found["frame_given_small_picture_ms"] = result.cost_small.frame.p50_ms
        found["frame_given_small_picture_to_bare_ratio"] = result.cost_small.ratio
    for loop in result.loops:
        size = "" if loop.size == (640, 480) else f"_{loop.size[0]}x{loop.size[1]}"
        faces = f"{loop.faces}_face{'' if loop.faces == 1 else 's'}"
        found[f"loop_{faces}_{_threads(loop.threads)}{size}_fps"] = loop.fps
    if result.at_work_ratio is not None:
        found["at_work_to_bare_ratio"] = result.at_work_ratio
    if result.pin is not None:
        found["frame_to_pin_ms"] = result.pin.time.p50_ms
    if result.camera is not None:
        found["camera_fps"] = result.camera.fps
    if result.sustained:
        found["sustained_first_fps"] = result.sustained[0].fps
        found["sustained_last_fps"] = result.sustained[-1].fps
    if result.memory is not None and result.memory.peak is not None:
        found["memory_peak_mib"] = result.memory.peak
    if result.draw is not None and result.draw.watts is not None:
        found["power_watts"] = result.draw.watts
    return {name: round(value, 4) for name, value in found.items()}


def unit_of(name: str) -> tuple[str, bool]:
    """Return the unit of the figure called *name*, and whether more of it is better."""
    for end, meaning in _UNITS.items():
        if name.endswith(end):
            return meaning
    return "", False


def compare(
    old: Mapping[str, float], new: Mapping[str, float], tolerance: float = TOLERANCE
) -> list[Difference]:
    """Return how the figures *new* differ from *old*, in the order of *old*, then what is new.

    A figure is "slower" or "faster" ("more" or "less" of what is no speed) when it is off by
    more than *tolerance* of the better one, so that the two directions are judged alike.
    """
    return [_difference(name, old.get(name), new.get(name), tolerance)
            for name in [*old, *(name for name in new if name not in old)]]


def _difference(
    name: str, old: float | None, new: float | None, tolerance: float
) -> Difference:
    unit, more_is_better = unit_of(name)
    if old is None or new is None:
        return Difference(name, unit, old, new, None, "new" if old is None else "missing")
    if old <= 0 or new <= 0:
        # A stage of no time at all has no ratio.
        same = abs(old - new) <= 1e-3
        return Difference(name, unit, old, new, None, "same" if same else "more")
    change = new / old
    judgement: Judgement = "same"
    grain = unit == "ms" and abs(new - old) < _LEAST_MS
    if max(change, 1 / change) > 1 + tolerance and not grain:
        is_speed = unit in ("ms", "FPS", "x")
        better = (change > 1) == more_is_better
        if is_speed:
            judgement = "faster" if better else "slower"
        else:
            judgement = "more" if change > 1 else "less"
    return Difference(name, unit, old, new, change, judgement)


def _threads(count: int) -> str:
    return f"{count}_thread{'' if count == 1 else 's'}"
