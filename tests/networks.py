"""Tiny real networks and pictures for tests: seconds to make, and nothing of people in them.

The classifier's weights are set by hand so that it answers by colour: blue is a mask, green
is none, red is one worn incorrectly.
"""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.modelfile import CARD_FORMAT, DETECTOR_LABELS, LABELS, InputSpec, ModelCard
from edge.vision.crop import Image

CLASSIFIER_INPUT = InputSpec(32, 32, "rgb", 127.5, 127.5)
DETECTOR_INPUT = InputSpec(96, 64, "rgb", 127.5, 127.5)
COLORS = {
    "with_mask": (230, 30, 20),
    "without_mask": (30, 220, 40),
    "incorrect_mask": (20, 40, 230),
}


def card_of(kind: str, **changes: Any) -> ModelCard:
    """Return a plain card for a tiny network of *kind*, with *changes*."""
    detector = kind == "face-detector"
    fields: dict[str, Any] = {
        "format": CARD_FORMAT,
        "kind": kind,
        "name": f"tiny {kind}",
        "version": 1,
        "minimum_maskgate": "0.1.0",
        "input": DETECTOR_INPUT if detector else CLASSIFIER_INPUT,
        "labels": DETECTOR_LABELS if detector else LABELS,
        "crop_margin": None if detector else 0.2,
        "decision": {"score_threshold": 0.5, "nms_iou": 0.45} if detector else {"temperature": 1.0},
    }
    return ModelCard(**{**fields, **changes})


@cache
def color_classifier() -> Any:
    """Return a Keras classifier, input 32x32, that answers by colour."""
    pytest.importorskip("tensorflow")
    import keras

    inputs = keras.Input((32, 32, 3), name="image")
    x = keras.layers.Conv2D(8, 3, 2, padding="same")(inputs)
    x = keras.layers.ReLU(6.0)(x)
    x = keras.layers.DepthwiseConv2D(3, padding="same")(x)
    x = keras.layers.ReLU(6.0)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(3, name="logits")(x))
    rng = np.random.default_rng(0)
    weights = [rng.normal(0, 0.02, value.shape).astype(np.float32) for value in model.get_weights()]
    for channel in range(3):
        weights[0][1, 1, channel, channel] = 1.0
        weights[2][1, 1, channel, 0] = 1.0
        # Red, green, blue stand for the labels in reverse order.
        weights[4][channel, 2 - channel] = 6.0
    model.set_weights(weights)
    return model


@cache
def tiny_detector() -> Any:
    """Return an untrained Keras detector with the real one's shape and few channels."""
    pytest.importorskip("tensorflow")
    import keras

    from train.detector.network import DetectorShape, build_detector

    keras.utils.set_random_seed(1)
    return build_detector(DetectorShape((8, 8, 8, 8, 8), (1, 1, 1), 8))


@cache
def int8_network(kind: str) -> bytes:
    """Return the int8 flatbuffer, without card, of the tiny network of *kind*."""
    pytest.importorskip("tensorflow")
    from convert.calibration import calibration_inputs
    from convert.graph import name_ends
    from convert.quantise import output_names, quantise

    detector = kind == "face-detector"
    model = tiny_detector() if detector else color_classifier()
    spec = DETECTOR_INPUT if detector else CLASSIFIER_INPUT
    rng = np.random.default_rng(2)
    pictures = [face_picture(rng, color, spec.width, spec.height) for color in COLORS.values()]
    network = quantise(model, spec.height, spec.width, calibration_inputs(pictures * 2, spec))
    return name_ends(network, output_names(model) if detector else ("logits",))


@cache
def model_content(kind: str) -> bytes:
    """Return the content of a whole model file, card and self-test included."""
    network = int8_network(kind)
    from convert.graph import ends
    from convert.modelwriter import assemble
    from convert.release import with_self_test

    card = with_self_test(network, card_of(kind), 2)
    names = {name: name for name, _ in ends(network)[1]}
    return assemble(network, card, names, "logits" if "logits" in names else None)


def face_picture(
    rng: np.random.Generator, color: tuple[int, int, int], width: int = 64, height: int = 64
) -> Image:
    """Return a picture of a noisy *color* (BGR), (height, width, 3) uint8."""
    noise = rng.integers(-20, 21, (height, width, 3))
    return np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)


def write_faces(folder: Path, train: int = 12, validation: int = 30) -> Path:
    """Write a faces CSV data set of coloured pictures into *folder* and return it."""
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(3)
    for split, count in (("train", train), ("val", validation)):
        with (folder / f"{split}.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["file", "x", "y", "w", "h", "label", "source", "group"])
            for place in range(count):
                label = LABELS[place % 3]
                name = f"{split}{place}.png"
                cv2.imwrite(str(folder / "images" / name), face_picture(rng, COLORS[label]))
                table.writerow([name, 16, 16, 32, 32, label, "painted", f"{split}{place}"])
    return folder


def write_detection(folder: Path, count: int = 3) -> Path:
    """Write a COCO data set of coloured pictures into *folder* and return it."""
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(4)
    for split in ("train", "val"):
        images, faces = [], []
        for place in range(1, count + 1):
            name = f"{split}{place}.png"
            picture = face_picture(rng, COLORS["with_mask"], 96, 64)
            cv2.imwrite(str(folder / "images" / name), picture)
            images.append(
                {"id": place, "file_name": name, "width": 96, "height": 64, "source": "painted",
                 "group": name}
            )
            faces.append({"id": place, "image_id": place, "category_id": 4, "bbox": [8, 8, 40, 40]})
        tree = {
            "images": images, "annotations": faces, "categories": [{"id": 4, "name": "face"}],
        }
        (folder / f"{split}.json").write_text(json.dumps(tree))
    return folder
