"""Boxes as arrays: clipping, overlap, non-maximum suppression.

A box is ``x0, y0, x1, y1`` in pixels of the picture it was found in, float32, with
``x1 > x0`` and ``y1 > y0``; a set of boxes is an array of shape (N, 4).  An empty set is
``(0, 4)``, never ``None``.
"""

from __future__ import annotations

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
    limits = np.array([width, height, width, height], np.float32)
    return np.clip(boxes, np.float32(0), limits).astype(np.float32, copy=False)


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
    """Return the indices of the *boxes* (N, 4) to keep, best of *scores* (N,) first.

    Greedy: the best box stays and removes every box that overlaps it by more than
    *iou_threshold* (0 to 1), and so on.  Raise the threshold and two people close together
    are kept apart, but one face may be reported twice.
    """
    order = np.argsort(-scores, kind="stable")
    overlaps = iou_matrix(boxes[order], boxes[order])
    alive = np.ones(len(order), bool)
    kept = []
    for i in range(len(order)):
        if alive[i]:
            kept.append(order[i])
            alive[i + 1 :] &= overlaps[i, i + 1 :] <= iou_threshold
    return np.array(kept, np.intp)
