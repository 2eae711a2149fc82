"""The mask classifier on labelled faces."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from edge.errors import DataError
from edge.modelfile import LABELS
from train.data.pictures import LoadedFaces
from train.data.records import FaceRecord, data_checksum
from train.evaluate.networks import Judge
from train.report.judgement import judge_faces
from train.report.tables import aligned, percent, percent_interval

HEADLINES = {
    "accuracy": "accuracy of three",
    "with_without_balanced_accuracy": "with/without, balanced",
    "with_without_balanced_accuracy_of_three": "  the same, three answers on offer",
    "incorrect_recall": "incorrect, recall",
    "incorrect_precision": "incorrect, precision",
    "incorrect_recall_at_stated_precision": "incorrect, recall at 90 % precision",
    "expected_calibration_error": "expected calibration error",
}


def evaluate_faces(
    judge: Judge,
    faces: LoadedFaces,
    synthetic: Iterable[str] = (),
    repeats: int = 1000,
    progress: Callable[[Iterable[FaceRecord]], Iterable[FaceRecord]] = iter,
) -> dict[str, Any]:
    """Return the metrics of *judge* on *faces*, those of *synthetic* sources left out.

    *repeats* bootstrap resamples by group make the intervals.  Raises DataError when no
    photograph is left.
    """
    left_out = set(synthetic)
    records = [record for record in faces.records if record.source not in left_out]
    if not records:
        raise DataError("no photograph is left to evaluate on; all are of a synthetic source")
    probabilities = np.concatenate(
        [
            judge(faces.picture(record), np.array([record.box], np.float32))
            for record in progress(records)
        ]
    )
    truth = np.array([LABELS.index(record.label) for record in records], np.intp)
    judged = judge_faces(
        truth,
        probabilities.astype(np.float64),
        [record.group or record.picture.name for record in records],
        [record.source or "unnamed" for record in records],
        repeats,
    )
    return {
        "data_checksum": data_checksum(records),
        "synthetic_left_out": len(faces.records) - len(records),
        "broken": [path.name for path in faces.broken],
        **judged,
    }


def faces_tables(result: dict[str, Any]) -> str:
    """Return *result* of :func:`evaluate_faces` as aligned text."""
    headline = aligned(
        ["classifier", f"% of {result['faces']} faces [95 % interval]"],
        [(title, percent_interval(result[name])) for name, title in HEADLINES.items()],
    )
    confusion = aligned(
        ["true \\ said", *LABELS, "recall", "precision"],
        [
            (
                label, *counts, percent(result["classes"][label]["recall"]),
                percent(result["classes"][label]["precision"]),
            )
            for label, counts in zip(LABELS, result["confusion"], strict=True)
        ],
    )
    sources = aligned(
        ["source", "faces", "accuracy", "with/without", *(f"recall {name}" for name in LABELS)],
        [
            (
                name, entry["faces"], percent(entry["accuracy"]),
                percent(entry["with_without_balanced_accuracy"]),
                *(percent(entry["recalls"][label]) for label in LABELS),
            )
            for name, entry in result["sources"].items()
        ],
    )
    return "\n\n".join([headline, confusion, sources])
