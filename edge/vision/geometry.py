"""Boxes as arrays: clipping, overlap, non-maximum suppression.

A box is ``x0, y0, x1, y1`` in pixels of the picture it was found in, float32, with
``x1 > x0`` and ``y1 > y0``; a set of boxes is an array of shape (N, 4).  An empty set is
``(0, 4)``, never ``None``.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Boxes = npt.NDArray[np.float32]


def no_boxes() -> Boxes:
    """Return an empty set of boxes, shape (0, 4) float32."""
    return np.zeros((0, 4), np.float32)


def clip_boxes(boxes: Boxes, width: int, height: int) -> Boxes:
    """Return *boxes* (N, 4) limited to a picture of *width* x *height* pixels.

    A box that lies wholly outside comes back with no area; use :func:`areas` to drop it.
    """
    limits = np.array((width, height, width, height), np.float32)
    # np.clip takes three times as long for a handful of boxes.
    return np.asarray(np.minimum(np.maximum(boxes, np.float32(0)), limits), np.float32)


def areas(boxes: Boxes) -> npt.NDArray[np.float32]:
    """Return the area in square pixels of each of *boxes* (N, 4); 0 for an inverted box."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1], np.float32)


def overlap_areas(a: Boxes, b: Boxes) -> npt.NDArray[np.float32]:
    """Return the (N, M) intersection areas of boxes *a* (N, 4) and *b* (M, 4), square pixels."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.maximum(high - low, 0)
    return np.asarray(sides[..., 0] * sides[..., 1], np.float32)


def iou_matrix(a: Boxes, b: Boxes) -> npt.NDArray[np.float32]:
    """Return the (N, M) intersection over union, 0 to 1, of boxes *a* (N, 4) and *b* (M, 4)."""
    shared = overlap_areas(a, b)
    union = areas(a)[:, None] + areas(b)[None, :] - shared
    return np.asarray(shared / np.maximum(union, np.float32(1e-9)), np.float32)


def non_maximum_suppression(
    boxes: Boxes, scores: npt.NDArray[np.float32], iou_threshold: float
) -> npt.NDArray[np.intp]:
    """Return the indices of the *boxes* (N, 4) to keep, best of *scores* (N,), above 0, first.

    Greedy: the best box stays and removes every box that overlaps it by more than
    *iou_threshold* (0 to 1), and so on.  Raise the threshold and two people close together
    are kept apart, but one face may be reported twice.
    """
    if len(boxes) < 2:
        return np.arange(len(boxes))
    sides = [(x0, y0, x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes.tolist()]
    kept = cv2.dnn.NMSBoxes(sides, scores.tolist(), 0.0, iou_threshold)
    # OpenCV up to 4.5.3 gives a column, and a tuple for none.
    return np.asarray(kept, np.intp).reshape(-1)
