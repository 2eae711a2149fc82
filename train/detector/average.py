"""Averages trained detectors that have a common ancestor."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import ModelError
from train.classifier.checkpoint import save_model
from train.data.coco import read_coco
from train.data.records import data_checksum
from train.detector.config import DetectorConfig
from train.detector.predict import keras_detector, load_keras_network
from train.detector.train import BOOTSTRAP_REPEATS, CURVE_THRESHOLD, described
from train.evaluate.pictures import evaluate_pictures
from train.report.files import write_json


def average_detectors(
    models: Sequence[Path], data: Path, out: Path, config: DetectorConfig, command: str = ""
) -> dict[str, Any]:
    """Write the average of *models*, ``.keras`` files of one shape, into *out*; return its metrics.

    Trainings that went on from the same weights, by other pictures, end on the same slope, and
    between them lies a network that errs less than each, at no cost on the device (Wortsman et
    al., "Model soups", 2022).  The statistics of batch normalisation are averaged like weights.
    Measured on the COCO data in *data* (``val.json``), as a training is.

    Raises ModelError when a file is no detector, or of another shape than the first; DataError
    when the data break their format.
    """
    networks = [load_keras_network(path) for path in models]
    averaged = networks[0]
    shapes = [[weight.shape for weight in network.weights] for network in networks]
    for path, shape in zip(models, shapes, strict=True):
        if shape != shapes[0]:
            raise ModelError(f"{path}: is a detector of another shape than {models[0]}")
    weights = zip(*(network.get_weights() for network in networks), strict=True)
    averaged.set_weights([np.mean(values, axis=0, dtype=np.float64) for values in weights])

    training, validation = (read_coco(data / f"{side}.json") for side in ("train", "val"))
    detect = keras_detector(averaged, config.input, CURVE_THRESHOLD, config.nms_iou)
    measured = evaluate_pictures(detect, validation, BOOTSTRAP_REPEATS)
    out.mkdir(parents=True, exist_ok=True)
    save_model(averaged, out / "model.keras")
    faces = [face for record in training + validation for face in record.faces]
    metrics = {
        **described(averaged, measured, config, command),
        "average_of": [
            {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
            for path in models
        ],
        "data": {"checksum": data_checksum(faces)},
    }
    write_json(out / "metrics.json", metrics)
    return metrics
