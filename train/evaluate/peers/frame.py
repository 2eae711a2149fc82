"""The frame that every network is timed on."""

from __future__ import annotations

import numpy as np

from edge.vision.crop import Image

FRAME = (640, 480)
"""Width and height in pixels: a Pi camera's usual video size."""

FACE = (260.0, 120.0, 380.0, 280.0)
"""A face one metre away, for the classifier: a quarter of the frame's longer side."""


def noise_frame() -> Image:
    """Return a frame of noise, (480, 640, 3) uint8; what is in a picture costs no network time."""
    width, height = FRAME
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
