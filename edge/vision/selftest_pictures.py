"""Pictures drawn from a seed in whole numbers: every machine draws the same bytes.

Only PCG64's raw stream is used, which NumPy keeps the same for ever, unlike the distributions
above it, and only integers are computed, which no processor rounds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge.modelfile import InputSpec, SelfTestPictures
from edge.vision.crop import Image

Whole = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_SKIN = (130, 165, 215)
_EYE, _PUPIL = (225, 225, 225), (30, 30, 30)
# Percent of the face's half height, from its middle down: over the nose, and below it.
_MASK_EDGES = ((0, 10), (40, 60))


def self_test_images(
    spec: InputSpec, seed: int, count: int, pictures: SelfTestPictures = "blocks"
) -> list[Image]:
    """Return *count* pictures, (height, width, 3) uint8 BGR, that depend only on the arguments.

    ``blocks`` are a ramp between four corner colours, coarse blocks, and noise, so that edges,
    colours and flat areas all reach the network.  ``faces`` are drawn faces before such a ramp:
    bare, in a mask, and in one worn under the nose, in turn.  A classifier that has learnt what
    is no face answers the same to all blocks, which would test next to nothing.
    """
    source = np.random.PCG64(seed)
    if pictures == "blocks":
        return [_blocks(source, spec.height, spec.width) for _ in range(count)]
    return [_face(source, spec.height, spec.width, number % 3) for number in range(count)]


def _blocks(source: np.random.PCG64, height: int, width: int) -> Image:
    ramp = _ramp(source, height, width)
    y, x = np.arange(height) * 8 // height, np.arange(width) * 8 // width
    blocks = _bytes(source, 8 * 8 * 3).reshape(8, 8, 3)[y][:, x]
    noise = _bytes(source, height * width * 3).reshape(height, width, 3)
    return np.asarray((ramp * 4 + blocks * 3 + noise) // 8, np.uint8)


def _face(source: np.random.PCG64, height: int, width: int, wear: int) -> Image:
    picture = _ramp(source, height, width)
    drawn = [int(value) for value in _bytes(source, 16)]

    def between(index: int, low: int, high: int) -> int:
        return low + drawn[index] * (high - low) // 255

    side = min(height, width)
    tall = max(side * between(0, 28, 42) // 100, 1)
    wide = max(tall * between(1, 68, 85) // 100, 1)
    middle_y = height // 2 + side * between(2, -6, 6) // 100
    middle_x = width // 2 + side * between(3, -6, 6) // 100
    y = np.arange(height, dtype=np.int64)[:, None]
    x = np.arange(width, dtype=np.int64)[None, :]

    def oval(right: int, down: int, half_width: int, half_height: int) -> Mask:
        # In percent of the face's half width and half height, from its middle.
        rx, ry = max(wide * half_width // 100, 1), max(tall * half_height // 100, 1)
        dx, dy = x - middle_x - wide * right // 100, y - middle_y - tall * down // 100
        return (dy * rx) ** 2 + (dx * ry) ** 2 <= (rx * ry) ** 2

    def paint(where: Mask, color: npt.ArrayLike) -> None:
        np.copyto(picture, np.asarray(color, np.int64), where=where[:, :, None])

    hair = [value // 3 for value in drawn[4:7]]
    skin = np.array(_SKIN, np.int64) * between(7, 40, 100) // 100
    lit = (100 - 30 * (x - middle_x) * between(8, -100, 100) // (100 * wide))[:, :, None]
    face = oval(0, 0, 100, 100)
    paint(oval(0, -16, 120, 120), hair)
    paint(face, np.clip(skin * lit // 100, 0, 255))
    eyes = -between(9, 15, 25)
    for right in (-42, 42):
        paint(oval(right, eyes - 14, 22, 4), hair)
        paint(oval(right, eyes, 16, 7), _EYE)
        paint(oval(right, eyes, 8, 7), _PUPIL)
    paint(oval(0, 20, 16, 12), skin * 85 // 100)
    paint(oval(0, 52, 32, 7), skin * np.array([60, 60, 80]) // 100)
    if wear:
        edge = middle_y + tall * between(10, *_MASK_EDGES[wear - 1]) // 100
        pleats = (100 - 12 * (y * 24 // tall % 2))[:, :, None]
        paint(face & (y >= edge), np.array(drawn[11:14], np.int64) * pleats // 100)
    noise = _bytes(source, height * width * 3).reshape(height, width, 3)
    return np.asarray((picture * 15 + noise) // 16, np.uint8)


def _ramp(source: np.random.PCG64, height: int, width: int) -> Whole:
    corners = _bytes(source, 12).reshape(4, 1, 1, 3)
    y = np.arange(height, dtype=np.int64)[:, None, None]
    x = np.arange(width, dtype=np.int64)[None, :, None]
    last_y, last_x = max(height - 1, 1), max(width - 1, 1)
    top = corners[0] * (last_x - x) + corners[1] * x
    bottom = corners[2] * (last_x - x) + corners[3] * x
    return np.asarray((top * (last_y - y) + bottom * y) // (last_x * last_y), np.int64)


def _bytes(source: np.random.PCG64, count: int) -> Whole:
    words = np.asarray(source.random_raw(-(-count // 8)), dtype="<u8")
    return words.view(np.uint8)[:count].astype(np.int64)
