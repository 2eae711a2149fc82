"""Faces cropped to fill the frame: where the face lands, and what counts as found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import DataError
from edge.vision.detector import Faces
from tests.train.making import coco_document, write_json
from train.data.coco import read_coco
from train.data.records import PictureRecord
from train.evaluate.closeups import (
    HEIGHT,
    SHARES,
    WIDTH,
    closeup,
    closeups_table,
    evaluate_closeups,
)


@st.composite
def faces(draw) -> tuple[int, int, tuple[float, float, float, float]]:
    """A picture's width and height, and a face's box in it."""
    width, height = draw(st.integers(40, 480)), draw(st.integers(40, 480))
    x0, y0 = draw(st.floats(0, width - 16)), draw(st.floats(0, height - 16))
    x1 = draw(st.floats(x0 + 12, min(width, x0 + 300)))
    return width, height, (x0, y0, x1, draw(st.floats(y0 + 12, min(height, y0 + 300))))


@settings(max_examples=60, deadline=None)
@given(face=faces(), share=st.sampled_from(SHARES))
def test_the_face_takes_its_share_and_lies_in_the_frame(face, share: float) -> None:
    width, height, box = face
    frame, boxes = closeup(np.zeros((height, width, 3), np.uint8), box, share)
    x0, y0, x1, y1 = boxes[0]
    assert frame.shape == (HEIGHT, WIDTH, 3)
    assert 0 <= x0 < x1 <= WIDTH and 0 <= y0 < y1 <= HEIGHT
    wide, tall = box[2] - box[0], box[3] - box[1]
    scale = share * WIDTH / max(wide, tall)
    assert x1 - x0 == pytest.approx(wide * scale, abs=0.1)
    assert y1 - y0 == pytest.approx(min(tall * scale, HEIGHT), abs=0.1)


@settings(max_examples=30, deadline=None)
@given(
    x=st.integers(0, 300), y=st.integers(0, 200), side=st.integers(30, 100),
    share=st.sampled_from((0.08, 0.3, 0.7)),
)
def test_what_was_in_the_box_is_in_it_again(x: int, y: int, side: int, share: float) -> None:
    image = np.zeros((300, 400, 3), np.uint8)
    image[y : y + side, x : x + side] = 200
    frame, boxes = closeup(image, (x, y, x + side, y + side), share)
    x0, y0, x1, y1 = np.round(boxes[0]).astype(int)
    # Linear interpolation softens an edge by one pixel of the photograph.
    soft = 3 + int(share * WIDTH / side)
    assert frame[y0 + soft : y1 - soft, x0 + soft : x1 - soft].min(initial=200) > 190
    assert frame[(y0 + y1) // 2, (x0 + x1) // 2, 0] == 200


def test_the_frame_shows_the_photograph_before_it_repeats_an_edge() -> None:
    image = np.full((480, 640, 3), 90, np.uint8)
    image[:, 0] = image[:, -1] = image[0] = image[-1] = 255
    # A face in the corner: centred, half the frame would be the white edge.
    frame, boxes = closeup(image, (10, 10, 74, 74), 0.2)
    assert boxes[0].tolist() == pytest.approx([20, 20, 148, 148])
    assert np.mean(frame == 255) < 0.02


@pytest.mark.parametrize(
    ("box", "share"), [((9, 9, 9, 20), 0.5), ((0, 0, 9, 9), 0.0), ((0, 0, 9, 9), 1.5)]
)
def test_an_impossible_closeup_is_refused(box, share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        closeup(np.zeros((20, 20, 3), np.uint8), box, share)


@pytest.fixture
def pictures(tmp_path: Path) -> list[PictureRecord]:
    labels = ["with_mask", "without_mask", "incorrect_mask", "face"]
    return read_coco(write_json(tmp_path / "val.json", coco_document(tmp_path, labels)))


def _centred(side: float):
    """A detector that sees a square face of *side* in every frame's middle."""
    box = np.array([[320 - side, 240 - side, 320 + side, 240 + side]], np.float32)
    return lambda image: Faces(box, np.ones(1, np.float32), np.zeros((1, 5, 2), np.float32))


def test_only_labelled_faces_count_and_only_at_the_share_the_detector_sees(
    pictures: list[PictureRecord],
) -> None:
    result = evaluate_closeups(_centred(150), pictures, (0.15, 0.5), repeats=5)
    assert result["faces"] == 3
    assert result["shares"]["0.15"]["recall"]["value"] == 0.0
    assert result["shares"]["0.5"]["recall"]["value"] == 1.0
    assert result["shares"]["0.5"]["labels"]["incorrect_mask"]["value"] == 1.0
    assert "15%" in closeups_table(result)


def test_recall_is_told_at_higher_scores_too(pictures: list[PictureRecord]) -> None:
    def detect(image: np.ndarray) -> Faces:
        found = _centred(96)(image)
        return Faces(found.boxes, found.scores * np.float32(0.6), found.landmarks)

    levels = {"low": 0.5, "high": 0.7}
    entry = evaluate_closeups(detect, pictures, (0.3,), 0, scores=levels)["shares"]["0.3"]
    assert (entry["at"]["low"]["value"], entry["at"]["high"]["value"]) == (1.0, 0.0)


def test_a_sample_is_drawn_by_seed(pictures: list[PictureRecord]) -> None:
    seen: list[bytes] = []

    def detect(image: np.ndarray) -> Faces:
        seen.append(image.tobytes())
        return Faces.none()

    for seed in (1, 1):
        result = evaluate_closeups(detect, pictures, (0.3,), repeats=0, most=2, seed=seed)
        assert result["faces"] == 2
    assert seen[:2] == seen[2:]


def test_without_a_readable_face_there_is_no_number(pictures: list[PictureRecord]) -> None:
    with pytest.raises(DataError, match="no close face"):
        evaluate_closeups(_centred(99), pictures[3:], repeats=0)
    pictures[0].path.write_bytes(b"")
    assert evaluate_closeups(_centred(99), pictures, (0.3,), 0)["broken"] == ["0.png"]
