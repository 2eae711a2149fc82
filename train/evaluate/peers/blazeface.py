"""BlazeFace, MediaPipe's short-range (128x128) and full-range (192x192) detectors.

The picture keeps its proportions in the middle of a black square, RGB in [-1, 1].  Every
anchor is a point and gives a box and six landmarks in pixels of the input; boxes that overlap
are averaged, weighed by their scores, as MediaPipe does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from edge.vision.crop import Image
from edge.vision.geometry import Boxes, iou_matrix
from train.evaluate.peers.contestant import (
    Contestant,
    Found,
    as_found,
    best_candidates,
    detecting,
    resized,
)
from train.evaluate.peers.runtime import Floats, Tensors, by_width, checked, load_tflite

NMS_IOU = 0.3
VALUES = 16


@dataclass(frozen=True, slots=True)
class Range:
    """One of the two networks: input side, (stride, anchors a cell) maps, default threshold.

    The threshold is ``min_score_thresh`` of MediaPipe's ``face_detection_*_range.pbtxt``.
    """

    name: str
    side: int
    maps: tuple[tuple[int, int], ...]
    threshold: float


SHORT = Range("short range", 128, ((8, 2), (16, 6)), 0.5)
FULL = Range("full range", 192, ((4, 1),), 0.6)


def anchors(kind: Range) -> Floats:
    """Return the middles of the anchors (N, 2), pixels of the input."""
    rows = []
    for stride, count in kind.maps:
        middles = (np.arange(kind.side // stride) + 0.5) * stride
        y, x = np.meshgrid(middles, middles, indexing="ij")
        rows.append(np.stack([x, y], axis=-1).reshape(-1, 2).repeat(count, axis=0))
    return np.concatenate(rows).astype(np.float32)


def placed(width: int, height: int, side: int) -> tuple[float, int, int]:
    """Return the scale, left and top at which a *width* x *height* picture sits in the square."""
    scale = side / max(width, height)
    across, down = max(1, round(width * scale)), max(1, round(height * scale))
    return scale, (side - across) // 2, (side - down) // 2


def feed(image: Image, side: int) -> Floats:
    """Return *image* as the network takes it, (1, side, side, 3) float32 from -1 to 1."""
    height, width = image.shape[:2]
    scale, left, top = placed(width, height, side)
    small = resized(image, max(1, round(width * scale)), max(1, round(height * scale)))
    canvas = np.zeros((side, side, 3), np.uint8)
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    ordered = cv2.cvtColor(canvas, cv2.COLOR_BGR2RGB).astype(np.float32)
    return np.asarray(ordered / 127.5 - 1, np.float32)[None]


def decode(values: Floats, places: Floats) -> Boxes:
    """Return the boxes (N, 4), pixels of the input, of *values* (N, 16) at anchors (N, 2)."""
    middles = places + values[:, :2]
    halves = values[:, 2:4] / 2
    return np.concatenate([middles - halves, middles + halves], axis=1)


def averaged(boxes: Boxes, scores: Floats, nms_iou: float) -> tuple[Boxes, Floats]:
    """Return *boxes* (N, 4), best of *scores* first, each cluster of overlapping ones as one.

    The best box left and all that overlap it by more than *nms_iou* become their mean weighed
    by score, under the best one's score.
    """
    left = np.argsort(-scores, kind="stable")
    overlaps = iou_matrix(boxes, boxes)
    merged, best = [], []
    while len(left):
        near = overlaps[left[0], left] > nms_iou
        near[0] = True
        merged.append(np.average(boxes[left[near]], axis=0, weights=scores[left[near]]))
        best.append(scores[left[0]])
        left = left[~near]
    return np.array(merged, np.float32).reshape(-1, 4), np.array(best, np.float32)


def read(
    tensors: Tensors, places: Floats, side: int, width: int, height: int, threshold: float
) -> Found:
    """Return what *tensors* say of a *width* x *height* picture fed at *side* pixels.

    *places* are :func:`anchors`; faces count from score *threshold* on.
    """
    values = by_width(tensors)
    logits = np.clip(values[1][:, 0], -80, 80)
    scores = np.asarray(1 / (1 + np.exp(-logits)), np.float32)
    chosen = best_candidates(scores, threshold)
    boxes, best = averaged(decode(values[VALUES][chosen], places[chosen]), scores[chosen], NMS_IOU)
    scale, left, top = placed(width, height, side)
    corner = np.array([left, top, left, top], np.float32)
    return as_found((boxes - corner) / np.float32(scale), best, width, height)


def blazeface(path: Path, threads: int, kind: Range) -> Contestant:
    """Return the network of *kind* in *path*; raises ModelError when it is another one."""
    places = anchors(kind)
    example = np.zeros((1, kind.side, kind.side, 3), np.float32)
    run = checked(
        load_tflite(path, threads), example, {VALUES: len(places), 1: len(places)}, path
    )
    prepared = partial(feed, side=kind.side)

    def find(image: Image, threshold: float) -> Found:
        tensors = run(prepared(image))
        return read(tensors, places, kind.side, image.shape[1], image.shape[0], threshold)

    return Contestant(
        f"BlazeFace {kind.name}, {kind.side}x{kind.side}", run, example, prepared,
        detecting(find), None, kind.threshold, "default of MediaPipe's graph", (),
    )
