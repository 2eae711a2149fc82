"""The one way a face is cut out of a picture, in training, evaluation and at the door."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]


def crop_face(
    image: Image, box: Sequence[float] | npt.NDArray[np.floating], *, margin: float, size: int
) -> Image:
    """Return the face in *box* as a square picture, shape (size, size, channels) uint8.

    *image* is (H, W, 3) uint8 in any channel order.  *box* is ``x0, y0, x1, y1`` in its
    pixels and may reach outside.  The cut is a square around the box's middle whose side is
    the box's longer side times ``1 + 2 * margin``, so a *margin* of 0.175 shows 35 % more
    than the face; a larger margin shows hair, neck and neighbours.  What lies outside the
    picture is filled by repeating its edge, which invents no dark bar a network could
    mistake for a mask.

    Raises ValueError when the box has no area or touches the picture nowhere.
    """
    x0, y0, x1, y1 = map(float, box)
    height, width = image.shape[:2]
    if not (x1 > x0 and y1 > y0):
        raise ValueError(f"box {[x0, y0, x1, y1]} has no area; x1 > x0 and y1 > y0 are needed")
    if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
        raise ValueError(f"box {[x0, y0, x1, y1]} lies outside the {width}x{height} picture")
    side = max(1, round(max(x1 - x0, y1 - y0) * (1 + 2 * margin)))
    left = round((x0 + x1 - side) / 2)
    top = round((y0 + y1 - side) / 2)
    inner_left = min(max(left, 0), width - 1)
    inner_top = min(max(top, 0), height - 1)
    inner_right = max(min(left + side, width), inner_left + 1)
    inner_bottom = max(min(top + side, height), inner_top + 1)
    cut = image[inner_top:inner_bottom, inner_left:inner_right]
    outside = (
        inner_top - top, top + side - inner_bottom, inner_left - left, left + side - inner_right,
    )
    # Shrunk before it is padded: a face that fills the frame would otherwise pad megapixels.
    if any(outside):
        scale = size / side
        before_y, after_y, before_x, after_x = (max(0, round(o * scale)) for o in outside)
        before_y, before_x = min(before_y, size - 1), min(before_x, size - 1)
        after_y = min(after_y, size - 1 - before_y)
        after_x = min(after_x, size - 1 - before_x)
        inner = resized(cut, size - before_x - after_x, size - before_y - after_y)
        return np.asarray(
            cv2.copyMakeBorder(
                inner, before_y, after_y, before_x, after_x, cv2.BORDER_REPLICATE
            ),
            np.uint8,
        )
    # The caller's own, also where it is a part of the picture as it stands.
    return cut.copy() if cut.shape[:2] == (size, size) else resized(cut, size, size)


def resized(image: Image, width: int, height: int, out: Image | None = None) -> Image:
    """Return *image* (H, W, channels) uint8 as (height, width, channels), itself if it is so.

    Halved by averages of 2 x 2 pixels while it is at least twice too large, then interpolated
    between 2 x 2 pixels, so that none is skipped, though some count for less than others.  Exact
    averages (OpenCV's INTER_AREA in one step) take eight times as long, and both networks were
    measured to be no better for them.  Where *out*, of the size wanted, can be written to, it is,
    and is what comes back.
    """
    rows, columns = image.shape[:2]
    while columns >= 2 * width and rows >= 2 * height:
        columns, rows = columns // 2, rows // 2
        # An odd last row or column is left out: only exact halves are quick.
        even = image[: 2 * rows, : 2 * columns]
        image = np.asarray(cv2.resize(even, (columns, rows), interpolation=cv2.INTER_AREA))
    if (rows, columns) == (height, width):
        return image
    return np.asarray(cv2.resize(image, (width, height), out, interpolation=cv2.INTER_LINEAR))
