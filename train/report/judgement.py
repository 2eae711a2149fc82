"""Everything worth saying about how a classifier judged a set of faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from edge.modelfile import LABELS
from train.report import metrics
from train.report.metrics import Classes, Probabilities

INCORRECT = LABELS.index("incorrect_mask")
# The precision at which the recall of incorrectly worn masks is stated.
STATED_PRECISION = 0.9


def judge_faces(
    truth: Classes,
    probabilities: Probabilities,
    groups: Sequence[str],
    sources: Sequence[str],
    repeats: int = 1000,
) -> dict[str, Any]:
    """Return the metrics of *probabilities* (N, 3) against *truth* (N,) as plain values.

    *groups* and *sources* (N,) name near-duplicates and origin.  *repeats* bootstrap
    resamples make the 95 % intervals; 0 leaves them out.
    """
    truth = np.asarray(truth, np.intp)
    said = probabilities.argmax(axis=1)
    confusion = metrics.confusion_matrix(truth, said, len(LABELS))
    statistics = {
        "accuracy": lambda i: metrics.accuracy(truth[i], said[i]),
        "with_without_balanced_accuracy": lambda i: metrics.with_without_accuracy(
            truth[i], probabilities[i]
        ),
        "with_without_balanced_accuracy_of_three": lambda i: metrics.balanced_accuracy(
            truth[i], said[i], (metrics.WITH, metrics.WITHOUT)
        ),
        "incorrect_recall": lambda i: _recall(truth[i], said[i], INCORRECT),
        "incorrect_precision": lambda i: _recall(said[i], truth[i], INCORRECT),
        "incorrect_recall_at_stated_precision": lambda i: metrics.recall_at_precision(
            truth[i] == INCORRECT, probabilities[i, INCORRECT], STATED_PRECISION
        ),
        "expected_calibration_error": lambda i: metrics.expected_calibration_error(
            truth[i], probabilities[i]
        ),
    }
    everything = np.arange(len(truth))
    result: dict[str, Any] = {
        "faces": len(truth),
        "confusion": confusion.tolist(),
        "classes": {
            label: {"recall": _plain(r), "precision": _plain(p), "faces": int(n)}
            for label, r, p, n in zip(
                LABELS, metrics.recalls(confusion), metrics.precisions(confusion),
                confusion.sum(axis=1), strict=True,
            )
        },
        "log_loss": metrics.log_loss(truth, probabilities),
        "sources": {
            source: _source(truth, probabilities, np.asarray(sources) == source)
            for source in sorted(set(sources))
        },
    }
    for name, statistic in statistics.items():
        if repeats:
            interval = metrics.bootstrap_by_group(groups, statistic, repeats)
            result[name] = {key: _plain(value) for key, value in asdict(interval).items()}
        else:
            result[name] = {"value": _plain(statistic(everything))}
    return result


def curves(truth: Classes, probabilities: Probabilities) -> dict[str, Any]:
    """Return what a reliability diagram and the precision-recall curve of *incorrect* need."""
    sure, right, count = metrics.reliability(truth, probabilities)
    precision, recall, _ = metrics.precision_recall_curve(
        truth == INCORRECT, probabilities[:, INCORRECT]
    )
    return {
        "reliability": {
            "confidence": [_plain(value) for value in sure],
            "right": [_plain(value) for value in right],
            "count": count.tolist(),
        },
        "incorrect_curve": thinned(recall, precision),
    }


def thinned(recall: Probabilities, precision: Probabilities, points: int = 400) -> dict[str, Any]:
    """Return a precision-recall curve, *recall* rising, as lists of at most *points*.

    Evenly spaced in recall, each at the best precision it is reached with, and the two ends.
    """
    steps = np.linspace(0, recall[-1], points) if len(recall) else recall
    first = np.searchsorted(recall, steps, side="left")
    chosen = np.unique(np.append(first, len(recall) - 1)) if len(recall) else first.astype(int)
    return {
        "recall": [round(float(value), 5) for value in recall[chosen]],
        "precision": [round(float(value), 5) for value in precision[chosen]],
    }


def _recall(truth: Classes, said: Classes, wanted: int) -> float:
    return float(np.mean(said[truth == wanted] == wanted)) if np.any(truth == wanted) else np.nan


def _source(truth: Classes, probabilities: Probabilities, chosen: Any) -> dict[str, Any]:
    truth, probabilities = truth[chosen], probabilities[chosen]
    said = probabilities.argmax(axis=1)
    return {
        "faces": len(truth),
        "accuracy": _plain(metrics.accuracy(truth, said)),
        "with_without_balanced_accuracy": _plain(
            metrics.with_without_accuracy(truth, probabilities)
        ),
        "recalls": {
            label: _plain(_recall(truth, said, number)) for number, label in enumerate(LABELS)
        },
    }


def _plain(value: float) -> float | None:
    # JSON has no nan.
    return None if np.isnan(value) else float(value)
