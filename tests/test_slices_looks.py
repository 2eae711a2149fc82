"""What a face looks like, on pictures drawn so that the answer is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from train.data.records import FaceRecord
from train.evaluate.slices import (
    SHARES,
    SLICES,
    edge_width,
    look_at,
    meanings,
    members,
    nose_offset,
    remarks,
)

FACE = FaceRecord(Path("face.png"), (40.0, 40.0, 80.0, 90.0), "with_mask")
EYES_AND_NOSE = ((50.0, 55.0), (70.0, 55.0), (60.0, 65.0), (53.0, 80.0), (67.0, 80.0))


def scene(face: int, around: int) -> np.ndarray:
    """A picture, (120, 120, 3), of luma *around* with a face box of luma *face*."""
    image = np.full((120, 120, 3), around, np.uint8)
    image[40:90, 40:80] = face
    return image


def keys(image: np.ndarray, record: FaceRecord = FACE) -> set[str]:
    look = look_at(image, record)
    return {one.key for one in (*SLICES, *SHARES) if one.holds(look)}


@pytest.mark.parametrize(
    ("face", "around", "expected"),
    [
        (50, 40, {"light: dark", "back-light: not back-lit"}),
        (150, 40, {"light: not dark", "back-light: not back-lit"}),
        (150, 250, {"light: not dark", "back-light: back-lit"}),
        (30, 60, {"light: dark", "back-light: not back-lit"}),
    ],
)
def test_dark_and_back_lit_faces_are_told_apart(
    face: int, around: int, expected: set[str]
) -> None:
    assert expected <= keys(scene(face, around))


def test_a_black_mask_on_a_light_face_is_not_darkness() -> None:
    image = scene(170, 120)
    image[65:90, 40:80] = 5
    assert "light: not dark" in keys(image)


def test_back_light_is_unknown_where_little_of_the_surroundings_is_in_sight() -> None:
    look = look_at(scene(100, 100)[40:90, 40:80], replace(FACE, box=(0.0, 0.0, 40.0, 50.0)))
    assert look.surround is None
    assert not any(one.holds(look) for one in SLICES if one.family == "back-light")


@pytest.mark.parametrize("sigma", [0.8, 1.2, 2.0])
@pytest.mark.parametrize("contrast", [20, 200])
def test_edge_width_is_the_blur_whatever_the_contrast(sigma: float, contrast: int) -> None:
    step = np.zeros((64, 64), np.float32)
    step[:, 32:] = contrast
    measured = edge_width(cv2.GaussianBlur(step, (0, 0), sigma))
    assert measured == pytest.approx(np.hypot(sigma, edge_width(step)), rel=0.1)
    assert edge_width(step) == pytest.approx(0.83, abs=0.01)


def test_a_blurred_face_is_in_the_blurred_slice_and_a_sharp_one_is_not() -> None:
    image = np.random.default_rng(0).integers(0, 255, (30, 30, 3), dtype=np.uint8)
    image = cv2.resize(image, (120, 120), interpolation=cv2.INTER_NEAREST)
    assert "sharpness: sharp" in keys(image)
    assert "sharpness: blurred" in keys(cv2.GaussianBlur(image, (0, 0), 2.5))


@pytest.mark.parametrize(
    ("nose", "name"),
    [(60.0, "frontal"), (63.0, "frontal"), (66.0, "turned"), (53.0, "turned"), (71.0, "side"),
     (45.0, "side")],
)
def test_the_view_is_where_the_nose_lies_between_the_eyes(nose: float, name: str) -> None:
    points = (*EYES_AND_NOSE[:2], (nose, 65.0), *EYES_AND_NOSE[3:])
    assert f"view: {name}" in keys(scene(99, 99), replace(FACE, landmarks=points))


def test_a_tilted_frontal_face_is_frontal_and_eyes_in_one_place_are_a_profile() -> None:
    tilted = ((50.0, 50.0), (64.0, 64.0), (50.0, 64.0), (45.0, 70.0), (55.0, 80.0))
    assert nose_offset(tilted) == pytest.approx(0.0)
    assert nose_offset(((5.0, 5.0), (5.0, 5.0), (9.0, 9.0), (5.0, 12.0), (6.0, 12.0))) > 1


@pytest.mark.parametrize(
    ("side", "name"), [(39.9, "under 40 px"), (40.0, "40 to 64 px"), (64.0, "64 px and more")]
)
def test_sizes_are_told_by_the_longer_side(side: float, name: str) -> None:
    assert f"size: {name}" in keys(scene(99, 99), replace(FACE, box=(9.0, 9.0, 29.0, 9.0 + side)))


def test_every_face_is_in_one_slice_of_a_family_at_most_and_is_remarked_on() -> None:
    look = look_at(scene(50, 40), FACE)
    families = [one.family for one in SLICES if one.holds(look)]
    assert len(families) == len(set(families)) == 5
    assert remarks(look) == ["light: dark", "view: unknown"]
    chosen = members(SLICES, [look, look])
    assert chosen["light: dark"].tolist() == [True, True]
    assert set(meanings(SLICES)) == set(chosen)


def test_a_box_that_leaves_the_picture_has_a_look_all_the_same() -> None:
    look = look_at(scene(99, 99), replace(FACE, box=(-30.0, -30.0, 10.0, 10.0)))
    assert (look.pixels, look.bright) == (40.0, 99.0)
