"""How long networks take beside each other, in one process.

Rounds are interleaved, so that a noisy minute hits all of them alike; what counts is the ratio.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import cv2

from train.evaluate.peers.contestant import Contestant
from train.evaluate.peers.frame import noise_frame

WARM_UP, ROUNDS, IN_A_ROW = 3, 20, 3


def all_threads() -> int:
    """Return how many CPUs this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def speeds(
    contestants: Sequence[Contestant], threads: int, rounds: int = ROUNDS
) -> list[dict[str, Any]]:
    """Return for each of *contestants*, in their order, median milliseconds of one picture.

    ``network`` is copying the input in, running, and reading the outputs.  ``fed`` also
    prepares a 640x480 frame, None where nobody knows how.  Neither turns outputs into boxes:
    that is a matter of whose code does it.  ``network_ratio`` and ``fed_ratio`` are to the
    first contestant.  *threads* is what the contestants were made with; OpenCV gets as many.
    """
    before = cv2.getNumThreads()
    cv2.setNumThreads(threads)
    try:
        samples = _sampled(contestants, rounds)
    finally:
        cv2.setNumThreads(before)
    rows = []
    base: dict[str, float] = {}
    for contestant in contestants:
        row: dict[str, Any] = {"name": contestant.name}
        for way in ("network", "fed"):
            values = samples.get((contestant.name, way))
            median = statistics.median(values) if values else None
            if median is not None:
                base.setdefault(way, median)
            row[way] = median
            row[f"{way}_ratio"] = None if median is None else median / base[way]
        rows.append(row)
    return rows


def _sampled(
    contestants: Sequence[Contestant], rounds: int
) -> dict[tuple[str, str], list[float]]:
    frame = noise_frame()
    tasks: dict[tuple[str, str], Callable[[], Any]] = {}
    for one in contestants:
        ready = one.example if one.feed is None else one.feed(frame)
        tasks[one.name, "network"] = _network(one, ready)
        if one.feed is not None:
            tasks[one.name, "fed"] = _fed(one, frame)
    samples: dict[tuple[str, str], list[float]] = {name: [] for name in tasks}
    for number in range(WARM_UP + rounds):
        for name, task in tasks.items():
            spent = _best(task)
            if number >= WARM_UP:
                samples[name].append(spent)
    return samples


def _network(one: Contestant, ready: Any) -> Callable[[], Any]:
    return lambda: one.invoke(ready)


def _fed(one: Contestant, frame: Any) -> Callable[[], Any]:
    feed = one.feed
    return lambda: one.invoke(feed(frame)) if feed else None


def _best(task: Callable[[], Any]) -> float:
    """Return milliseconds of one *task*, the best of a few in a row."""
    best = float("inf")
    for _ in range(IN_A_ROW):
        begun = time.perf_counter()
        task()
        best = min(best, time.perf_counter() - begun)
    return best * 1000
