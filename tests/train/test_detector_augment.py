"""Tilted photographs and covered faces: labels stay with what is seen."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.detector.covering import cover_faces
from train.detector.samples import DOOR_JITTER, Mixture, Source, compose
from train.detector.targets import Scene
from train.detector.tilt import Tilt

ANGLES = st.floats(-45, 45)
NO_REGIONS = np.zeros((0, 4), np.float32)
FACE = np.array([[90, 70, 150, 150]], np.float32)
POINTS = np.array([[[105, 100], [135, 100], [120, 115], [108, 130], [132, 130]]], np.float32)


def drawn_face(value: int = 255) -> np.ndarray:
    image = np.zeros((220, 240, 3), np.uint8)
    cv2.ellipse(image, (120, 110), (30, 40), 0, 0, 360, (value, value, value), -1)
    return image


def test_without_an_angle_nothing_turns():
    tilt = Tilt(0.0, (50, 60))
    assert tilt.faces(FACE) is FACE and tilt.regions(FACE) is FACE
    assert tilt.points(POINTS) == pytest.approx(POINTS)
    assert tilt.matrix(2.0, np.array([3, 4])) == pytest.approx(np.array([[2, 0, 3], [0, 2, 4]]))


@given(ANGLES)
@settings(max_examples=40, deadline=None)
def test_a_tilted_face_fills_its_tilted_box(angle):
    tilt = Tilt(angle, (110.0, 100.0))
    seen = cv2.warpAffine(drawn_face(), tilt.matrix(1.0, np.zeros(2)), (240, 220))[..., 0] > 127
    rows, columns = np.nonzero(seen)
    around = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert tilt.faces(FACE)[0] == pytest.approx(around, abs=2)


@given(ANGLES, st.floats(0.4, 2.0))
@settings(max_examples=40, deadline=None)
def test_landmarks_turn_with_the_picture(angle, scale):
    tilt, shift = Tilt(angle, (110.0, 100.0)), np.array([5, -7], np.float32)
    corners = np.concatenate([POINTS[0], np.ones((5, 1), np.float32)], axis=1)
    drawn = corners @ tilt.matrix(scale, shift).T
    assert tilt.points(POINTS[0] * scale + shift) == pytest.approx(drawn, abs=1e-2)


@given(ANGLES)
@settings(max_examples=40, deadline=None)
def test_a_tilted_ignore_region_covers_all_it_covered(angle):
    tilt = Tilt(angle, (110.0, 100.0))
    x0, y0, x1, y1 = FACE[0]
    corners = tilt.points(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32))
    around = [*corners.min(axis=0), *corners.max(axis=0)]
    assert tilt.regions(FACE)[0] == pytest.approx(around, abs=1e-2)


@given(st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_a_composed_tilted_face_lies_where_its_target_says(seed):
    source = Source(Path("made.png"), Scene(FACE, POINTS, NO_REGIONS), np.array([False]))
    image, scene = compose(
        [source], {source.path: drawn_face()}, np.ones(1), 192, 96 * 128,
        Mixture(0, 0, 1, 0, strength=0, tilted=1, tilt=40), np.random.default_rng(seed),
    )
    for box, points in zip(scene.boxes, scene.landmarks, strict=True):
        x, y = np.round((box[:2] + box[2:]) / 2).astype(int)
        if box.min() > 0 and box.max() < 192:
            assert image[y, x].min() > 200
            assert (points > box[:2]).all() and (points < box[2:]).all()


def test_nothing_more_is_drawn_where_nothing_is_tilted():
    source = Source(Path("made.png"), Scene(FACE, POINTS, NO_REGIONS), np.array([False]))
    given_ = [source], {source.path: drawn_face()}, np.ones(1), 128, 96 * 128
    first, second = (
        compose(*given_, Mixture(tilted=0, tilt=tilt), np.random.default_rng(1))[0]
        for tilt in (10, 40)
    )
    assert (first == second).all()


@given(st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_a_part_of_a_covered_face_is_still_to_be_seen(seed):
    image = np.random.default_rng(0).integers(0, 256, (220, 240, 3), np.uint8)
    scene = Scene(FACE, POINTS, NO_REGIONS)
    covered = cover_faces(image, scene, 1.0, np.random.default_rng(seed))
    changed = (covered != image).any(axis=2)
    assert 0 < changed[70:150, 90:150].mean() < 0.75


@pytest.mark.parametrize(("share", "side"), [(0.0, 80), (1.0, 10)], ids=["none", "too small"])
def test_a_face_that_is_not_to_be_covered_is_left_alone(share, side):
    image = drawn_face()
    boxes = np.array([[90, 70, 90 + side, 70 + side]], np.float32)
    scene = Scene(boxes, POINTS, NO_REGIONS)
    assert cover_faces(image, scene, share, np.random.default_rng(1)) is image


@pytest.mark.parametrize(("detail", "most"), [(1.0, 1.0), (4.0, 2.0)])
def test_a_part_is_shown_as_large_as_some_gate_sees_it(detail, most):
    source = Source(Path("made.png"), Scene(FACE, POINTS, NO_REGIONS), np.array([False]))
    sides = []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        # A gate sees the made picture, 240 pixels wide, in 128.
        _, scene = compose(
            [source], {source.path: drawn_face()}, np.ones(1), 256, 128 * 128,
            Mixture(0, 1, 0, 0, strength=0, detail=detail), rng,
        )
        sides += [box[3] - box[1] for box in scene.boxes]
    low, high = np.exp(np.array(DOOR_JITTER)) * 80 * 128 / 240
    assert low <= min(sides) and 0.85 * most * high < max(sides) <= most * high * 1.01
