"""Makes the classifier as sure as it is right.

Training draws wrongly worn masks far more often than they occur, so the network expects
them far too often; and it learns until it is surer than it should be.  An offset a class
undoes the first, a temperature the second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.modelfile import LABELS
from edge.vision.classifier import softmax
from train.report.metrics import Classes, expected_calibration_error, log_loss

Logits = npt.NDArray[np.floating]

# A network over- or underconfident beyond these would be a bug, not a calibration.
LOWEST, HIGHEST = 0.2, 10.0
ITERATIONS = 40
# Pulls the parameters towards 1 and 0 where there are too few samples to tell.
RIDGE = 1e-3


@dataclass(frozen=True, slots=True)
class Calibration:
    """Probabilities are the softmax of ``(logits + offsets) / temperature``."""

    temperature: float
    offsets: tuple[float, ...]

    def probabilities(self, logits: Logits) -> npt.NDArray[np.float64]:
        """Return calibrated probabilities (N, C) of *logits* (N, C)."""
        moved = logits + np.array(self.offsets, np.float32)
        return softmax(moved, self.temperature).astype(np.float64)


def fit_calibration(logits: Logits, truth: Classes) -> Calibration:
    """Return the calibration of *logits* (N, C) with the least log loss against *truth* (N,).

    Newton's method on ``scale * logits + shift``, where the loss is convex; a class that
    *truth* lacks keeps its offset, and the mean offset is 0.
    """
    values = np.asarray(logits, np.float64)
    classes = values.shape[1]
    answers = np.eye(classes)[np.asarray(truth, np.intp)]
    seen = answers.any(axis=0)
    start = np.concatenate([[1.0], np.zeros(classes)])
    constants = np.broadcast_to(np.diag(seen.astype(float)), (len(values), classes, classes))
    inputs = np.concatenate([values[:, None, :], constants], axis=1)
    weights, loss = start, np.inf
    for _ in range(ITERATIONS):
        guess = softmax(np.einsum("p,npc->nc", weights, inputs)).astype(np.float64)
        slope = np.einsum("npc,nc->p", inputs, guess - answers) / len(values)
        slope += RIDGE * (weights - start)
        spread = np.einsum("npc,nc,nqc->pq", inputs, guess, inputs)
        mean = np.einsum("npc,nc->np", inputs, guess)
        curve = (spread - mean.T @ mean) / len(values) + RIDGE * np.eye(len(weights))
        step = np.linalg.solve(curve, slope)
        weights = weights - np.clip(step, -1.0, 1.0)
        weights[0] = np.clip(weights[0], 1 / HIGHEST, 1 / LOWEST)
        now = log_loss(truth, guess)
        if abs(loss - now) < 1e-10:
            break
        loss = now
    offsets = weights[1:] / weights[0]
    offsets = np.where(seen, offsets - offsets[seen].mean(), 0.0)
    return Calibration(float(1 / weights[0]), tuple(float(value) for value in offsets))


def cross_calibrated(
    logits: Logits, truth: Classes, groups: Sequence[str]
) -> npt.NDArray[np.float64]:
    """Return calibrated probabilities (N, C), each from a calibration that never saw its group.

    The groups are cut into two halves; each half is calibrated with the other.
    """
    truth = np.asarray(truth, np.intp)
    half = np.array([hashlib.sha256(group.encode()).digest()[0] % 2 for group in groups], np.intp)
    result = softmax(logits, 1.0).astype(np.float64)
    for side in (0, 1):
        fitted, held = half == side, half != side
        if fitted.any() and held.any():
            calibration = fit_calibration(logits[fitted], truth[fitted])
            result[held] = calibration.probabilities(logits[held])
    return result


def calibration_report(
    calibration: Calibration, logits: Logits, truth: Classes, groups: Sequence[str]
) -> dict[str, Any]:
    """Return *calibration* and what such a one is worth on samples it did not see.

    ``priors`` are the shares of the labels it was fitted on: what the probabilities must be
    divided by where they serve as likelihoods.
    """
    truth = np.asarray(truth, np.intp)
    before = softmax(logits, 1.0).astype(np.float64)
    after = cross_calibrated(logits, truth, groups)
    return {
        "temperature": calibration.temperature,
        "offsets": dict(zip(LABELS, calibration.offsets, strict=True)),
        "priors": {label: float(np.mean(truth == i)) for i, label in enumerate(LABELS)},
        "expected_calibration_error_before": expected_calibration_error(truth, before),
        "expected_calibration_error_after": expected_calibration_error(truth, after),
        "log_loss_before": log_loss(truth, before),
        "log_loss_after": log_loss(truth, after),
        "note": "after: fitted on half of the validation groups, measured on the other, both ways",
    }
