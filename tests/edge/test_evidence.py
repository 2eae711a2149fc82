"""A look that shows no face worth judging is no evidence, and says what it lacks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.gate.decision import DecisionSettings
from edge.gate.evidence import (
    LACKS,
    box_lacks,
    brightness,
    furthest,
    look_lacks,
    sharpness,
    thumbnail,
    turn,
)

SETTINGS = DecisionSettings()
BOX = (40.0, 30.0, 120.0, 120.0)
FRONTAL = np.array([[30, 40], [50, 40], [40, 52], [33, 60], [47, 60]], np.float32)


def face(gain: float = 1.0, blur: float = 0.0) -> np.ndarray:
    """Return a picture with an oval of skin, eyes and a mouth in BOX."""
    image = np.full((160, 160, 3), 120, np.uint8)
    cv2.ellipse(image, (80, 75), (36, 44), 0, 0, 360, (150, 180, 220), -1)
    for x in (66, 94):
        cv2.circle(image, (x, 65), 4, (30, 30, 30), -1)
    cv2.line(image, (68, 100), (92, 100), (60, 60, 160), 3)
    if blur:
        image = cv2.GaussianBlur(image, (0, 0), blur)
    return np.clip(image * gain, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("box", "score", "lack"),
    [
        ((100, 80, 140, 120), 0.9, ""),
        ((100, 80, 119, 120), 0.9, "too small"),
        ((100, 80, 140, 120), 0.4, "doubtful"),
        ((0, 80, 40, 120), 0.9, "cut"),  # by the left edge
        ((280, 80, 320, 120), 0.9, "cut"),  # by the right
        ((100, 200, 140, 240), 0.9, "cut"),  # by the lower: no mouth to see
        ((100, 0, 140, 40), 0.9, ""),  # by the upper: only hair is missing
    ],
)
def test_only_a_face_that_shows_its_mouth_counts(box, score, lack):
    assert box_lacks(box, score, 320, 240, SETTINGS) == lack


@pytest.mark.parametrize(
    ("gain", "blur", "lack"),
    [
        (1.0, 0.0, ""),
        (0.2, 0.0, ""),  # a dim shop
        (0.02, 0.0, "dark"),
        (1.0, 3.0, ""),
        (1.0, 25.0, "blurred"),
        (0.02, 25.0, "dark"),
    ],
)
def test_only_a_face_that_is_lit_and_in_focus_counts(gain, blur, lack):
    assert look_lacks(face(gain, blur), BOX, FRONTAL, SETTINGS) == lack


def test_a_wall_without_any_detail_tells_nothing():
    wall = np.full((160, 160, 3), 200, np.uint8)
    assert look_lacks(wall, BOX, FRONTAL, SETTINGS) == "blurred"


def moved(nose: float) -> np.ndarray:
    points = FRONTAL.copy()
    points[2, 0] += nose * 20
    return points


@pytest.mark.parametrize("angle", [0, 25, -70])
@pytest.mark.parametrize("nose", [-1.2, -0.5, 0.0, 0.3, 2.0])
def test_a_turned_head_is_measured_along_the_eyes_however_it_leans(nose, angle):
    rolled = cv2.transform(moved(nose)[None], cv2.getRotationMatrix2D((40, 50), angle, 1.3))[0]
    assert turn(rolled.astype(np.float32)) == pytest.approx(abs(nose), abs=1e-3)


@pytest.mark.parametrize(("nose", "lack"), [(0.6, ""), (0.95, ""), (1.1, "sideways")])
def test_a_profile_is_no_evidence_and_a_half_turned_head_is(nose, lack):
    assert look_lacks(face(), BOX, moved(nose), SETTINGS) == lack


def test_eyes_in_one_place_are_a_profile_and_no_landmarks_are_none():
    points = FRONTAL.copy()
    points[1] = points[0]
    assert look_lacks(face(), BOX, points, SETTINGS) == "sideways"
    assert look_lacks(face(), BOX, np.zeros((5, 2), np.float32), SETTINGS) == ""


@pytest.mark.parametrize("noise", [0, 4])
def test_sharpness_falls_with_every_blur_even_in_a_noisy_picture(noise):
    grain = np.random.default_rng(0).normal(0, noise, (160, 160, 3))
    measured = [
        sharpness(thumbnail(np.clip(face(blur=sigma) + grain, 0, 255).astype(np.uint8), BOX))
        for sigma in (0.5, 2, 4, 6, 8)
    ]
    assert measured == sorted(measured, reverse=True)


def test_sharpness_does_not_depend_on_contrast():
    grey = thumbnail(face(), BOX)
    assert sharpness(0.3 * grey + 90) == pytest.approx(sharpness(grey), rel=0.01)


def test_a_small_face_is_not_taken_for_a_blurred_one():
    small = cv2.resize(face(), (44, 44), interpolation=cv2.INTER_AREA)
    assert look_lacks(small, (11, 8, 33, 33), FRONTAL, SETTINGS) == ""


def test_dark_hair_and_a_dark_mask_do_not_make_a_face_dark():
    grey = np.full((16, 16), 120, np.float32)
    grey[:3] = 2
    grey[8:] = 2
    assert brightness(grey) == 120


@given(st.lists(st.floats(-500, 500), min_size=4, max_size=4))
def test_any_box_gives_a_word_and_no_error(corners):
    box = (min(corners[:2]), min(corners[2:]), max(corners[:2]), max(corners[2:]))
    assert look_lacks(face(), box, FRONTAL, SETTINGS) in ("", *LACKS)


def test_what_the_best_look_lacked_is_kept():
    lack = ""
    for now in ("too small", "dark", "too small", "cut", ""):
        lack = furthest(lack, now)
    assert lack == "dark"
