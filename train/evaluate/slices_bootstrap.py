"""Bootstrap intervals of many shares at once: every slice of the same resamples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

FEWEST = 20
"""Faces below which a share is not stated: one of 19 is worth more than five points."""


@dataclass(frozen=True, slots=True)
class Resamples:
    """How often each of N samples is in each of R resamples, (R, N) float32; R may be 0.

    *group* (N,) numbers the group of each sample.
    """

    weights: npt.NDArray[np.float32]
    group: npt.NDArray[np.intp]

    def share(self, hits: Bools, chosen: Bools) -> dict[str, Any]:
        """Return the share of *chosen* (N,) samples that are *hits* (N,), with its interval."""
        return self.mean_of([(hits, chosen)])

    def gap(self, hits: Bools, first: Bools, second: Bools) -> dict[str, Any]:
        """Return the share of hits among *first* less that among *second*, with its interval."""
        return self._interval(
            _share(hits, first) - _share(hits, second),
            self._shares(hits, first) - self._shares(hits, second),
        )

    def mean_of(self, parts: Sequence[tuple[Bools, Bools]]) -> dict[str, Any]:
        """Return the mean of the shares of *parts*, each (hits, chosen), with its interval."""
        value = float(np.mean([_share(hits, chosen) for hits, chosen in parts]))
        result = self._interval(
            value, np.mean([self._shares(hits, chosen) for hits, chosen in parts], axis=0)
        )
        if "low" in result and value in (0.0, 1.0):
            # Every resample says the same then, which is not certainty.  The bound is Clopper
            # and Pearson's (1934) for as many samples as there are groups.
            sizes = [len(np.unique(self.group[chosen])) for _, chosen in parts]
            sure = float(np.mean([0.025 ** (1 / size) for size in sizes]))
            result |= {"low": sure} if value else {"high": 1 - sure}
        return result

    def _shares(self, hits: Bools, chosen: Bools) -> Floats:
        drawn = self.weights[:, chosen]
        whole = drawn.sum(axis=1, dtype=np.float64)
        part = np.asarray(drawn @ hits[chosen].astype(np.float32), np.float64)
        return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)

    def _interval(self, value: float, values: Floats) -> dict[str, Any]:
        if np.isnan(value):
            return {"value": None}
        if not len(values) or np.all(np.isnan(values)):
            return {"value": value}
        low, high = np.nanpercentile(values, [2.5, 97.5])
        return {"value": value, "low": float(low), "high": float(high)}


def resample(groups: Sequence[str], repeats: int, seed: int = 0) -> Resamples:
    """Return *repeats* resamples of the samples whose groups are *groups* (N,).

    Whole groups are drawn with replacement, the same ones as
    :func:`train.report.metrics.bootstrap_by_group` draws.
    """
    names, number = np.unique(np.asarray(groups, object).astype(str), return_inverse=True)
    rng = np.random.default_rng(seed)
    counts = np.zeros((repeats, len(names)), np.float32)
    for row in counts:
        row += np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
    return Resamples(counts[:, number], number.astype(np.intp))


def _share(hits: Bools, chosen: Bools) -> float:
    return float(np.mean(hits[chosen])) if np.any(chosen) else float("nan")
