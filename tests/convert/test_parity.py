"""The comparison of float and int8, and its verdict."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from convert.parity import Bounds, compare_classifiers, compare_detectors
from edge.vision.detector import Faces

LOGITS = np.array([[4, 0, 0], [0, 4, 0], [0, 0, 4], [2, 1.9, 0]], np.float32)
NAMES = ["a", "b", "c", "d"]


def faces(*found: tuple[float, float, float]) -> Faces:
    boxes = np.array([(x, y, x + 20, y + 20) for x, y, _ in found], np.float32).reshape(-1, 4)
    scores = np.array([score for _, _, score in found], np.float32)
    return Faces(boxes, scores, np.zeros((len(found), 5, 2), np.float32))


def test_a_changed_answer_is_counted_and_listed_first() -> None:
    int8 = LOGITS.copy()
    int8[3] = [1.9, 2, 0]
    parity = compare_classifiers(LOGITS, int8, [0, 1, 2, 0], NAMES)
    assert (parity.agreeing, parity.float_right, parity.int8_right) == (3, 4, 3)
    assert parity.worst[0]["name"] == "d"
    assert parity.worst[0]["float"].startswith("with_mask")
    assert len(parity.breaches(Bounds())) == 2
    assert parity.breaches(Bounds(agreement=0.75, accuracy_loss=0.25)) == []


def test_an_int8_network_that_is_better_is_no_breach() -> None:
    parity = compare_classifiers(LOGITS[[3, 0]], LOGITS[[1, 0]], [1, 0], ["d", "a"])
    assert parity.accuracy_loss == -0.5
    assert len(parity.breaches(Bounds(agreement=0.5))) == 0


@given(arrays(np.float32, (5, 3), elements=st.floats(-30, 30, width=32)))
def test_a_network_agrees_with_itself(logits: np.ndarray) -> None:
    parity = compare_classifiers(logits, logits, [0, 1, 2, 0, 1], list("abcde"))
    assert parity.agreement == 1 and parity.largest_difference == 0
    assert parity.breaches(Bounds()) == []


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(ValueError, match="no face"):
        compare_classifiers(LOGITS[:0], LOGITS[:0], [], [])


def test_faces_are_matched_once_each() -> None:
    a = faces((0, 0, 0.9), (1, 0, 0.8), (100, 0, 0.7))
    b = faces((0, 0, 0.85), (102, 0, 0.6))
    parity = compare_detectors([a], [b], ["p"], 0.5)
    assert (parity.float_faces, parity.float_matched) == (3, 2)
    assert (parity.int8_faces, parity.int8_matched) == (2, 2)
    assert parity.matched == pytest.approx(2 / 3)
    assert parity.mean_score_difference == pytest.approx(-0.075)
    assert parity.worst == ({"name": "p", "float": "2 of 3", "int8": "2 of 2"},)


@pytest.mark.parametrize(("score", "matched"), [(0.45, 1), (0.35, 0)])
def test_a_score_may_fall_a_little_below_the_threshold(score: float, matched: int) -> None:
    parity = compare_detectors([faces((0, 0, 0.52))], [faces((0, 0, score))], ["p"], 0.5)
    assert parity.float_matched == matched


def test_faces_that_int8_invents_are_a_breach_too() -> None:
    parity = compare_detectors(
        [faces((0, 0, 0.9))], [faces((0, 0, 0.9), (50, 50, 0.9))], ["p"], 0.5
    )
    assert parity.matched == 0.5
    assert "1 of 2" in parity.breaches(Bounds())[0]


def test_a_detector_that_finds_nothing_is_not_called_equal() -> None:
    parity = compare_detectors([Faces.none()], [Faces.none()], ["p"], 0.5)
    assert parity.breaches(Bounds())
