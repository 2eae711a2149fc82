"""A camera alone, so that its 30 frames per second are not mistaken for a slow network."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

from edge.bench.result import CameraTime
from edge.bench.statistics import spread
from edge.camera import open_source
from edge.camera.frame import Frame, Source
from edge.errors import SourceError

_READ = 0.25  # seconds
_OPENING = 10.0  # seconds


def camera_time(
    uri: str,
    seconds: float,
    warm_up: float = 1.0,
    clock: Callable[[], float] = time.monotonic,
    opener: Callable[[str], Source] = open_source,
) -> CameraTime:
    """Return what the camera at *uri* delivers in *seconds*, after *warm_up* seconds.

    Raises UsageError for a wrong URI, SourceError for a camera that cannot be opened or gives
    no picture within 10 seconds.
    """
    source = opener(uri)
    try:
        first = _first(source, clock)
        until = clock() + warm_up
        while clock() < until and isinstance(source.read(_READ), Frame):
            pass
        return _measured(source, first, seconds, clock)
    finally:
        source.close()


def _first(source: Source, clock: Callable[[], float]) -> Frame:
    until = clock() + _OPENING
    told = "no picture came"
    while clock() < until:
        seen = source.read(_READ)
        if isinstance(seen, Frame):
            return seen
        if seen is None and not source.live:
            break
        if seen is not None:
            told = f"{seen.name}: {seen.detail}"
    raise SourceError(f"{source.name}: {told}; check it with maskgate run --source first")


def _measured(
    source: Source, first: Frame, seconds: float, clock: Callable[[], float]
) -> CameraTime:
    began = clock()
    arrivals: list[float] = []
    ages: list[float] = []
    sequences: list[int] = []
    faults: dict[str, None] = {}
    while clock() - began < seconds:
        seen = source.read(_READ)
        now = clock()
        if isinstance(seen, Frame):
            arrivals.append(now)
            sequences.append(seen.sequence)
            if source.live:
                ages.append(now - seen.timestamp)
        elif seen is not None:
            faults[seen.name] = None
        elif not source.live:
            break
    intervals = [later - sooner for sooner, later in pairwise(arrivals)]
    interval = spread(intervals)
    if interval is None:
        told = ", ".join(faults) or "nothing more came"
        raise SourceError(f"{source.name}: {told}; too few pictures to measure")
    delivered = sequences[-1] - sequences[0]
    height, width = first.image.shape[:2]
    return CameraTime(
        source=source.name,
        size=(width, height),
        promised_fps=source.frames_per_second,
        fps=delivered / max(arrivals[-1] - arrivals[0], 1e-9),
        interval=interval,
        age=spread(ages),
        dropped=delivered - len(intervals),
        faults=tuple(faults),
    )
