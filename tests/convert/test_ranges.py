"""The ranges of a detector's outputs hold every face that training teaches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convert.ranges import detector_ranges
from edge.vision.detector import STRIDES
from train.detector.targets import BOX, CENTRE, POSITIVE, STRIDE, Scene, cell_targets

WIDTH, HEIGHT = 384, 288


@given(
    st.floats(9, 288), st.floats(0.5, 2.0), st.floats(0, 1), st.floats(0, 1),
)
def test_what_a_cell_is_taught_lies_within_its_range(
    side: float, aspect: float, across: float, down: float
) -> None:
    wide, high = min(side * aspect**0.5, WIDTH), min(side / aspect**0.5, HEIGHT)
    x, y = across * (WIDTH - wide), down * (HEIGHT - high)
    box = np.array([[x, y, x + wide, y + high]], np.float32)
    empty = np.zeros((0, 4), np.float32)
    cells = cell_targets(Scene(box, np.full((1, 5, 2), np.nan, np.float32), empty), WIDTH, HEIGHT)
    ranges = detector_ranges(WIDTH)
    for cell in cells[cells[:, POSITIVE] > 0]:
        low, top = ranges[f"box{cell[STRIDE]:.0f}"]
        offset = (cell[BOX : BOX + 2] + cell[BOX + 2 : BOX + 4]) / 2 - cell[CENTRE : CENTRE + 2]
        sides = np.log((cell[BOX + 2 : BOX + 4] - cell[BOX : BOX + 2]) / cell[STRIDE])
        assert low <= offset.min() / cell[STRIDE] and offset.max() / cell[STRIDE] <= top
        assert low <= sides.min() and sides.max() <= top


@pytest.mark.parametrize("stride", STRIDES)
def test_a_score_below_the_lowest_is_never_that_of_a_face(stride: int) -> None:
    low, top = detector_ranges(WIDTH)[f"score{stride}"]
    assert 1 / (1 + np.exp(-low)) < 1e-4
    assert top == np.inf
