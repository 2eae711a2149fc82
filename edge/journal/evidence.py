"""What an evidence picture shows: one face or the frame, and nobody else recognisably."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from edge.vision.crop import Image

Box = Sequence[float]

# A face of so few blocks a side cannot be told from another; blurring alone can be undone.
_BLOCKS = 4
# Hair and chin reach beyond a detector's box.
_BEYOND = 0.25


def whole_frame(image: Image, others: Iterable[Box]) -> Image:
    """Return a copy of *image* (H, W, 3) with the faces in *others* made unrecognisable.

    Boxes are x0, y0, x1, y1 in pixels.  Where another face covers the one the picture is
    about, that is hidden too: who is not concerned comes first.
    """
    shown: Image = image.copy()
    for box in others:
        _hide(shown, box)
    return shown


def face_cut(image: Image, box: Box, others: Iterable[Box], margin: float) -> Image | None:
    """Return the face in *box* with *margin* times its longer side around it, others hidden.

    None when the box has no area inside the picture.
    """
    if not _inside(image, _whole(box)):
        return None
    around = margin * max(box[2] - box[0], box[3] - box[1])
    x0, y0, x1, y1 = _clipped(image, _grown(box, around))
    cut: Image = whole_frame(image, others)[y0:y1, x0:x1].copy()
    return cut


def _hide(image: Image, box: Box) -> None:
    if not np.isfinite(np.asarray(box, np.float64)).all():
        return
    beyond = _BEYOND * max(box[2] - box[0], box[3] - box[1])
    x0, y0, x1, y1 = _clipped(image, _grown(box, beyond))
    if x1 <= x0 or y1 <= y0:
        return
    part = image[y0:y1, x0:x1]
    blocks = min(_BLOCKS, x1 - x0), min(_BLOCKS, y1 - y0)
    coarse = cv2.resize(part, blocks, interpolation=cv2.INTER_AREA)
    part[:] = cv2.resize(coarse, (x1 - x0, y1 - y0), interpolation=cv2.INTER_NEAREST)


def _inside(image: Image, box: tuple[int, int, int, int] | None) -> bool:
    if box is None:
        return False
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    return x1 > x0 and y1 > y0 and x0 < width and y0 < height and x1 > 0 and y1 > 0


def _whole(box: Box) -> tuple[int, int, int, int] | None:
    if not np.isfinite(np.asarray(box, np.float64)).all():
        return None
    return round(box[0]), round(box[1]), round(box[2]), round(box[3])


def _grown(box: Box, by: float) -> tuple[float, float, float, float]:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def _clipped(image: Image, box: Box) -> tuple[int, int, int, int]:
    height, width = image.shape[:2]
    x0, y0 = int(np.clip(np.floor(box[0]), 0, width)), int(np.clip(np.floor(box[1]), 0, height))
    x1, y1 = int(np.clip(np.ceil(box[2]), 0, width)), int(np.clip(np.ceil(box[3]), 0, height))
    return x0, y0, x1, y1
