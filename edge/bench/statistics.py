"""Many timings as a few numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something took, in milliseconds, over so many *samples*.

    p50 is the middle one; 95 and 99 of 100 were no longer than p95 and p99.
    """

    samples: int
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure one thing.

    *warm_up* seconds and at least three calls are thrown away.  Then it is called for *seconds*,
    but at least *least* and at most *most* times.
    """

    seconds: float = 1.5
    warm_up: float = 0.3
    least: int = 20
    most: int = 2000


THOROUGH = Effort()
QUICK = Effort(seconds=0.1, warm_up=0.02, least=5, most=40)
_LEAST_WARM_UP = 3
# Whatever the board, one thing is never measured for longer than so many times its seconds.
_PATIENCE = 6.0


def spread(seconds: Sequence[float]) -> Spread | None:
    """Return the spread of timings in *seconds*; None for no timings.

    Percentiles are interpolated linearly, as numpy's are.
    """
    if not len(seconds):
        return None
    values = 1000 * np.asarray(seconds, np.float64)
    p50, p95, p99 = (float(v) for v in np.percentile(values, (50, 95, 99)))
    return Spread(len(values), float(values.mean()), p50, p95, p99)


def calm(seconds: Sequence[float]) -> float:
    """Return the time in seconds that a tenth of the timings did not exceed; 0 for no timings.

    On a machine that does other work, too, this is nearest to what the work itself takes.
    """
    return float(np.percentile(np.asarray(seconds, np.float64), 10)) if len(seconds) else 0.0


def timings(
    work: Callable[[], object], effort: Effort, clock: Clock = time.perf_counter
) -> list[float]:
    """Return how long each call of *work* took, in seconds, the warm-up left out."""
    began = clock()
    calls = 0
    while calls < _LEAST_WARM_UP or clock() - began < effort.warm_up:
        work()
        calls += 1
    taken: list[float] = []
    began = clock()
    while more(len(taken), clock() - began, effort):
        start = clock()
        work()
        taken.append(clock() - start)
    return taken


def more(samples: int, elapsed: float, effort: Effort) -> bool:
    """Return whether to take another sample after *samples* in *elapsed* seconds."""
    if samples >= effort.most or (samples and elapsed >= _PATIENCE * effort.seconds):
        return False
    return elapsed < effort.seconds or samples < effort.least
