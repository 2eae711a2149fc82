"""Networks to evaluate, float (.keras) or int8 (.tflite), behind one plain callable each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import ModelError, UsageError
from edge.modelfile import LABELS, Kind, read_model
from edge.vision.classifier import MaskClassifier, softmax
from edge.vision.crop import Image, crop_face
from edge.vision.detector import FaceDetector, Faces
from edge.vision.geometry import Boxes
from edge.vision.interpreter import to_float
from train.report.files import readable

Judge = Callable[[Image, Boxes], npt.NDArray[np.float32]]
Detect = Callable[[Image], Faces]


def whose(path: Path, kind: Kind) -> dict[str, str]:
    """Return what says of figures that they are those of the *kind* of network at *path*.

    A model file has its SHA-256 there, by which a card takes none of another file's.
    """
    digest = {"sha256": read_model(path, kind).sha256} if path.suffix != ".keras" else {}
    return {"kind": kind, **digest}


def load_judge(path: Path) -> Judge:
    """Return a function from a picture and boxes (N, 4) to probabilities (N, 3).

    A ``.tflite`` brings margin and temperature in its card, a ``.keras`` has them in the
    ``metrics.json`` beside it.  Raises ModelError when the file is not such a classifier.
    """
    if path.suffix != ".keras":
        return MaskClassifier(read_model(path, "mask-classifier")).probabilities
    from train.classifier.config import NetworkConfig

    model = _keras_model(path)
    if model.output_shape[-1] != len(LABELS) or len(model.outputs) != 1:
        raise ModelError(f"{path}: is no mask classifier; its output is {model.output_shape}")
    margin, temperature = _edge_numbers(path)
    size = int(model.input_shape[1])
    spec = NetworkConfig(input_size=size).input

    def judge(image: Image, boxes: Boxes) -> npt.NDArray[np.float32]:
        if not len(boxes):
            return np.zeros((0, len(LABELS)), np.float32)
        crops = [crop_face(image, box, margin=margin, size=size)[None] for box in boxes]
        # One at a time: the compiled step is made for one shape, and is made once.
        logits = [np.asarray(model.predict_on_batch(to_float(crop, spec))) for crop in crops]
        return softmax(np.concatenate(logits), temperature)

    return judge


def load_detect(
    path: Path, score_threshold: float | None = None, detail: float = 1.0
) -> Detect:
    """Return a function from a picture to its faces.

    *score_threshold* overrides the model's own: a low one is needed to draw a whole
    precision-recall curve.  *detail* is a FaceDetector's.  Raises ModelError when the file is not
    a face detector, and UsageError for a float one with more detail.
    """
    if path.suffix != ".keras":
        model = read_model(path, "face-detector")
        return FaceDetector(model, 1, score_threshold, detail).detect
    if detail != 1:
        raise UsageError(f"--detail {detail:g}: {path} is no .tflite; convert it first")
    from train.detector.predict import load_keras_detector

    if not path.is_file():
        raise ModelError(f"{path}: no such file; train it with python -m train detector")
    with readable(path):
        detect: Detect = load_keras_detector(path, score_threshold)
    return detect


def seed_beside(path: Path) -> int | None:
    """Return the seed of the training that wrote the ``.keras`` at *path*.

    None where no ``metrics.json`` beside it tells, as for a released file.
    """
    if path.suffix != ".keras":
        return None
    try:
        metrics = json.loads(path.with_name("metrics.json").read_text(encoding="utf-8"))
        seed = metrics["config"]["seed"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return seed if type(seed) is int and seed >= 0 else None


def _keras_model(path: Path) -> Any:
    import keras

    if not path.is_file():
        raise ModelError(f"{path}: no such file; train it with python -m train classifier")
    with readable(path):
        return keras.saving.load_model(path, compile=False)


def _edge_numbers(path: Path) -> tuple[float, float]:
    beside = path.with_name("metrics.json")
    try:
        metrics = json.loads(beside.read_text(encoding="utf-8"))
        return float(metrics["crop_margin"]), float(metrics["temperature"])
    except FileNotFoundError:
        raise ModelError(
            f"{beside} is missing; the training writes it, and it holds the crop margin and "
            "the temperature that go with model.keras"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{beside}: holds no crop_margin or temperature: {error}") from error
