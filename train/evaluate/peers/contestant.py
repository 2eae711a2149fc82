"""What every network in a comparison has to offer, ours and theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from edge.modelfile import LABELS
from edge.vision.crop import Image
from edge.vision.detector import LANDMARKS, Faces
from edge.vision.geometry import Boxes, clip_boxes, iou_matrix, non_maximum_suppression
from train.evaluate.networks import Detect, Judge
from train.evaluate.peers.runtime import Floats

MOST_CANDIDATES = 400
"""Boxes that take part in suppression, best first: more than any picture here has faces, and
suppression is quadratic.  UltraFace's own code takes 200."""


@dataclass(frozen=True, slots=True)
class Found:
    """Faces in one picture, and what a peer that judges says of each.

    *answers* (N, 3) float32 are scores in the order of ``LABELS``, all 0 from a peer that only
    detects; no public peer ever says ``incorrect_mask``.
    """

    faces: Faces
    answers: Floats


Find = Callable[[Image, float], Found]
"""From a picture, (H, W, 3) BGR uint8, and a score threshold to what was found."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """One network, or pair, in a comparison.

    *threshold* is the score its authors publish as default, *why* says where.  *saw* names the
    sources of the evaluation whose pictures were in its training.  *detect* makes, for a score
    threshold, a function from a picture to faces; None for a file that is only timed.  *judge*
    says mask or no mask where it can.  *feed* prepares a picture, *invoke* runs the network on
    what *feed* gave; without *feed* it takes *example*.
    """

    name: str
    invoke: Callable[[Any], Any]
    example: Any
    feed: Callable[[Image], Any] | None = None
    detect: Callable[[float], Detect] | None = None
    judge: Judge | None = None
    threshold: float = 0.5
    why: str = ""
    saw: tuple[str, ...] = ()


def resized(image: Image, width: int, height: int) -> Image:
    """Return *image* squashed to *width* x *height*, averaged where it shrinks by more than two.

    The authors' codes interpolate linearly at any scale; what that skips would cost them faces.
    """
    shrinks = min(width / image.shape[1], height / image.shape[0]) < 0.5
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)


def as_found(
    boxes: Boxes,
    scores: Floats,
    width: int,
    height: int,
    answers: Floats | None = None,
    landmarks: Floats | None = None,
) -> Found:
    """Return *boxes* (N, 4) with *scores* (N,) as what was found in a *width* x *height* picture.

    Boxes are clipped to the picture, those under a pixel dropped, the rest sorted best first.
    Without *landmarks* (N, 5, 2) they are nan, without *answers* (N, 3) 0.
    """
    boxes = clip_boxes(boxes, width, height)
    order = np.argsort(-scores, kind="stable")
    visible = np.all(boxes[:, 2:] - boxes[:, :2] >= 1, axis=1)
    order = order[visible[order]]
    if landmarks is None:
        landmarks = np.full((len(boxes), LANDMARKS, 2), np.nan, np.float32)
    if answers is None:
        answers = np.zeros((len(boxes), len(LABELS)), np.float32)
    return Found(
        Faces(
            boxes[order].astype(np.float32), scores[order].astype(np.float32),
            landmarks[order].astype(np.float32),
        ),
        answers[order].astype(np.float32),
    )


def best_candidates(scores: Floats, threshold: float) -> Any:
    """Return the indices of *scores* (N,) at or above *threshold*, best first, not too many."""
    above = np.nonzero(scores >= threshold)[0]
    return above[np.argsort(-scores[above], kind="stable")][:MOST_CANDIDATES]


def suppressed(found: Found, nms_iou: float) -> Found:
    """Return *found* after greedy non-maximum suppression at *nms_iou*, 0 to 1."""
    faces = found.faces
    keep = non_maximum_suppression(faces.boxes, faces.scores, nms_iou)
    return Found(
        Faces(faces.boxes[keep], faces.scores[keep], faces.landmarks[keep]), found.answers[keep]
    )


def detecting(find: Find) -> Callable[[float], Detect]:
    """Return what makes a plain detector of *find* for a score threshold."""
    return lambda threshold: lambda image: find(image, threshold).faces


def judging(find: Find, threshold: float) -> Judge:
    """Return the judge inside the one-step network of *find*.

    Each box gets what the network says of the face it overlaps most; a row of zeros when the
    network finds none at all.
    """

    def judge(image: Image, boxes: Boxes) -> Floats:
        found = find(image, threshold) if len(boxes) else None
        if found is None or not len(found.faces):
            return np.zeros((len(boxes), len(LABELS)), np.float32)
        nearest = iou_matrix(boxes, found.faces.boxes).argmax(axis=1)
        return np.asarray(found.answers[nearest], np.float32)

    return judge
