"""What a face looks like, measured from its picture and its labels, and the slices cut by it.

Every threshold here was set by looking at sheets of the faces on either side of it, until a
slice held what its name says; none was set by looking at what a network scores there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.vision.crop import Image, crop_face
from train.data.records import FaceRecord, Points

Floats = npt.NDArray[np.float32]

LOW_RESOLUTION = 40
"""Pixels along the longer side; below it an eye is about two pixels high."""

HIGH_RESOLUTION = 64

DARK = 90
"""Luma, 0 to 255, of the bright parts of the face's upper half."""

BACK_LIT = 1.25
LIT_SURROUND = 80
"""Luma from which surroundings can light a face from behind; below it all is dark."""

BLURRED = 1.0
"""What :func:`edge_width` measures, pixels of the face's own size."""

TURNED = 0.25
SIDE = 0.5

_BRIGHT_PARTS = 80
_SURROUND_IN_SIGHT = 0.5
_MOST_PIXELS, _LEAST_PIXELS = 64, 24
_SECOND_BLUR = 1.2
_EDGE_SHARE = 0.1
_SHARPEST = 90


@dataclass(frozen=True, slots=True)
class Look:
    """What a face looks like.

    *pixels* is the longer side of its box, *share* the same as a share of the picture's
    longer side.  *bright* is the luma (0 to 255) that four fifths of the box's upper half
    stay below: hair and caps are darker, and no mask worn right reaches there.  *surround*
    is the mean luma around and above the upper half, half a box wide; None where less than
    half of that lies in the picture.  *blur* is the sigma in pixels of the sharpest edges,
    measured on the face at its own size, at most 64 pixels, so that small is not blurred.
    *turn* is how far the nose lies from the middle between the eyes, in distances between
    them: 0.5 is below an eye; None without landmarks.
    """

    pixels: float
    share: float
    bright: float
    surround: float | None
    blur: float
    turn: float | None


@dataclass(frozen=True, slots=True)
class Slice:
    """A named set of faces; *meaning* is the rule in words and *holds* the rule itself.

    A *usual* slice is the one that needs no mention where a single face is described.
    """

    family: str
    name: str
    meaning: str
    holds: Callable[[Look], bool]
    usual: bool = False

    @property
    def key(self) -> str:
        """The slice's name where those of all families stand side by side."""
        return f"{self.family}: {self.name}"


SLICES = (
    Slice("size", "under 40 px", "box's longer side under 40 pixels: low resolution",
          lambda look: look.pixels < LOW_RESOLUTION),
    Slice("size", "40 to 64 px", "box's longer side from 40 to under 64 pixels",
          lambda look: LOW_RESOLUTION <= look.pixels < HIGH_RESOLUTION, usual=True),
    Slice("size", "64 px and more", "box's longer side 64 pixels or more",
          lambda look: look.pixels >= HIGH_RESOLUTION, usual=True),
    Slice("light", "dark", "four fifths of the face's upper half are darker than luma 90 of 255",
          lambda look: look.bright < DARK),
    Slice("light", "not dark", "the rest", lambda look: look.bright >= DARK, usual=True),
    Slice("back-light", "back-lit",
          "what is around the upper half has luma 80 or more, and 1.25 times what four fifths "
          "of the upper half stay below",
          lambda look: _back_lit(look) is True),
    Slice("back-light", "not back-lit", "the rest, where enough of the surroundings is in sight",
          lambda look: _back_lit(look) is False, usual=True),
    Slice("sharpness", "blurred",
          "the sharpest edges measure 1.0 pixels or more, as the sigma of a Gaussian, on the face "
          "at its own size, 64 pixels at most; a step between two pixels measures 0.8",
          lambda look: look.blur >= BLURRED),
    Slice("sharpness", "sharp", "the rest", lambda look: look.blur < BLURRED, usual=True),
    Slice("view", "frontal", "nose within a quarter of the eyes' distance from their middle",
          lambda look: look.turn is not None and look.turn < TURNED, usual=True),
    Slice("view", "turned", "nose between that and straight below an eye",
          lambda look: look.turn is not None and TURNED <= look.turn < SIDE),
    Slice("view", "side", "nose below an eye, or beyond it",
          lambda look: look.turn is not None and look.turn >= SIDE),
    Slice("view", "unknown", "the data name no landmarks", lambda look: look.turn is None),
)

SHARES = (
    Slice("share", "4 to 8 %", "box's longer side from 4 to under 8 % of the picture's",
          lambda look: 0.04 <= look.share < 0.08),
    Slice("share", "8 to 16 %", "from 8 to under 16 %", lambda look: 0.08 <= look.share < 0.16),
    Slice("share", "16 to 32 %", "from 16 to under 32 %", lambda look: 0.16 <= look.share < 0.32),
    Slice("share", "32 % and more", "from 32 %", lambda look: look.share >= 0.32),
)
"""For whole pictures; of a picture that was cut around its face a share says nothing."""


def look_at(image: Image, record: FaceRecord) -> Look:
    """Return what the face of *record* in *image* (H, W, 3) BGR uint8 looks like."""
    x0, y0, x1, y1 = record.box
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.float32)
    side = max(x1 - x0, y1 - y0)
    return Look(
        pixels=side,
        # Rounded: 0.08 in single precision must not fall below 0.08.
        share=round(side / max(image.shape[:2]), 6),
        bright=float(np.percentile(_cut(grey, (x0, y0, x1, (y0 + y1) / 2)), _BRIGHT_PARTS)),
        surround=_surround(grey, record.box),
        blur=edge_width(_own_size(image, record.box, side)),
        turn=None if record.landmarks is None else nose_offset(record.landmarks),
    )


def nose_offset(landmarks: Points) -> float:
    """Return how far the nose lies from between the eyes along the line through them.

    In distances between the eyes, of five *landmarks*: 0 in a frontal view, 0.5 below an eye.
    Eyes in one place, as in a pure profile, give infinity.
    """
    right, left, nose = np.array(landmarks[:3], np.float64)
    across = left - right
    squared = float(across @ across)
    if not squared:
        return float("inf")
    return abs(float((nose - right) @ across) / squared - 0.5)


def edge_width(grey: Floats) -> float:
    """Return the sigma, pixels, of a Gaussian as wide as the sharpest edges of *grey* (H, W).

    An edge of width s has a gradient in proportion to 1 / s.  Blurring by a known s0 lowers
    it by sqrt(1 + (s0 / s)^2), whatever its contrast, which gives s (Zhuo and Sim, Defocus map
    estimation from a single image, 2011).  Taken over the strongest tenth of the gradients,
    and of these the nine tenths point: a smooth cheek is not blur, an eyelid tells.  A step
    from one pixel to the next measures 0.8, for the gradient is taken over three pixels; fine
    texture measures less.
    """
    before = _gradient(grey)
    blurred = np.asarray(cv2.GaussianBlur(grey, (0, 0), _SECOND_BLUR), np.float32)
    after = _gradient(blurred)
    count = max(1, int(_EDGE_SHARE * after.size))
    strongest = np.argpartition(-after.ravel(), count - 1)[:count]
    ratios = before.ravel()[strongest] / np.maximum(after.ravel()[strongest], 1e-3)
    ratio = max(float(np.percentile(ratios, _SHARPEST)), 1.001)
    return float(_SECOND_BLUR / np.sqrt(ratio**2 - 1))


def members(slices: Sequence[Slice], looks: Sequence[Look]) -> dict[str, npt.NDArray[np.bool_]]:
    """Return for the key of each of *slices* which of *looks* (N,) are in it, (N,) bool."""
    return {one.key: np.array([one.holds(look) for look in looks], bool) for one in slices}


def meanings(slices: Sequence[Slice]) -> dict[str, str]:
    """Return for the key of each of *slices* its rule in words."""
    return {one.key: one.meaning for one in slices}


def remarks(look: Look) -> list[str]:
    """Return the keys of the slices that *look* is in and that are worth a mention."""
    return [one.key for one in SLICES if not one.usual and one.holds(look)]


def _back_lit(look: Look) -> bool | None:
    if look.surround is None:
        return None
    return look.surround >= LIT_SURROUND and look.surround >= BACK_LIT * look.bright


def _cut(grey: Floats, box: tuple[float, float, float, float]) -> Floats:
    left, top, right, bottom = _inside(grey, box)
    return grey[top:bottom, left:right]


def _inside(grey: Floats, box: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
    # At least one pixel, even of a box that a picture's edge all but cuts off.
    height, width = grey.shape
    left, top = min(max(round(box[0]), 0), width - 1), min(max(round(box[1]), 0), height - 1)
    right, bottom = min(round(box[2]), width), min(round(box[3]), height)
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _surround(grey: Floats, box: tuple[float, float, float, float]) -> float | None:
    x0, y0, x1, y1 = box
    width, height, middle = x1 - x0, y1 - y0, (y0 + y1) / 2
    left, top, right, bottom = _inside(
        grey, (x0 - width / 2, y0 - height / 2, x1 + width / 2, middle)
    )
    kept = np.ones((bottom - top, right - left), bool)
    inner = _inside(grey, (x0, y0, x1, middle))
    kept[inner[1] - top : inner[3] - top, inner[0] - left : inner[2] - left] = False
    # Two boxes wide and one high, less the half box that is the face.
    if np.count_nonzero(kept) < _SURROUND_IN_SIGHT * 1.5 * width * height:
        return None
    return float(grey[top:bottom, left:right][kept].mean())


def _own_size(image: Image, box: tuple[float, float, float, float], side: float) -> Floats:
    size = min(_MOST_PIXELS, max(_LEAST_PIXELS, round(side)))
    face = crop_face(image, box, margin=0.0, size=size)
    return np.asarray(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY), np.float32)


def _gradient(grey: Floats) -> Floats:
    across = cv2.Sobel(grey, cv2.CV_32F, 1, 0, ksize=3)
    down = cv2.Sobel(grey, cv2.CV_32F, 0, 1, ksize=3)
    return np.asarray(np.hypot(across, down) / 8, np.float32)
