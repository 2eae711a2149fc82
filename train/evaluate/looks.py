"""How long a look's error lasts: what ``correlation_seconds`` of the gate's decision rests on.

Everybody's looks are log ratios in the order of the film.  What is left of them after the
person's own mean is taken off is called the error; how alike errors are that lie some time apart
says how much a further look adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from train.report.metrics import Interval, bootstrap_by_group
from train.report.tables import aligned

FEWEST_PEOPLE = 3
SHORTEST = 1.0
"""Seconds that somebody must be seen for."""

LONGEST_LAG = 1.0
_SHOWN = (0.04, 0.08, 0.12, 0.2, 0.3, 0.5, 0.8)
_GRID = np.geomspace(0.005, 10, 1500)

Looks = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Correlation:
    """The errors' autocorrelation: *alike* (K,), -1 to 1, *lags* (K,) seconds apart.

    *pairs* (K,) counts the pairs of looks that each one rests on.
    """

    lags: Looks
    alike: Looks
    pairs: npt.NDArray[np.int64]


def measure_looks(
    people: Sequence[Looks], gap: float, settings: dict[str, Any], repeats: int = 1000
) -> dict[str, Any]:
    """Return how long the errors of *people* last.

    Each of *people* is an array (T,) of log ratios, one every *gap* seconds, nan where a look was
    no evidence.  Those whose looks span less than a second are left out.  *settings* is put
    beside the result.  Raises DataError where fewer than three people are left, and where all of
    them are judged alike at every look.
    """
    long = [looks for looks in map(_trimmed, people) if (len(looks) - 1) * gap >= SHORTEST - 1e-9]
    if len(long) < FEWEST_PEOPLE:
        raise DataError(
            f"{len(long)} people are judged for a second or more; at least {FEWEST_PEOPLE} are "
            "needed: bring a longer clip, or one in which people come nearer"
        )
    varied = sum(float(np.nanstd(looks)) > 1e-6 for looks in long)
    if not varied:
        raise DataError(
            f"all {len(long)} people are judged alike at every look, so there is no error to "
            "measure: bring a longer clip, or one of people who move"
        )
    names = [str(number) for number in range(len(long))]

    def fitted(chosen: npt.NDArray[np.intp]) -> float:
        return exponential(autocorrelation([long[i] for i in chosen], gap))

    def worth(chosen: npt.NDArray[np.intp]) -> float:
        return summed_up(autocorrelation([long[i] for i in chosen], gap), gap)

    found = autocorrelation(long, gap)
    return {
        "kind": "looks",
        **settings,
        "people": len(long),
        "varied": varied,
        "looks": int(sum(np.isfinite(looks).sum() for looks in long)),
        "gap": gap,
        "autocorrelation": [
            {"seconds": float(lag), "value": _number(alike), "pairs": int(pairs)}
            for lag, alike, pairs in zip(found.lags, found.alike, found.pairs, strict=True)
        ],
        "exponential_seconds": _entry(bootstrap_by_group(names, fitted, repeats)),
        "summed_seconds": _entry(bootstrap_by_group(names, worth, repeats)),
        "broken": [],
    }


def autocorrelation(people: Sequence[Looks], gap: float) -> Correlation:
    """Return how alike errors are, for every time apart up to a second; nan where none vary.

    Errors are counted in pairs, each against the spread of its own two ends, so that somebody
    who is judged alike at every look says nothing, as is right.
    """
    most = max(1, round(LONGEST_LAG / gap))
    together, spread = np.zeros(most), np.zeros(most)
    pairs = np.zeros(most, np.int64)
    for looks in people:
        error = looks - np.nanmean(looks)
        for lag in range(1, min(most, len(error) - 1) + 1):
            first, second = error[:-lag], error[lag:]
            there = np.isfinite(first) & np.isfinite(second)
            first, second = first[there], second[there]
            together[lag - 1] += first @ second
            spread[lag - 1] += (first @ first + second @ second) / 2
            pairs[lag - 1] += len(first)
    with np.errstate(invalid="ignore", divide="ignore"):
        alike = np.where(spread > 1e-9, together / spread, np.nan)
    return Correlation(gap * np.arange(1, most + 1, dtype=np.float64), alike, pairs)


def exponential(found: Correlation) -> float:
    """Return the seconds in which the exponential nearest to *found* falls to 1/e.

    Nearest by squares, each time apart weighed by its pairs.  nan where nothing varies.
    """
    known = np.isfinite(found.alike)
    if not known.any():
        return float("nan")
    curves = np.exp(-found.lags[known] / _GRID[:, None])
    missed = ((curves - found.alike[known]) ** 2 * found.pairs[known]).sum(axis=1)
    return float(_GRID[missed.argmin()])


def summed_up(found: Correlation, gap: float) -> float:
    """Return the seconds that make the gate's rule worth what *found* is, looked at every *gap*.

    Of many looks each is worth ``1 / (1 + 2 * sum)`` of an independent one, and the gate takes
    ``tanh(gap / (2 * seconds))``.  The sum ends where the errors are alike no more, because
    behind that there is only noise.  nan where nothing varies.
    """
    if not np.isfinite(found.alike[0]):
        return float("nan")
    above = np.nan_to_num(found.alike) > 0
    end = len(above) if above.all() else int(above.argmin())
    sum_of = float(found.alike[:end].sum())
    return 0.0 if sum_of <= 0 else float(gap / (2 * np.arctanh(1 / (1 + 2 * sum_of))))


def looks_tables(result: dict[str, Any]) -> str:
    """Return *result* of :func:`measure_looks` as text."""
    curve = result["autocorrelation"]
    shown = {
        min(range(len(curve)), key=lambda i: abs(curve[i]["seconds"] - s)) for s in _SHOWN
    }
    rows = [
        [f"{curve[i]['seconds']:.2f}",
         "-" if curve[i]["value"] is None else f"{curve[i]['value']:.2f}",
         curve[i]["pairs"]]
        for i in sorted(shown)
    ]
    return "\n".join([
        f"{result['people']} people seen for a second or more, {result['looks']} looks "
        f"{1 / result['gap']:.1f} times a second; the looks of {result['varied']} differ",
        "",
        aligned(["seconds apart", "alike", "pairs"], rows),
        "",
        f"one exponential through it: {_seconds(result['exponential_seconds'])}",
        f"summed up, it is worth:     {_seconds(result['summed_seconds'])}",
        f"the gate assumes:           {result['assumed_seconds']:.2f} s (correlation_seconds)",
    ])


def _trimmed(looks: Looks) -> Looks:
    """Return *looks* from the first that counted to the last."""
    there = np.flatnonzero(np.isfinite(looks))
    return looks[there[0] : there[-1] + 1] if len(there) else looks[:0]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _entry(found: Interval) -> dict[str, float | None]:
    return {
        "value": _number(found.value), "low": _number(found.low), "high": _number(found.high)
    }


def _seconds(entry: dict[str, float | None]) -> str:
    text = f"{entry['value']:.2f} s"
    if entry["low"] is None:
        return text
    return f"{text} [{entry['low']:.2f}, {entry['high']:.2f}]"
