"""UltraFace (Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB), RFB, two of its networks.

The 320x240 one gives boxes relative to priors; the masked-face variant, 640x480, gives boxes
in shares of the picture and says face or masked face.  Both squash the whole picture.
"""

from __future__ import annotations

from math import ceil
from pathlib import Path

import cv2
import numpy as np

from edge.vision.crop import Image
from edge.vision.geometry import Boxes
from train.evaluate.peers.contestant import (
    Contestant,
    Found,
    as_found,
    best_candidates,
    detecting,
    judging,
    resized,
    suppressed,
)
from train.evaluate.peers.runtime import (
    Floats,
    Tensors,
    by_width,
    checked,
    load_onnx,
    load_tflite,
)

STRIDES = (8, 16, 32, 64)
SIDES = ((10, 16, 24), (32, 48), (64, 96), (128, 192, 256))
CENTRE_VARIANCE, SIZE_VARIANCE = 0.1, 0.2
NMS_IOU = 0.3
THRESHOLD = 0.6
"""Default of the authors' ``tflite/TFLiteFaceDetector.py``."""

MASKED_THRESHOLD = 0.3
"""Default of the authors' ``masked_face/detect_imgs.py``."""


def priors(width: int, height: int) -> Floats:
    """Return the priors (N, 4): centre x, y, width, height as shares of the network's input."""
    rows = []
    for stride, sides in zip(STRIDES, SIDES, strict=True):
        across, down = ceil(width / stride), ceil(height / stride)
        y, x = np.meshgrid(
            (np.arange(down) + 0.5) / down, (np.arange(across) + 0.5) / across, indexing="ij"
        )
        centres = np.stack([x, y], axis=-1).reshape(-1, 1, 2).repeat(len(sides), axis=1)
        shapes = np.array([(side / width, side / height) for side in sides])
        rows.append(
            np.concatenate([centres, np.broadcast_to(shapes, centres.shape)], -1).reshape(-1, 4)
        )
    # The largest prior is taller than the input; the authors cut it to the input's height.
    return np.asarray(np.clip(np.concatenate(rows), 0, 1), np.float32)


def feed(image: Image, width: int, height: int) -> Floats:
    """Return *image* as RGB, (pixel - 127) / 128, shape (1, height, width, 3) float32."""
    small = cv2.cvtColor(resized(image, width, height), cv2.COLOR_BGR2RGB)
    return np.asarray((small.astype(np.float32) - 127) / 128, np.float32)[None]


def decode(offsets: Floats, places: Floats) -> Boxes:
    """Return the boxes (N, 4), corners as shares of the picture, of *offsets* (N, 4).

    *places* (N, 4) are the priors they belong to.
    """
    centres = places[:, :2] + offsets[:, :2] * np.float32(CENTRE_VARIANCE) * places[:, 2:]
    halves = np.exp(offsets[:, 2:] * np.float32(SIZE_VARIANCE)) * places[:, 2:] / 2
    return np.asarray(np.concatenate([centres - halves, centres + halves], axis=1), np.float32)


def read(tensors: Tensors, places: Floats, width: int, height: int, threshold: float) -> Found:
    """Return what the 320x240 network's *tensors* say of a *width* x *height* picture.

    *places* are its :func:`priors`; faces count from score *threshold* on.
    """
    values = by_width(tensors)
    chosen = best_candidates(values[2][:, 1], threshold)
    boxes = decode(values[4][chosen], places[chosen])
    boxes *= np.array([width, height, width, height], np.float32)
    return suppressed(as_found(boxes, values[2][chosen, 1], width, height), NMS_IOU)


def read_masked(tensors: Tensors, width: int, height: int, threshold: float) -> Found:
    """Return what the masked-face network's *tensors* say; see :func:`read`.

    The authors suppress face and masked face apart, so that one person may come back as both.
    Here the better of the two stays, which only helps it.
    """
    values = by_width(tensors)
    scores = values[3][:, 1:].max(axis=1)
    chosen = best_candidates(scores, threshold)
    boxes = values[4][chosen] * np.array([width, height, width, height], np.float32)
    # Its classes are background, face, masked face.
    answers = np.pad(values[3][chosen][:, [2, 1]], ((0, 0), (0, 1)))
    return suppressed(as_found(boxes, scores[chosen], width, height, answers), NMS_IOU)


def ultraface(path: Path, threads: int) -> Contestant:
    """Return the 320x240 detector in *path*; raises ModelError when it is another network."""
    places = priors(320, 240)
    example = np.zeros((1, 240, 320, 3), np.float32)
    run = checked(load_tflite(path, threads), example, {4: len(places), 2: len(places)}, path)

    def prepared(image: Image) -> Floats:
        return feed(image, 320, 240)

    def find(image: Image, threshold: float) -> Found:
        return read(run(prepared(image)), places, image.shape[1], image.shape[0], threshold)

    return Contestant(
        "UltraFace RFB-320, 320x240", run, example, prepared, detecting(find), None,
        THRESHOLD, "default of its TFLiteFaceDetector.py", ("wider",),
    )


def ultraface_masked(path: Path, threads: int) -> Contestant:
    """Return the 640x480 masked-face variant; raises ModelError when it is another network."""
    example = np.zeros((1, 3, 480, 640), np.float32)
    count = len(priors(640, 480))
    run = checked(load_onnx(path, threads), example, {4: count, 3: count}, path)

    def prepared(image: Image) -> Floats:
        return np.ascontiguousarray(feed(image, 640, 480).transpose(0, 3, 1, 2))

    def find(image: Image, threshold: float) -> Found:
        return read_masked(run(prepared(image)), image.shape[1], image.shape[0], threshold)

    return Contestant(
        "UltraFace RFB-640 masked, 640x480", run, example, prepared, detecting(find),
        judging(find, MASKED_THRESHOLD), MASKED_THRESHOLD,
        "default of its masked_face/detect_imgs.py", ("wider", "mafa"),
    )


