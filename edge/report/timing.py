"""How long each stage of a frame takes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# p95 is taken over this many newest frames, so that a gate may run for months.
_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class StageTime:
    """Milliseconds of a frame in *stage*: mean of all frames, 95th percentile of the newest."""

    stage: str
    mean_ms: float
    p95_ms: float


class Stopwatch:
    """Times the stages of one frame after another; *clock* gives seconds.

    :meth:`start` before a frame, :meth:`lap` after each stage.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._last = clock()
        self._totals: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        self._kept: dict[str, deque[float]] = {}

    def start(self) -> None:
        self._last = self._clock()

    def lap(self, stage: str) -> float:
        """Add the time since the last lap to *stage*; return it in seconds."""
        now = self._clock()
        took, self._last = now - self._last, now
        if stage not in self._kept:
            self._totals[stage], self._counts[stage] = 0.0, 0
            self._kept[stage] = deque(maxlen=_KEPT)
        self._totals[stage] += took
        self._counts[stage] += 1
        self._kept[stage].append(took)
        return took

    def times(self) -> tuple[StageTime, ...]:
        """Return the stages in the order they first came."""
        return tuple(
            StageTime(
                stage,
                1000 * total / self._counts[stage],
                1000 * float(np.percentile(self._kept[stage], 95)),
            )
            for stage, total in self._totals.items()
        )
