"""A trained detector in Keras, asked as the device asks its int8 one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge.errors import ModelError
from edge.modelfile import InputSpec
from edge.vision.crop import Image
from edge.vision.detector import STRIDES, Faces, candidates, gather_faces
from edge.vision.interpreter import to_float
from edge.vision.letterbox import input_shape, letterbox
from train.detector.config import DetectorConfig
from train.detector.network import Upsample


def keras_detector(
    network: keras.Model, spec: InputSpec, score_threshold: float, nms_iou: float
) -> Callable[[Image], Faces]:
    """Return a function from a picture (H, W, 3) BGR uint8 to its faces.

    *network* is from :func:`train.detector.network.build_detector`; *spec* states its input,
    whose area every picture is fitted into.
    """
    pixels = spec.width * spec.height

    def detect(image: Image) -> Faces:
        height, width = image.shape[:2]
        canvas, scale = letterbox(image, *input_shape(width, height, pixels))
        outputs = network(to_float(canvas[None], spec), training=False)
        raw = {
            name: (keras.ops.convert_to_numpy(values), 1.0, 0) for name, values in outputs.items()
        }
        return gather_faces(candidates(raw, score_threshold), scale, width, height, nms_iou)

    return detect


def load_keras_detector(
    path: Path, score_threshold: float | None = None
) -> Callable[[Image], Faces]:
    """Return :func:`keras_detector` for the ``model.keras`` at *path*.

    Thresholds come from the ``metrics.json`` beside it; *score_threshold* overrides.  Raises
    ModelError when either file is missing, damaged, or not of a face detector.
    """
    network = load_keras_network(path)
    numbers = _numbers(path.with_name("metrics.json"))
    config = DetectorConfig()
    spec = InputSpec(
        int(numbers["config"].get("input_width", config.input_width)),
        int(numbers["config"].get("input_height", config.input_height)),
        "rgb",
        127.5,
        127.5,
    )
    decision = numbers["decision"]
    chosen = decision["score_threshold"] if score_threshold is None else score_threshold
    return keras_detector(network, spec, chosen, decision["nms_iou"])


def load_keras_network(path: Path) -> keras.Model:
    """Return the detector in the ``.keras`` at *path*; ModelError when it is none."""
    try:
        network = keras.saving.load_model(
            path, compile=False, custom_objects={"maskgate>Upsample": Upsample}
        )
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split()).split(". ")[0]
        raise ModelError(f"{path}: cannot be read as a Keras model: {reason}") from error
    names = set(network.output_names) if network.output_names else set()
    if not isinstance(network.output, dict) or f"score{STRIDES[0]}" not in network.output:
        raise ModelError(f"{path}: is no face detector; its outputs are {sorted(names)}")
    return network


def _numbers(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"{path} is missing; the training writes it, and it holds the thresholds that go "
            "with model.keras"
        ) from None
    except ValueError as error:
        raise ModelError(f"{path}: not JSON: {error}") from error
    if not {"config", "decision"} <= set(found) or not np.isfinite(
        found["decision"].get("score_threshold", np.nan)
    ):
        raise ModelError(f"{path}: holds no config or no decision.score_threshold")
    return dict(found)
