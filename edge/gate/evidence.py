"""What a look at a face must show to be evidence, and what it lacks where it is none.

Cheap measures, some 35 microseconds a face, taken before the classifier is asked.  They refuse
little: on validation photographs, blurred and darkened step by step, the classifier is as right
as it says it is nearly everywhere, and of the photographs as they are none is refused.
docs/decision.md has the numbers.
"""

from __future__ import annotations

import math
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from edge.gate.decision import DecisionSettings

Lack = Literal["", "doubtful", "too small", "cut", "dark", "blurred", "sideways"]
"""What a look lacks; empty where it is evidence."""

LACKS: tuple[Lack, ...] = ("doubtful", "too small", "cut", "dark", "blurred", "sideways")
"""In the order they are checked: the later the word, the nearer the look came to be evidence."""

Box = tuple[float, float, float, float]
Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

# Coarse enough that a camera's noise averages out, fine enough that an eye is still a dark spot.
_SIDE = 16
# So many pixels by so many of a large face are averaged into each of the thumbnail's.
_MOST_PICKS = 4
# The face's outline counts as an edge too: a smooth cheek or mask is not blur.
_MARGIN = 0.1
# Hair and caps are darker than this share of the upper half, and no mask worn right gets there.
_BRIGHT_SHARE = 0.8
# Grey levels of standard deviation; with less a camera's rounding would pass for detail.
_LEAST_CONTRAST = 2.0


def box_lacks(
    box: Box, score: float, width: int, height: int, settings: DecisionSettings
) -> Lack:
    """Return what a face lacks by its *box* in a picture of *width* x *height* pixels.

    "doubtful" when the detector's *score* (0 to 1) is too low, "too small", or "cut" when the
    picture's left, right or lower edge cuts it: half a mouth is no opinion about a mask.
    """
    if score < settings.min_score:
        return "doubtful"
    if not is_near(box, settings):
        return "too small"
    if box[0] < 1 or box[2] > width - 1 or box[3] > height - 1:
        return "cut"
    return ""


def look_lacks(image: Image, box: Box, landmarks: Floats, settings: DecisionSettings) -> Lack:
    """Return what a face lacks by its pixels: "dark", "blurred" or "sideways".

    *image* is (H, W, 3) uint8 BGR, *box* in its pixels, and *landmarks* (5, 2) as the
    detector gives them.
    """
    grey = thumbnail(image, box)
    if brightness(grey) < settings.min_brightness:
        return "dark"
    if sharpness(grey) < settings.min_sharpness:
        return "blurred"
    if turn(landmarks) > settings.max_turn:
        return "sideways"
    return ""


def furthest(before: Lack, now: Lack) -> Lack:
    """Return which of two lacks is of the look that came nearer to be evidence."""
    if not before or not now:
        return before or now
    return max(before, now, key=LACKS.index)


def is_near(box: Box, settings: DecisionSettings) -> bool:
    """Return whether a face with this *box* in pixels is large enough to be judged."""
    return min(box[2] - box[0], box[3] - box[1]) >= settings.min_face_pixels


def brightness(grey: Floats) -> float:
    """Return the luma (0 to 255) that four fifths of the face's upper half stay below.

    *grey* (N, N) is the face with a tenth more on every side.
    """
    side = len(grey)
    rim = round(side * _MARGIN / (1 + 2 * _MARGIN))
    upper = grey[rim : side // 2, rim : side - rim].flatten()
    place = int(_BRIGHT_SHARE * len(upper))
    upper.partition(place)
    return float(upper[place])


def sharpness(grey: Floats) -> float:
    """Return how sharp *grey* (N, N) is, 0 for no detail at all, whatever its contrast.

    The mean strength of its second derivatives (the Laplacian) in units of the standard
    deviation of its luma.
    """
    _, deviation = cv2.meanStdDev(grey)
    detail = cv2.norm(cv2.Laplacian(grey, cv2.CV_32F), cv2.NORM_L1) / grey.size
    return float(detail / max(float(deviation[0, 0]), _LEAST_CONTRAST))


def turn(landmarks: Floats) -> float:
    """Return how far the nose lies from the middle between the eyes, along the line through them.

    In distances between the eyes, of *landmarks* (5, 2): 0 in a frontal view, 0.5 below an
    eye, above that beyond it.  0 where there are none, which a detector says with all points
    in one place; infinity for eyes in one place, as in a pure profile.
    """
    right, left, nose = landmarks[:3].tolist()
    across = left[0] - right[0], left[1] - right[1]
    out = nose[0] - right[0], nose[1] - right[1]
    squared = across[0] ** 2 + across[1] ** 2
    if squared == 0:
        return math.inf if out != (0, 0) else 0.0
    return float(abs((out[0] * across[0] + out[1] * across[1]) / squared - 0.5))


def thumbnail(image: Image, box: Box) -> Floats:
    """Return the face in *box* and a tenth around it, grey from 0 to 255, (16, 16) float32.

    *image* is (H, W, 3) uint8 BGR; what of the box lies beyond its edge is left out.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    rim_x, rim_y = (x1 - x0) * _MARGIN, (y1 - y0) * _MARGIN
    # At least one pixel, even of a box that lies beyond the picture's edge.
    left = min(max(0, round(x0 - rim_x)), width - 1)
    top = min(max(0, round(y0 - rim_y)), height - 1)
    right = max(left + 1, min(width, round(x1 + rim_x)))
    bottom = max(top + 1, min(height, round(y1 + rim_y)))
    # First some pixels are picked, then those are averaged: to average all costs several times
    # as much.
    picks = _SIDE * max(1, min(_MOST_PICKS, min(right - left, bottom - top) // _SIDE))
    face = image[top:bottom, left:right]
    picked = cv2.resize(face, (picks, picks), interpolation=cv2.INTER_LINEAR)
    grey = cv2.cvtColor(picked, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return np.asarray(cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.float32)
