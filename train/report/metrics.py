"""Classification metrics over plain arrays; nothing here knows of networks or files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Classes = npt.NDArray[np.intp]
Probabilities = npt.NDArray[np.float64]

WITH, WITHOUT = 0, 1
CALIBRATION_BINS = 15


@dataclass(frozen=True, slots=True)
class Interval:
    """A statistic's value and the bounds its 95 % bootstrap interval has."""

    value: float
    low: float
    high: float


def confusion_matrix(truth: Classes, said: Classes, classes: int) -> npt.NDArray[np.int64]:
    """Return counts (classes, classes): row is the true class, column what was said."""
    flat = np.bincount(np.asarray(truth) * classes + np.asarray(said), minlength=classes**2)
    return flat.reshape(classes, classes).astype(np.int64)


def recalls(confusion: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return per class the share of its true members found; nan for a class without any."""
    return _ratio(np.diag(confusion), confusion.sum(axis=1))


def precisions(confusion: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return per class the share of what was called so that is so; nan if nothing was."""
    return _ratio(np.diag(confusion), confusion.sum(axis=0))


def accuracy(truth: Classes, said: Classes) -> float:
    """Return the share of answers that are right; nan when there is none."""
    return float(np.mean(truth == said)) if len(truth) else float("nan")


def balanced_accuracy(truth: Classes, said: Classes, classes: Sequence[int]) -> float:
    """Return the mean of the recalls of *classes*, over members of *classes* alone.

    An answer that is none of *classes* is wrong.  nan when a class has no member.
    """
    found = [
        np.mean(said[truth == c] == c) if np.any(truth == c) else np.nan for c in classes
    ]
    return float(np.mean(found))


def with_without_accuracy(truth: Classes, probabilities: Probabilities) -> float:
    """Return the balanced accuracy of masked against bare, the third answer not on offer.

    Over faces whose truth is one of the two; *probabilities* (N, 3).
    """
    said = np.where(probabilities[:, WITH] >= probabilities[:, WITHOUT], WITH, WITHOUT)
    return balanced_accuracy(truth, said, (WITH, WITHOUT))


def precision_recall_curve(
    positive: npt.NDArray[np.bool_], scores: npt.NDArray[np.floating]
) -> tuple[Probabilities, Probabilities, Probabilities]:
    """Return (precision, recall, threshold), a point for every distinct score, highest first."""
    order = np.argsort(-scores, kind="stable")
    ranked, values = np.asarray(positive)[order], np.asarray(scores)[order]
    changes = np.nonzero(np.diff(values))[0]
    last = np.append(changes, len(values) - 1).astype(np.intp)[: len(values)]
    hits = np.cumsum(ranked)[last]
    total = max(1, int(np.sum(ranked)))
    return hits / (last + 1.0), hits / total, values[last].astype(np.float64)


def average_precision(
    positive: npt.NDArray[np.bool_], scores: npt.NDArray[np.floating]
) -> float:
    """Return the area under the precision-recall steps; nan when nothing is positive."""
    if not np.any(positive):
        return float("nan")
    precision, recall, _ = precision_recall_curve(positive, scores)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def recall_at_precision(
    positive: npt.NDArray[np.bool_], scores: npt.NDArray[np.floating], wanted: float
) -> float:
    """Return the highest recall any threshold reaches with precision of *wanted* or more, or 0."""
    precision, recall, _ = precision_recall_curve(positive, scores)
    good = recall[precision >= wanted]
    return float(good.max()) if len(good) else 0.0


def reliability(
    truth: Classes, probabilities: Probabilities, bins: int = CALIBRATION_BINS
) -> tuple[Probabilities, Probabilities, npt.NDArray[np.int64]]:
    """Return per confidence bin (mean confidence, share right, count); nan in empty bins."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    return (
        _ratio(np.bincount(place, confidence, minlength=bins), count),
        _ratio(np.bincount(place, right, minlength=bins), count),
        count.astype(np.int64),
    )


def expected_calibration_error(
    truth: Classes, probabilities: Probabilities, bins: int = CALIBRATION_BINS
) -> float:
    """Return the mean gap, 0 to 1, between how sure the answers are and how often right.

    Bins of equal width over the top answer's probability, weighed by their counts.
    """
    if not len(truth):
        return float("nan")
    sure, right, count = reliability(truth, probabilities, bins)
    return float(np.nansum(np.abs(sure - right) * count) / count.sum())


def log_loss(truth: Classes, probabilities: Probabilities) -> float:
    """Return the mean negative natural logarithm of the true class's probability."""
    own = probabilities[np.arange(len(truth)), truth]
    return float(-np.mean(np.log(np.maximum(own, 1e-12))))


def bootstrap_by_group(
    groups: Sequence[str],
    statistic: Callable[[npt.NDArray[np.intp]], float],
    repeats: int = 1000,
    seed: int = 0,
) -> Interval:
    """Return *statistic* of all samples with its 95 % interval, resampled by group.

    *statistic* gets sample indices and may return nan, which is left out.  Whole groups are
    drawn with replacement: near-duplicates are right or wrong together, and drawing them one
    by one would make the interval too narrow.
    """
    _, number = np.unique(np.asarray(groups), return_inverse=True)
    value = statistic(np.arange(len(number)))
    if not len(number):
        return Interval(value, float("nan"), float("nan"))
    order = np.argsort(number, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(number))[:-1])
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(repeats):
        drawn = rng.integers(0, len(members), len(members))
        values.append(statistic(np.concatenate([members[i] for i in drawn])))
    if np.all(np.isnan(values)):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return Interval(value, float(low), float(high))


def _ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> npt.NDArray[np.float64]:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
