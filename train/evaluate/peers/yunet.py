"""YuNet, of OpenCV's model zoo: an anchor-free detector with five landmarks.

It takes any multiple of 32, BGR 0 to 255.  The picture keeps its proportions, its longer side
is made 320 or 640, and black fills it up to the next multiple of 32, right and below.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.errors import ModelError
from edge.vision.crop import Image
from edge.vision.detector import LANDMARKS, STRIDES
from edge.vision.geometry import Boxes
from train.evaluate.peers.contestant import (
    Contestant,
    Found,
    as_found,
    best_candidates,
    detecting,
    resized,
    suppressed,
)
from train.evaluate.peers.runtime import Floats, Tensors, load_onnx, tried

STEP = 32
THRESHOLD, NMS_IOU = 0.9, 0.3
"""Defaults of ``cv2.FaceDetectorYN.create`` and of the zoo's ``demo.py``."""


def feed(image: Image, longer_side: int) -> Floats:
    """Return *image* with its longer side at *longer_side* pixels, (1, 3, H, W) float32."""
    height, width = image.shape[:2]
    scale = longer_side / max(height, width)
    across, down = max(1, round(width * scale)), max(1, round(height * scale))
    canvas = np.zeros((-(-down // STEP) * STEP, -(-across // STEP) * STEP, 3), np.float32)
    canvas[:down, :across] = resized(image, across, down)
    return np.ascontiguousarray(canvas.transpose(2, 0, 1)[None])


def scores_of(tensors: Tensors, stride: int) -> Floats:
    """Return the score of every cell of *stride*, (cells,): sqrt(class x objectness)."""
    parts = [np.clip(tensors[f"{name}_{stride}"].reshape(-1), 0, 1) for name in ("cls", "obj")]
    return np.asarray(np.sqrt(parts[0] * parts[1]), np.float32)


def decode(
    cells: npt.NDArray[np.intp], columns: int, stride: int, boxes: Floats, landmarks: Floats
) -> tuple[Boxes, Floats]:
    """Return the boxes (N, 4) and landmarks (N, 5, 2) of *cells* (N,), pixels of the input.

    *columns* is how many cells the map of *stride* has in a row; *boxes* (N, 4) and
    *landmarks* (N, 10) are the network's raw values.
    """
    corners = np.stack([cells % columns, cells // columns], axis=1).astype(np.float32)
    middles = (corners + boxes[:, :2]) * stride
    halves = np.exp(boxes[:, 2:]) * (stride / 2)
    points = (corners[:, None] + landmarks.reshape(-1, LANDMARKS, 2)) * stride
    return np.concatenate([middles - halves, middles + halves], axis=1), points


def read(
    tensors: Tensors, longer_side: int, width: int, height: int, threshold: float
) -> Found:
    """Return what *tensors* say of a *width* x *height* picture fed at *longer_side*."""
    scale = longer_side / max(height, width)
    across = -(-max(1, round(width * scale)) // STEP) * STEP
    parts = []
    for stride in STRIDES:
        scores = scores_of(tensors, stride)
        cells = best_candidates(scores, threshold)
        boxes, points = decode(
            cells, across // stride, stride, tensors[f"bbox_{stride}"][0, cells],
            tensors[f"kps_{stride}"][0, cells],
        )
        parts.append((boxes, scores[cells], points))
    boxes, scores, points = (np.concatenate(part) for part in zip(*parts, strict=True))
    boxes, points = boxes / np.float32(scale), points / np.float32(scale)
    return suppressed(as_found(boxes, scores, width, height, landmarks=points), NMS_IOU)


def yunet(path: Path, threads: int, longer_side: int) -> Contestant:
    """Return the network in *path* at *longer_side*; raises ModelError when it is another one."""
    run = load_onnx(path, threads)
    prepared = partial(feed, longer_side=longer_side)
    example = prepared(np.zeros((480, 640, 3), np.uint8))
    outputs = tried(run, example, path)
    wanted = {f"{name}_{stride}" for name in ("cls", "obj", "bbox", "kps") for stride in STRIDES}
    if set(outputs) != wanted:
        raise ModelError(f"{path}: its outputs are {sorted(outputs)}; {sorted(wanted)} are needed")

    def find(image: Image, threshold: float) -> Found:
        tensors = run(prepared(image))
        return read(tensors, longer_side, image.shape[1], image.shape[0], threshold)

    return Contestant(
        f"YuNet, longer side {longer_side}", run, example, prepared, detecting(find), None,
        THRESHOLD, "default of cv2.FaceDetectorYN", ("wider",),
    )
