"""What each cell of the detector should say about a picture: the assignment of faces to cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.vision.detector import LANDMARKS, STRIDES

Floats = npt.NDArray[np.float32]

SIZES = {8: (0.0, 42.0), 16: (28.0, 112.0), 32: (80.0, np.inf)}
"""Face sizes (square root of the area, input pixels) each stride answers for.

The ranges overlap so that a face between two sizes is learnt by both and jumps between
scales without a gap."""

RADIUS = 1.5
"""Distance from a face's middle, in strides, up to which cells are asked for it ("centre
sampling", Tian et al., "FCOS", 2020)."""

WEIGHT, POSITIVE, BOX, POINTS, HAS_POINTS, CENTRE, STRIDE, COLUMNS = 0, 1, 2, 6, 16, 17, 19, 20
"""Columns of a target: score weight (0 or 1), positive (0 or 1), box corners (4), landmarks
(10), landmarks known (0 or 1), the cell's centre (2) and stride; all lengths in pixels."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture to learn from: what is in it, in its own pixels, float32.

    *boxes* (N, 4) are faces to find; *landmarks* (N, 5, 2) theirs, NaN where unknown;
    *ignore* (M, 4) regions that are neither face nor background.
    """

    boxes: Floats
    landmarks: Floats
    ignore: Floats


def cell_targets(scene: Scene, width: int, height: int) -> Floats:
    """Return the targets of every cell, (cells, 20) float32, stride 8 first, row by row.

    *width* and *height* are the input's pixels, multiples of the coarsest stride.  Where two
    faces claim a cell the smaller one gets it: the larger one has others.
    """
    return np.concatenate([_stride_targets(scene, width, height, s) for s in STRIDES])


def _stride_targets(scene: Scene, width: int, height: int, stride: int) -> Floats:
    across, down = width // stride, height // stride
    y, x = np.mgrid[:down, :across].astype(np.float32) + np.float32(0.5)
    centres = np.stack([x.ravel(), y.ravel()], axis=1) * np.float32(stride)
    targets = np.zeros((len(centres), COLUMNS), np.float32)
    targets[:, WEIGHT] = 1
    targets[:, CENTRE : CENTRE + 2] = centres
    targets[:, STRIDE] = stride
    for box in scene.ignore:
        inside = np.all((centres > box[:2]) & (centres < box[2:]), axis=1)
        targets[inside, WEIGHT] = 0
    sides = scene.boxes[:, 2:] - scene.boxes[:, :2]
    sizes = np.sqrt(np.maximum(sides.prod(axis=1), 0))
    low, high = SIZES[stride]
    for i in np.argsort(-sizes, kind="stable"):
        if not low <= sizes[i] < high:
            continue
        box = scene.boxes[i]
        middle = (box[:2] + box[2:]) / 2
        away = np.abs(centres - middle) / stride
        inside = np.all((centres > box[:2]) & (centres < box[2:]), axis=1)
        mine = np.all(away < RADIUS, axis=1) & inside
        # A face smaller than a cell may contain no cell centre at all: the nearest takes it.
        mine[int(np.argmin(away.sum(axis=1)))] = True
        targets[mine, WEIGHT] = 1
        targets[mine, POSITIVE] = 1
        targets[mine, BOX : BOX + 4] = box
        known = bool(np.isfinite(scene.landmarks[i]).all())
        targets[mine, HAS_POINTS] = known
        points = scene.landmarks[i].ravel() if known else np.zeros(2 * LANDMARKS, np.float32)
        targets[mine, POINTS : POINTS + 2 * LANDMARKS] = points
    return targets
