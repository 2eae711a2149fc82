"""AIZOO's SSD (AIZOOTech/FaceMaskDetection): finds faces and says mask or no mask, in one step.

The whole picture is squashed to 260x260, RGB / 255.  Every one of 5,972 anchors gives a box
relative to itself and two scores, mask and no mask.
"""

from __future__ import annotations

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
from train.evaluate.peers.runtime import Floats, Tensors, by_width, checked, load_tflite

SIDE = 260
MAPS = (33, 17, 9, 5, 3)
SIZES = ((0.04, 0.056), (0.08, 0.11), (0.16, 0.22), (0.32, 0.45), (0.64, 0.72))
RATIOS = (1.0, 0.62, 0.42)
VARIANCES = np.array([0.1, 0.1, 0.2, 0.2], np.float32)
THRESHOLD, NMS_IOU = 0.5, 0.4
"""Defaults of ``inference`` in the authors' ``tensorflow_infer.py``."""


def anchors() -> Floats:
    """Return the anchors (5972, 4): centre x, y, width, height as shares of the picture.

    A cell has both sizes as squares, then the first size at the other ratios.
    """
    rows = []
    for cells, (small, large) in zip(MAPS, SIZES, strict=True):
        shapes = [(small, small), (large, large)]
        shapes += [(small * ratio**0.5, small / ratio**0.5) for ratio in RATIOS[1:]]
        middles = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(middles, middles, indexing="ij")
        centres = np.stack([x, y], axis=-1).reshape(-1, 1, 2).repeat(len(shapes), axis=1)
        sizes = np.broadcast_to(np.array(shapes), centres.shape)
        rows.append(np.concatenate([centres, sizes], axis=-1).reshape(-1, 4))
    return np.concatenate(rows).astype(np.float32)


def feed(image: Image) -> Floats:
    """Return *image* as the network takes it, (1, 260, 260, 3) float32 from 0 to 1."""
    small = cv2.cvtColor(resized(image, SIDE, SIDE), cv2.COLOR_BGR2RGB)
    return np.asarray(small.astype(np.float32) / 255, np.float32)[None]


def decode(offsets: Floats, places: Floats) -> Boxes:
    """Return the boxes (N, 4), corners as shares of the picture, of *offsets* (N, 4).

    *places* (N, 4) are the anchors they belong to.
    """
    moved = offsets * VARIANCES
    centres = places[:, :2] + moved[:, :2] * places[:, 2:]
    halves = np.exp(moved[:, 2:]) * places[:, 2:] / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)


def read(tensors: Tensors, places: Floats, width: int, height: int, threshold: float) -> Found:
    """Return what *tensors* say of a *width* x *height* picture, from score *threshold* on.

    *places* are :func:`anchors`.
    """
    values = by_width(tensors)
    scores = values[2].max(axis=1)
    chosen = best_candidates(scores, threshold)
    boxes = decode(values[4][chosen], places[chosen])
    boxes *= np.array([width, height, width, height], np.float32)
    answers = np.pad(values[2][chosen], ((0, 0), (0, 1)))
    return suppressed(as_found(boxes, scores[chosen], width, height, answers), NMS_IOU)


def aizoo(path: Path, threads: int) -> Contestant:
    """Return the network in *path*; raises ModelError when it is another one."""
    places = anchors()
    example = np.zeros((1, SIDE, SIDE, 3), np.float32)
    run = checked(load_tflite(path, threads), example, {4: len(places), 2: len(places)}, path)

    def find(image: Image, threshold: float) -> Found:
        return read(run(feed(image)), places, image.shape[1], image.shape[0], threshold)

    return Contestant(
        "AIZOO SSD, 260x260", run, example, feed, detecting(find), judging(find, THRESHOLD),
        THRESHOLD, "default of its tensorflow_infer.py", ("wider", "mafa"),
    )
