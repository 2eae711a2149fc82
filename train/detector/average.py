"""Averages trained detectors that have a common ancestor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from train.averaging import averaged
from train.classifier.checkpoint import save_model
from train.classifier.measure import file_named
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

    Measured on the COCO data in *data* (``val.json``), as a training is.

    Raises ModelError when a file is no detector, or of another shape than the first; DataError
    when the data break their format.
    """
    networks = [load_keras_network(path) for path in models]
    network = averaged(networks, models)
    training, validation = (read_coco(data / f"{side}.json") for side in ("train", "val"))
    detect = keras_detector(network, config.input, CURVE_THRESHOLD, config.nms_iou)
    measured = evaluate_pictures(detect, validation, BOOTSTRAP_REPEATS)
    out.mkdir(parents=True, exist_ok=True)
    save_model(network, out / "model.keras")
    faces = [face for record in training + validation for face in record.faces]
    metrics = {
        **described(network, measured, config, command),
        "average_of": [file_named(path) for path in models],
        "data": {"checksum": data_checksum(faces)},
    }
    write_json(out / "metrics.json", metrics)
    return metrics
