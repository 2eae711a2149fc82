"""Faces half behind something: a hand, a cup, a scarf, or whatever stands before them."""

from __future__ import annotations

import cv2
import numpy as np

from edge.vision.crop import Image
from train.augment.occlusion import occlude
from train.detector.targets import Floats, Scene

MOST_COVERED = 4
"""Faces covered in one picture at most, the nearest ones, for time's sake."""
LEAST_SIDE = 14.0
"""Pixels below which half a face is no face."""
HELD = 0.5
"""Share of covered faces with something before the mouth; the others are behind something."""
DEEPEST = 0.4
"""Share of a side that what stands before a face hides at most: more of it may be no face."""


def cover_faces(image: Image, scene: Scene, share: float, rng: np.random.Generator) -> Image:
    """Return *image* (H, W, 3) BGR uint8 with a *share* of its faces partly covered.

    Boxes stay what they are: the hidden part of a face belongs to it.
    """
    sides = (scene.boxes[:, 2:] - scene.boxes[:, :2]).max(axis=1, initial=0)
    chosen = np.flatnonzero((sides >= LEAST_SIDE) & (rng.random(len(sides)) < share))
    if not len(chosen):
        return image
    image = image.copy()
    for i in chosen[np.argsort(-sides[chosen])][:MOST_COVERED]:
        if rng.random() < HELD:
            _hold(image, scene.boxes[i], scene.landmarks[i], rng)
        else:
            _stand_before(image, scene.boxes[i], rng)
    return image


def _hold(image: Image, box: Floats, landmarks: Floats, rng: np.random.Generator) -> None:
    # Drawing costs what the picture's area costs, so only the surroundings are drawn on.
    reach = float((box[2:] - box[:2]).max())
    low = np.maximum(np.floor(box[:2] - reach), 0).astype(int)
    high = np.minimum(np.ceil(box[2:] + reach).astype(int), image.shape[1::-1])
    part = image[low[1] : high[1], low[0] : high[0]]
    known = bool(np.isfinite(landmarks).all())
    points = np.asarray(landmarks - low, np.float32) if known else None
    part[:] = occlude(part, (box - np.tile(low, 2)).tolist(), rng, points)


def _stand_before(image: Image, box: Floats, rng: np.random.Generator) -> None:
    """Put a rounded piece of the picture itself, from somewhere else, over one side of *box*."""
    x0, y0, x1, y1 = (float(value) for value in box)
    wide, high = x1 - x0, y1 - y0
    depth = rng.uniform(0.15, DEEPEST)
    half = (rng.uniform(0.5, 1.0) * wide, rng.uniform(0.5, 1.0) * high)
    side = int(rng.integers(3))
    if side == 2:
        # From below: a shoulder, a counter, somebody smaller.
        middle = (rng.uniform(x0, x1), y1 - depth * high + half[1])
    else:
        beside = x0 + depth * wide - half[0] if side == 0 else x1 - depth * wide + half[0]
        middle = (beside, rng.uniform(y0, y1))
    rows, columns = image.shape[:2]
    cover = np.zeros((rows, columns), np.uint8)
    cv2.ellipse(
        cover,
        (round(middle[0]), round(middle[1])), (max(1, round(half[0])), max(1, round(half[1]))),
        float(rng.uniform(-30, 30)), 0, 360, 255, -1, cv2.LINE_AA,
    )
    away = (int(rng.integers(columns)), int(rng.integers(rows)))
    other = np.roll(image, away, axis=(1, 0))
    if rng.random() < 0.3:
        other = np.full_like(image, rng.integers(0, 256, 3))
    soft = cv2.GaussianBlur(cover, (0, 0), 0.8)[..., None].astype(np.float32) * np.float32(1 / 255)
    image[:] = (image * (1 - soft) + other * soft).astype(np.uint8)
