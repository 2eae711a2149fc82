"""Boxes as arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge.vision.geometry import (
    areas,
    clip_boxes,
    iou_matrix,
    no_boxes,
    non_maximum_suppression,
    overlap_areas,
)

corners = hnp.arrays(np.float32, (6, 2, 2), elements=st.floats(-50, 150, width=32))
BOXES = corners.map(lambda c: np.concatenate([c.min(axis=1), c.max(axis=1)], axis=1))


@given(BOXES)
def test_overlap_of_boxes_is_symmetric_and_between_zero_and_one(boxes):
    iou = iou_matrix(boxes, boxes)
    assert np.allclose(iou, iou.T)
    assert iou.min() >= 0 and iou.max() <= 1 + 1e-5


@given(BOXES)
def test_clipping_never_enlarges_and_always_stays_inside(boxes):
    clipped = clip_boxes(boxes, 100, 80)
    assert clipped.min() >= 0 and clipped[:, [0, 2]].max() <= 100 and clipped[:, [1, 3]].max() <= 80
    assert (areas(clipped) <= areas(boxes) + 1e-3).all()


@pytest.mark.parametrize(
    ("other", "iou"),
    [([0, 0, 10, 10], 1.0), ([10, 0, 20, 10], 0.0), ([5, 0, 15, 10], 1 / 3), ([0, 0, 5, 10], 0.5)],
)
def test_overlap_of_two_boxes_is_as_worked_by_hand(other, iou):
    box = np.array([[0, 0, 10, 10]], np.float32)
    assert iou_matrix(box, np.array([other], np.float32))[0, 0] == pytest.approx(iou)


@given(BOXES, hnp.arrays(np.float32, 6, elements=st.floats(2**-10, 1, width=32)))
def test_what_suppression_keeps_overlaps_little_and_includes_the_best(boxes, scores):
    kept = non_maximum_suppression(boxes, scores, 0.4)
    overlaps = iou_matrix(boxes[kept], boxes[kept])
    assert scores[kept[0]] == scores.max()
    assert (np.triu(overlaps, 1) <= 0.4 + 1e-6).all()


def plainly_suppressed(boxes, scores, threshold):
    """The rule, word by word: the best box stays and removes what overlaps it too much."""
    overlaps, left, kept = iou_matrix(boxes, boxes), np.argsort(-scores, kind="stable"), []
    while len(left):
        kept.append(left[0])
        left = left[1:][overlaps[left[0], left[1:]] <= threshold]
    return kept


@given(st.integers(0, 2**16), st.integers(0, 40), st.sampled_from([0.3, 0.45, 0.7]))
def test_suppression_keeps_what_the_rule_says(seed, count, threshold):
    dice = np.random.default_rng(seed)
    low = dice.uniform(0, 60, (count, 2))
    boxes = np.concatenate([low, low + dice.uniform(1, 60, (count, 2))], 1).astype(np.float32)
    # Scores of a quantised network are often the same.
    scores = (dice.integers(1, 9, count) / 9).astype(np.float32)
    kept = non_maximum_suppression(boxes, scores, threshold)
    assert kept.tolist() == plainly_suppressed(boxes, scores, threshold)


def test_no_boxes_have_the_shape_of_some():
    assert no_boxes().shape == (0, 4)
    assert overlap_areas(no_boxes(), no_boxes()).shape == (0, 0)
    assert non_maximum_suppression(no_boxes(), np.zeros(0, np.float32), 0.5).shape == (0,)
