"""How a picture is fitted into the detector's input: its proportions kept, nothing wasted."""

from __future__ import annotations

import numpy as np

from edge.vision.crop import Image, resized

STEP = 32
"""Sides of the detector's input are multiples of this many pixels: of its coarsest stride."""

PADDING = 127
"""Grey level beside a letterboxed picture: the middle of the range, so int8 reads it as 0."""


def input_shape(width: int, height: int, pixels: int) -> tuple[int, int]:
    """Return the (width, height) at which the network sees a *width* x *height* picture best.

    Both are multiples of the coarsest stride, their product is at most *pixels*, and the
    picture, letterboxed into them, keeps the largest possible scale.  So a 4:3 camera, a
    16:9 camera and a portrait photograph all cost the same and none pays for padding.

    Raises ValueError when *pixels* holds not even one cell.
    """
    if pixels < STEP * STEP:
        raise ValueError(f"{pixels} input pixels are too few; at least {STEP * STEP} are needed")
    best = (0.0, 0, (STEP, STEP))
    for across in range(STEP, pixels // STEP + 1, STEP):
        down = pixels // across // STEP * STEP
        scale = min(across / width, down / height)
        # The smallest height that loses nothing: padding costs time and finds no face.
        down = max(STEP, min(down, int(np.ceil(height * scale / STEP)) * STEP))
        best = max(best, (scale, -across * down, (across, down)))
    return best[2]


def fitted_size(size: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """Return the (width, height) of a picture of *size* once it fits into *width* x *height*."""
    columns, rows = size
    scale = min(width / columns, height / rows)
    return min(width, max(1, round(columns * scale))), min(height, max(1, round(rows * scale)))


class Letterbox:
    """Fits pictures of *columns* x *rows* pixels into *width* x *height*.

    A picture keeps its proportions and sits at the top left; the rest is :data:`PADDING`.
    *scale* is how much larger it comes out.
    """

    def __init__(self, columns: int, rows: int, width: int, height: int, channels: int = 3) -> None:
        self.scale = min(width / columns, height / rows)
        across, down = fitted_size((columns, rows), width, height)
        self._canvas = np.full((height, width, channels), PADDING, np.uint8)
        self._place = self._canvas[:down, :across]

    def fit(self, image: Image) -> Image:
        """Return *image* fitted, (height, width, channels) uint8, good until the next call.

        One that fits as it is comes back itself, not a copy.
        """
        down, across = self._place.shape[:2]
        fitted = resized(image, across, down, self._place)
        if self._place.shape == self._canvas.shape:
            return fitted
        if fitted is not self._place:
            self._place[:] = fitted
        return self._canvas


def letterbox(image: Image, width: int, height: int) -> tuple[Image, float]:
    """Return *image* as :class:`Letterbox` fits it into *width* x *height*, and the scale."""
    rows, columns, channels = image.shape
    box = Letterbox(columns, rows, width, height, channels)
    return box.fit(image), box.scale
