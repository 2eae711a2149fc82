"""Everything the released networks are measured by, in one run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from edge.modelfile import ModelFile, read_model
from train.data.coco import read_coco
from train.data.read import read_validation
from train.evaluate.appearance import read_appearance, read_disputed
from train.evaluate.closeups import evaluate_closeups
from train.evaluate.faces import evaluate_faces
from train.evaluate.networks import load_detect, load_judge
from train.evaluate.pair import evaluate_pair
from train.evaluate.pictures import evaluate_pictures

CURVE_THRESHOLD = 0.02
"""Low enough to draw the whole precision-recall curve, high enough to leave out the noise."""

SYNTHETIC = ("maskon",)
"""Sources of made-up pictures, which are in no number."""

MOST_REPEATS_OF_PICTURES = 300
"""An average precision sorts every detection anew for each resample."""

Progress = Callable[[Iterable[Any]], Iterable[Any]]


def score_models(
    detector: Path,
    classifier: Path,
    faces: Path,
    detection: Path,
    repeats: int = 1000,
    progress: Progress = iter,
) -> dict[str, Any]:
    """Return what the two model files score on the validation split of both data sets.

    *faces* and *detection* are folders with ``val.csv`` and ``val.json``.  *repeats* bootstrap
    resamples make the intervals, 0 for none.  Raises ModelError and DataError as the single
    evaluations do.
    """
    files = read_model(detector, "face-detector"), read_model(classifier, "mask-classifier")
    labelled, _ = read_validation(faces, "val")
    pictures = read_coco(detection / "val.json")
    judge, few = load_judge(classifier), min(repeats, MOST_REPEATS_OF_PICTURES)
    # At the threshold of its card, as the device runs it.
    detect = load_detect(detector)
    return {
        "models": {file.card.kind: _model(file) for file in files},
        "classifier": evaluate_faces(
            judge, labelled, SYNTHETIC, repeats, progress, read_appearance(), read_disputed()
        ),
        "detector": evaluate_pictures(
            load_detect(detector, CURVE_THRESHOLD), pictures, few, progress, sliced=True
        ),
        "pair": evaluate_pair(detect, judge, pictures, repeats, progress),
        "closeups": evaluate_closeups(detect, pictures, repeats=few, progress=progress),
    }


def _model(file: ModelFile) -> dict[str, Any]:
    return {
        "file": file.path.name,
        "name": file.card.name,
        "version": file.card.version,
        "sha256": file.sha256,
        "score_threshold": file.card.decision.get("score_threshold"),
    }
