"""Other people's detectors: what made-up tensors say of a picture, and how pictures are fed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.errors import ModelError
from train.evaluate.peers import aizoo, blazeface, ultraface, yunet
from train.evaluate.peers.contestant import Contestant, as_found, judging, suppressed
from train.evaluate.peers.known import KNOWN, contestants
from train.evaluate.peers.speed import speeds


def _zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def test_one_aizoo_anchor_gives_its_own_box_and_its_answer() -> None:
    places = aizoo.anchors()
    scores = _zeros(1, len(places), 2)
    scores[0, 4, 1] = 0.9  # the second cell's first anchor: a square of 0.04
    found = aizoo.read({"a": _zeros(1, 5972, 4), "b": scores}, places, 330, 660, 0.5)
    assert found.faces.boxes[0] == pytest.approx([8.4, 0, 21.6, 23.2], abs=0.01)
    assert found.answers.argmax(axis=1).tolist() == [1]


def test_an_aizoo_box_moves_and_grows_by_its_variances() -> None:
    place = np.array([[0.5, 0.5, 0.2, 0.4]], np.float32)
    moved = aizoo.decode(np.array([[1, -1, 0, 5 * np.log(2)]], np.float32), place)
    assert moved[0] == pytest.approx([0.42, 0.06, 0.62, 0.86], abs=1e-5)


def test_ultraface_has_4420_priors_the_last_as_wide_as_256_pixels() -> None:
    places = ultraface.priors(320, 240)
    assert places.shape == (4420, 4)
    assert places[-1] == pytest.approx([0.9, 0.875, 0.8, 1.0])


def test_one_ultraface_prior_gives_its_own_box() -> None:
    places = ultraface.priors(320, 240)
    scores = _zeros(1, len(places), 2)
    scores[0, 3, 1] = 0.8  # the second cell's first prior: 10 pixels around (12, 4)
    found = ultraface.read({"a": _zeros(1, 4420, 4), "b": scores}, places, 640, 480, 0.6)
    assert found.faces.boxes[0] == pytest.approx([14, 0, 34, 18], abs=0.01)
    assert found.faces.scores == pytest.approx([0.8])


def test_the_masked_ultraface_answers_by_the_better_class_once_a_person() -> None:
    boxes, scores = _zeros(1, 17640, 4), _zeros(1, 17640, 3)
    boxes[0, :2] = [0.25, 0.25, 0.5, 0.5]
    scores[0, 0], scores[0, 1] = (0.1, 0.2, 0.7), (0.1, 0.6, 0.3)
    found = ultraface.read_masked({"b": boxes, "s": scores}, 400, 200, 0.3)
    assert found.faces.boxes.tolist() == [[100, 50, 200, 100]]
    assert found.answers[0] == pytest.approx([0.7, 0.2, 0])


def _yunet_tensors(columns: int, rows: int) -> dict[str, np.ndarray]:
    widths = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
    return {
        f"{name}_{stride}": _zeros(1, columns * rows // stride**2, width)
        for name, width in widths.items()
        for stride in (8, 16, 32)
    }


def test_one_yunet_cell_gives_the_box_that_starts_at_its_corner() -> None:
    tensors = _yunet_tensors(320, 192)  # 640x360 is fed as 320x180, padded to 192
    cell = 2 * 20 + 3  # row 2, column 3 at stride 16
    tensors["cls_16"][0, cell], tensors["obj_16"][0, cell] = 0.81, 1.0
    tensors["bbox_16"][0, cell] = [0.5, 0.25, np.log(2), 0]
    found = yunet.read(tensors, 320, 640, 360, 0.5)
    assert found.faces.scores == pytest.approx([0.9])
    assert found.faces.boxes[0] == pytest.approx([80, 56, 144, 88], abs=0.01)
    assert found.faces.landmarks[0, 0] == pytest.approx([96, 64])


def test_blazeface_has_the_anchors_of_its_authors() -> None:
    short, full = blazeface.anchors(blazeface.SHORT), blazeface.anchors(blazeface.FULL)
    assert (short.shape, full.shape) == ((896, 2), (2304, 2))
    assert short[[0, 1, 2, 512, -1]].tolist() == [[4, 4], [4, 4], [12, 4], [8, 8], [120, 120]]


def test_one_blazeface_anchor_gives_its_box_outside_of_the_bars() -> None:
    places = blazeface.anchors(blazeface.FULL)
    values, logits = _zeros(1, 2304, 16), np.full((1, 2304, 1), -90, np.float32)
    cell = 24 * 48 + 24  # its middle is (98, 98) of 192
    values[0, cell, :4], logits[0, cell] = [-2, -2, 20, 40], 2.0
    found = blazeface.read({"v": values, "l": logits}, places, 192, 384, 192, 0.6)
    # 384x192 sits at half its size between bars of 48 pixels.
    assert found.faces.boxes[0] == pytest.approx([172, 56, 212, 136])


def test_blazeface_averages_boxes_that_overlap_by_score() -> None:
    boxes = np.array([[0, 0, 10, 10], [2, 0, 12, 10], [50, 50, 60, 60]], np.float32)
    merged, scores = blazeface.averaged(boxes, np.array([0.75, 0.25, 0.5], np.float32), 0.3)
    assert merged.tolist() == [[0.5, 0, 10.5, 10], [50, 50, 60, 60]]
    assert scores.tolist() == [0.75, 0.5]


@pytest.mark.parametrize(
    ("tensor", "shape", "white"),
    [
        (aizoo.feed, (1, 260, 260, 3), 1.0),
        (lambda image: ultraface.feed(image, 320, 240), (1, 240, 320, 3), 1.0),
        (lambda image: yunet.feed(image, 320), (1, 3, 160, 320), 255.0),
        (lambda image: blazeface.feed(image, 128), (1, 128, 128, 3), 1.0),
    ],
)
def test_a_picture_is_fed_as_its_authors_do(tensor, shape, white) -> None:
    image = np.full((100, 200, 3), 255, np.uint8)
    fed = tensor(image)
    assert (fed.shape, fed.dtype) == (shape, np.float32)
    assert fed.max() == pytest.approx(white)


@pytest.mark.parametrize("family", [aizoo.feed, lambda image: blazeface.feed(image, 128)])
def test_red_comes_first_where_the_authors_have_it_first(family) -> None:
    image = np.zeros((128, 128, 3), np.uint8)
    image[..., 2] = 255
    assert family(image)[0, 60, 60].argmax() == 0
    assert yunet.feed(image, 320)[0, :, 60, 60].argmax() == 2


def test_boxes_outside_of_the_picture_go_and_the_best_comes_first() -> None:
    boxes = np.array([[90, 0, 120, 9], [200, 0, 220, 9], [0, 0, 9, 9]], np.float32)
    scores = np.array([0.5, 0.9, 0.7], np.float32)
    found = suppressed(as_found(boxes, scores, 100, 100), 0.3)
    assert found.faces.boxes.tolist() == [[0, 0, 9, 9], [90, 0, 100, 9]]
    assert not found.answers.any()


def test_the_judge_answers_for_the_face_a_box_overlaps_most() -> None:
    boxes = np.array([[0, 0, 10, 10], [20, 0, 30, 10]], np.float32)
    answers = np.eye(3, dtype=np.float32)[:2]

    def find(image, threshold):
        return as_found(boxes, np.array([0.9, 0.8], np.float32), 40, 40, answers)

    judge = judging(find, 0.5)
    image = np.zeros((40, 40, 3), np.uint8)
    assert judge(image, boxes[::-1] + 1).argmax(axis=1).tolist() == [1, 0]
    assert judge(image, boxes[:0]).shape == (0, 3)


@pytest.mark.parametrize("name", [*KNOWN, "other.onnx", "other.tflite"])
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"not a network at all")
    with pytest.raises(ModelError, match=name):
        contestants(path, 1)


def test_a_network_of_another_kind_under_a_known_name_is_refused(
    tmp_path: Path, detector_file
) -> None:
    path = tmp_path / "aizoo_ssd_260.tflite"
    path.write_bytes(detector_file.path.read_bytes())
    with pytest.raises(ModelError, match="aizoo_ssd_260"):
        contestants(path, 1)


def test_speeds_are_told_as_ratios_to_the_first() -> None:
    plain = Contestant("plain", lambda ready: sum(range(2000)), None)
    slow = Contestant("slow", lambda ready: sum(range(200_000)), None, lambda image: None)
    first, second = speeds([plain, slow], threads=1, rounds=3)
    assert (first["network_ratio"], first["fed"]) == (1.0, None)
    assert second["network_ratio"] > 3 and second["fed_ratio"] == 1.0
