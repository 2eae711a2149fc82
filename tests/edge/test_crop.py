"""The one crop function."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.vision.crop import crop_face, resized

PICTURE = np.arange(60 * 80 * 3, dtype=np.uint32).reshape(60, 80, 3).astype(np.uint8)


@given(
    x=st.floats(-79, 79), y=st.floats(-59, 59), w=st.floats(80, 400), h=st.floats(60, 400),
    margin=st.floats(0, 1),
)
def test_any_box_that_touches_the_picture_gives_a_square(x, y, w, h, margin):
    crop = crop_face(PICTURE, (x, y, x + w, y + h), margin=margin, size=32)
    assert crop.shape == (32, 32, 3) and crop.dtype == np.uint8


@pytest.mark.parametrize("box", [(100, 0, 120, 20), (-30, 0, -1, 20), (0, 61, 20, 90)])
def test_a_box_beside_the_picture_is_refused_by_name(box):
    with pytest.raises(ValueError, match="outside the 80x60 picture"):
        crop_face(PICTURE, box, margin=0.1, size=16)


@pytest.mark.parametrize("box", [(10, 10, 10, 20), (20, 10, 10, 20)])
def test_a_box_without_area_is_refused(box):
    with pytest.raises(ValueError, match="no area"):
        crop_face(PICTURE, box, margin=0.1, size=16)


def test_a_crop_at_its_own_size_is_the_picture_itself():
    crop = crop_face(PICTURE, (20, 10, 52, 42), margin=0.0, size=32)
    assert np.array_equal(crop, PICTURE[10:42, 20:52])
    assert not np.shares_memory(crop, PICTURE)


def test_margin_is_added_on_every_side_of_the_longer_one():
    crop = crop_face(PICTURE, (30, 20, 40, 40), margin=0.1, size=24)
    assert np.array_equal(crop, PICTURE[18:42, 23:47])


def test_outside_the_picture_its_edge_is_repeated():
    grey = np.full((40, 40, 3), 90, np.uint8)
    assert (crop_face(grey, (-20, -20, 20, 20), margin=0.2, size=32) == 90).all()


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 64), st.integers(1, 64))
def test_a_picture_takes_any_size_and_an_even_colour_stays_even(width, height, across, down):
    small = resized(np.full((height, width, 3), (9, 120, 250), np.uint8), across, down)
    assert small.shape == (down, across, 3)
    assert (small == (9, 120, 250)).all()


def test_a_picture_that_has_the_size_is_not_touched():
    assert resized(PICTURE, 80, 60) is PICTURE


@pytest.mark.parametrize("factor", [1.3, 1.9, 2.0, 3.1, 5.7, 9.0])
def test_no_pixel_is_skipped_however_much_a_picture_shrinks(factor):
    # One bright line in a dark picture, wherever it is: whoever skips pixels loses it.
    side = round(40 * factor)
    seen = []
    for at in range(side // 3, 2 * side // 3):
        picture = np.zeros((side, side, 1), np.uint8)
        picture[:, at] = 240
        seen.append(resized(picture, 40, 40).reshape(40, 40).mean())
    assert min(seen) / (240 / side) > 0.15 and max(seen) / (240 / side) < 1.9


def test_half_the_size_is_the_mean_of_two_by_two():
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    means = picture.reshape(24, 2, 32, 2, 3).mean(axis=(1, 3))
    assert np.abs(resized(picture, 32, 24) - means).max() <= 0.5


@pytest.mark.parametrize(("width", "height"), [(40, 30), (33, 21), (20, 15), (90, 70)])
def test_a_resized_picture_can_be_written_where_it_is_wanted(width, height):
    room = np.zeros((100, 100, 3), np.uint8)
    wanted = resized(PICTURE, width, height)
    place = room[10 : 10 + height, 5 : 5 + width]
    written = resized(PICTURE, width, height, place)
    assert np.array_equal(written, wanted)
    if written is place:
        assert np.array_equal(place, wanted)
        assert room.sum() == wanted.sum()
