"""What the pictures of a camera tell about its exposure and its lens.

Pure measures of one picture, so that they are tested with pictures and not with cameras.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.vision.crop import Image

# Shares and levels that a person would call too dark or too bright; no camera was measured for
# them, and a wrong one costs a warning.
_DARK_MEAN, _BRIGHT_MEAN = 35.0, 220.0  # of 255
_BLOWN_LEVEL, _MOST_BLOWN = 250, 0.30
# Of 150 photographs of people the least had 0.28; out of focus by 4 pixels at 640 across the most
# had 0.12.
_LEAST_DETAIL = 0.15
_WIDTH = 640


@dataclass(frozen=True, slots=True)
class Sight:
    """What a picture is like.

    *mean* is its brightness, 0 to 255.  *blown* is the share of pixels that are as bright as
    can be.  *detail* is the strength of the finest edges against the picture's own contrast, at
    640 pixels across: 0 is flat or out of focus.
    """

    mean: float
    blown: float
    detail: float


def sight_of(image: Image) -> Sight:
    """Return what *image*, (H, W, 3) uint8 BGR, is like."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    height, width = grey.shape
    if width > _WIDTH:
        grey = cv2.resize(
            grey, (_WIDTH, max(1, height * _WIDTH // width)), interpolation=cv2.INTER_AREA
        )
    # A little smoothing first, or the sensor's noise would pass for detail.
    calm = cv2.GaussianBlur(grey, (3, 3), 0).astype(np.float32)
    edges = np.abs(cv2.Laplacian(calm, cv2.CV_32F, ksize=1))
    return Sight(
        mean=float(grey.mean()),
        blown=float((grey >= _BLOWN_LEVEL).mean()),
        # The strongest hundredth: most of any picture is wall.
        detail=float(np.quantile(edges, 0.99)) / max(8.0, float(calm.std())),
    )


def troubles_of(sight: Sight) -> tuple[tuple[str, str], ...]:
    """Return (what is wrong, what to do) for each thing wrong with what is seen; () for none."""
    found = []
    if sight.mean < _DARK_MEAN:
        found.append((
            f"it is dark (brightness {sight.mean:.0f} of 255)",
            "give the door light, or the camera a longer exposure",
        ))
    elif sight.mean > _BRIGHT_MEAN or sight.blown > _MOST_BLOWN:
        found.append((
            f"it is too bright ({sight.blown:.0%} of it white)",
            "turn the camera away from window or lamp, or lower its exposure",
        ))
    # In the dark and in glare there is nothing to be sharp.
    elif sight.detail < _LEAST_DETAIL:
        found.append((
            f"it shows little detail ({sight.detail:.2f}; {_LEAST_DETAIL:.2f} is wanted)",
            "clean and focus the lens; a bare wall looks like this, too",
        ))
    return tuple(found)
