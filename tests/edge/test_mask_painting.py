"""Painted masks cover what their wear says, and nothing else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import UsageError
from edge.vision.mask_painting import KINDS, PATTERNS, WEARS, MaskStyle, paint_mask, random_style
from edge.vision.mask_shape import face_frame

# A frontal face 90 pixels wide: right eye, left eye, nose, mouth right, mouth left.
FACE = np.array([[78, 90], [122, 90], [100, 113], [82, 132], [118, 132]], np.float32)


def skin() -> np.ndarray:
    """A skin-coloured face on a grey wall, lit from the left."""
    image = np.full((240, 200, 3), 120, np.uint8)
    cv2.ellipse(image, (100, 112), (46, 60), 0, 0, 360, (140, 165, 210), -1)
    light = np.linspace(1.2, 0.5, 200)[None, :, None]
    return np.clip(image * light, 0, 255).astype(np.uint8)


def changed(image: np.ndarray, painted: np.ndarray) -> np.ndarray:
    return np.abs(painted.astype(int) - image).max(2) > 2


def around(mask: np.ndarray, point: np.ndarray, radius: int = 3) -> np.ndarray:
    x, y = (round(float(v)) for v in point)
    return mask[y - radius : y + radius + 1, x - radius : x + radius + 1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("height", [0.0, 1.0])
def test_worn_right_covers_nose_and_mouth_and_leaves_the_eyes(kind: str, height: float) -> None:
    image = skin()
    style = MaskStyle(kind, (30, 30, 30), height=height, loops=kind == "surgical")
    touched = changed(image, paint_mask(image, FACE, style))
    for point in FACE[2:]:
        assert around(touched, point).all()
    for point in FACE[:2]:
        assert not around(touched, point, 6).any()
    assert not touched[:90].any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("height", [0.0, 1.0])
def test_worn_under_the_nose_leaves_the_nose_and_covers_the_mouth(
    kind: str, height: float
) -> None:
    image = skin()
    style = MaskStyle(kind, (30, 30, 30), wear="under_nose", height=height)
    touched = changed(image, paint_mask(image, FACE, style))
    assert not around(touched, FACE[2], 4).any()
    assert around(touched, FACE[3:].mean(0)).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("height", [0.0, 1.0])
def test_worn_on_the_chin_leaves_nose_and_mouth(kind: str, height: float) -> None:
    image = skin()
    style = MaskStyle(kind, (30, 30, 30), wear="chin", height=height)
    touched = changed(image, paint_mask(image, FACE, style))
    for point in (*FACE[2:], FACE[3:].mean(0)):
        assert not around(touched, point).any()
    assert touched[160:175, 90:110].all()


@pytest.mark.parametrize("angle", [-90, -30, 45, 180])
def test_a_mask_turns_with_the_face(angle: float) -> None:
    turn = cv2.getRotationMatrix2D((100, 112), angle, 1.0)
    image = cv2.warpAffine(skin(), turn, (200, 240), borderMode=cv2.BORDER_REPLICATE)
    turned = FACE @ turn[:, :2].T + turn[:, 2]
    touched = changed(image, paint_mask(image, turned, MaskStyle("cloth", (30, 30, 30))))
    assert all(around(touched, p, 2).all() for p in turned[2:])
    assert not any(around(touched, p, 5).any() for p in turned[:2])


def test_a_face_turned_aside_wears_its_mask_towards_the_nose() -> None:
    aside = FACE.copy()
    aside[:, 0] = [90, 116, 116, 92, 112]
    image = skin()
    style = MaskStyle("surgical", (30, 30, 30), loops=False)
    columns = np.nonzero(changed(image, paint_mask(image, aside, style)).any(0))[0]
    middle = aside[[0, 1, 3, 4], 0].mean()
    assert columns.max() >= 116
    assert middle - columns.min() > columns.max() - middle


def test_light_from_a_side_stays_on_the_mask() -> None:
    style = MaskStyle("cloth", (200, 200, 200), wrinkles=0.0)
    painted = paint_mask(skin(), FACE, style).astype(float)
    assert painted[125:140, 72:80].mean() > painted[125:140, 120:128].mean() + 15


def test_a_white_mask_is_darker_in_a_darker_picture() -> None:
    style = MaskStyle("cloth", (240, 240, 240))
    bright, dark = skin(), (skin() * 0.3).astype(np.uint8)
    values = [paint_mask(i, FACE, style)[118:140, 85:115].mean() for i in (bright, dark)]
    assert values[1] < 0.6 * values[0]


def test_a_black_and_white_picture_gets_no_colour() -> None:
    gray = cv2.cvtColor(cv2.cvtColor(skin(), cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    painted = paint_mask(gray, FACE, MaskStyle("cloth", (40, 40, 220))).astype(int)
    assert (painted.max(2) - painted.min(2)).max() <= 2


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_same_seed_paints_the_same_mask(pattern: str) -> None:
    image = skin()
    style = MaskStyle("cloth", (200, 80, 30), pattern)
    first, again, other = (
        paint_mask(image, FACE, style, np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_face_at_the_border_is_painted_as_far_as_it_shows() -> None:
    image = skin()[:, :100].copy()
    painted = paint_mask(image, FACE, MaskStyle("surgical"))
    assert around(changed(image, painted), FACE[3]).all()
    assert painted.shape == image.shape


coordinate = st.one_of(
    st.floats(-80, 160, width=32), st.sampled_from([float("nan"), float("inf"), -1e9, 1e5])
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(coordinate, min_size=10, max_size=10), st.integers(1, 70), st.integers(1, 70),
    st.integers(0, 10_000),
)
def test_any_landmarks_give_a_picture_and_leave_the_input(
    values: list[float], height: int, width: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    before = image.copy()
    painted = paint_mask(image, np.array(values).reshape(5, 2), random_style(rng), rng)
    assert painted.shape == image.shape
    assert painted.dtype == np.uint8
    assert np.array_equal(image, before)


@pytest.mark.parametrize(
    "landmarks", [np.zeros((5, 2)), np.full((5, 2), np.nan), np.full((5, 2), 1e9)]
)
def test_points_that_are_no_face_stay_unpainted(landmarks: np.ndarray) -> None:
    image = skin()
    painted = paint_mask(image, landmarks, MaskStyle())
    assert painted is not image
    assert np.array_equal(painted, image)


def test_landmarks_of_another_count_are_refused() -> None:
    with pytest.raises(ValueError, match="five points"):
        paint_mask(skin(), FACE[:4], MaskStyle())


@pytest.mark.parametrize(
    ("field", "value"),
    [("kind", "visor"), ("pattern", "tartan"), ("wear", "forehead"), ("height", 1.5),
     ("width", float("nan")), ("tilt", 2.0)],
)
def test_a_style_outside_the_allowed_names_what_is_wrong(field: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"mask {field}"):
        MaskStyle(**{field: value})  # type: ignore[arg-type]


def test_random_styles_are_varied_and_follow_the_wanted_wear() -> None:
    rng = np.random.default_rng(0)
    styles = [random_style(rng) for _ in range(300)]
    assert {s.wear for s in styles} == set(WEARS)
    assert {s.kind for s in styles} == set(KINDS)
    assert {s.pattern for s in styles} == set(PATTERNS)
    assert sum(max(s.color) < 80 for s in styles) > 20
    assert all(random_style(rng, "chin").wear == "chin" for _ in range(20))


@given(st.floats(0, 360), st.floats(0.2, 5))
def test_a_frontal_face_has_no_yaw_at_any_angle_and_size(degrees: float, scale: float) -> None:
    turn = cv2.getRotationMatrix2D((100, 112), degrees, scale)
    frame = face_frame(FACE @ turn[:, :2].T + turn[:, 2])
    assert frame is not None
    assert abs(frame.sin_yaw) < 0.02
    assert np.hypot(*frame.right) == pytest.approx(44 * scale, rel=0.02)
