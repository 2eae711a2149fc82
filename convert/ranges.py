"""What a detector's int8 outputs should be able to say, and no more."""

from __future__ import annotations

import math

from edge.vision.detector import LOWEST_SCORE, STRIDES
from train.detector.targets import RADIUS, SIZES

ELONGATED = 1.5
"""A face's longer side over the root of its area, at most: 2.25 times as long as wide."""
BEYOND = 1.25
"""A box may reach over the picture's edges, and a picture of another shape is longer than 4:3."""

Range = tuple[float, float]


def detector_ranges(longest: float) -> dict[str, Range]:
    """Return, by output, the lowest and highest value that a cell with a face is taught to say.

    *longest* is the input's longer side in pixels.  Calibration sees every cell, and almost
    all of them look at background: they say boxes eight cells wide and scores of 1e-10, so
    that measured ranges spend most of 256 integers on what nobody reads.  A score is never
    asked for below :data:`edge.vision.detector.LOWEST_SCORE`; a cell speaks for faces whose
    middle is within ``RADIUS`` cells, and of its scale's ``SIZES``
    (:mod:`train.detector.targets`).
    """
    ranges: dict[str, Range] = {}
    # Half of it, so that what lies below the range is never a face.
    lowest = LOWEST_SCORE / 2
    for stride in STRIDES:
        largest = min(SIZES[stride][1] * ELONGATED, longest * BEYOND)
        offset = RADIUS + 0.5
        reach = offset + largest / 2 / stride
        ranges[f"score{stride}"] = (math.log(lowest / (1 - lowest)), math.inf)
        ranges[f"box{stride}"] = (-offset, max(offset, math.log(largest / stride)))
        ranges[f"landmark{stride}"] = (-reach, reach)
    return ranges
