"""Metrics against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.classifier.calibration import (
    calibration_report,
    cross_calibrated,
    fit_calibration,
)
from train.report import metrics
from train.report.detection import (
    detection_average_precision,
    match_picture,
    recall_at,
    threshold_at_false_positives,
)
from train.report.judgement import judge_faces

TRUTH = np.array([0, 0, 0, 1, 1, 2])
SAID = np.array([0, 0, 1, 1, 1, 0])


def test_confusion_recall_precision_and_accuracy() -> None:
    confusion = metrics.confusion_matrix(TRUTH, SAID, 3)
    assert confusion.tolist() == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert metrics.recalls(confusion) == pytest.approx([2 / 3, 1.0, 0.0])
    assert metrics.precisions(confusion)[:2] == pytest.approx([2 / 3, 2 / 3])
    assert np.isnan(metrics.precisions(confusion)[2])
    assert metrics.accuracy(TRUTH, SAID) == pytest.approx(4 / 6)


def test_balanced_accuracy_counts_each_class_once_and_other_answers_as_wrong() -> None:
    truth, said = np.array([0, 0, 0, 0, 1, 2]), np.array([0, 0, 2, 0, 1, 0])
    assert metrics.balanced_accuracy(truth, said, (0, 1)) == pytest.approx((0.75 + 1) / 2)
    assert np.isnan(metrics.balanced_accuracy(truth, said, (0, 7)))


def test_with_without_ignores_the_third_answer_and_the_third_truth() -> None:
    probabilities = np.array([[0.3, 0.1, 0.6], [0.2, 0.5, 0.3], [0.9, 0.1, 0.0]])
    assert metrics.with_without_accuracy(np.array([0, 1, 2]), probabilities) == 1.0


def test_average_precision_of_two_hits_around_a_miss() -> None:
    # Ranked: hit (precision 1, recall 1/2), miss, hit (precision 2/3, recall 1).
    positive, scores = np.array([True, False, True]), np.array([0.9, 0.8, 0.7])
    assert metrics.average_precision(positive, scores) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert metrics.recall_at_precision(positive, scores, 0.9) == 0.5
    assert metrics.recall_at_precision(~positive, scores, 0.9) == 0.0


def test_equal_scores_are_one_point_of_the_curve() -> None:
    precision, recall, threshold = metrics.precision_recall_curve(
        np.array([True, False]), np.array([0.5, 0.5])
    )
    assert (precision.tolist(), recall.tolist(), threshold.tolist()) == ([0.5], [1.0], [0.5])


def test_calibration_error_is_the_gap_between_sure_and_right() -> None:
    # Four answers at 0.9, three of them right: a gap of 0.15.
    probabilities = np.tile([0.9, 0.05, 0.05], (4, 1))
    error = metrics.expected_calibration_error(np.array([0, 0, 0, 1]), probabilities)
    assert error == pytest.approx(0.15)


def test_log_loss_is_the_mean_of_minus_log() -> None:
    probabilities = np.array([[0.5, 0.5, 0.0], [0.0, 0.25, 0.75]])
    expected = (np.log(2) + np.log(4)) / 2
    assert metrics.log_loss(np.array([0, 1]), probabilities) == pytest.approx(expected)


def test_bootstrap_interval_holds_the_value_and_widens_with_groups() -> None:
    values = np.array([0.0, 1.0] * 50)
    alone = [str(i) for i in range(100)]
    ten = [str(int(v) * 5 + i % 5) for i, v in enumerate(values)]
    narrow = metrics.bootstrap_by_group(alone, lambda i: float(values[i].mean()), 300)
    wide = metrics.bootstrap_by_group(ten, lambda i: float(values[i].mean()), 300)
    assert narrow.low < narrow.value == 0.5 < narrow.high
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_bootstrap_of_nothing_has_no_interval() -> None:
    interval = metrics.bootstrap_by_group([], lambda i: float("nan"))
    assert np.isnan([interval.value, interval.low, interval.high]).all()


@given(st.floats(0.5, 3.0))
def test_temperature_is_found_again(wanted: float) -> None:
    # Answers in exact proportion to softmax(logits): the best temperature is `wanted`.
    shares = np.array([[0.7, 0.2, 0.1], [0.1, 0.7, 0.2], [0.2, 0.1, 0.7]])
    counts = (shares * 100).round().astype(int)
    truth = np.concatenate([np.repeat([0, 1, 2], row) for row in counts])
    logits = np.repeat(np.log(shares), 100, axis=0) * wanted
    found = fit_calibration(logits, truth)
    assert found.temperature == pytest.approx(wanted, rel=0.05)
    assert found.offsets == pytest.approx((0, 0, 0), abs=0.05)


def test_a_class_expected_too_often_is_offset() -> None:
    rng = np.random.default_rng(1)
    truth = rng.choice(3, 4000, p=[0.5, 0.4, 0.1])
    logits = 2.0 * np.eye(3)[truth] + rng.normal(0, 1, (4000, 3))
    found = fit_calibration(logits + np.array([0.0, 0.0, 3.0]), truth)
    plain = fit_calibration(logits, truth)
    moved = np.array(found.offsets) - np.array(plain.offsets)
    assert moved == pytest.approx([1.0, 1.0, -2.0], abs=0.1)


def test_a_class_without_a_sample_keeps_its_offset() -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 2, 200)
    found = fit_calibration(np.eye(3)[truth] + rng.normal(0, 1, (200, 3)), truth)
    assert found.offsets[2] == 0.0
    assert np.isfinite(found.temperature)


def test_calibration_is_measured_on_groups_it_was_not_fitted_on() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 900)
    logits = 8.0 * np.eye(3)[np.where(rng.random(900) < 0.8, truth, (truth + 1) % 3)]
    groups = [str(i) for i in range(900)]
    result = calibration_report(fit_calibration(logits, truth), logits, truth, groups)
    assert result["temperature"] > 2
    assert result["expected_calibration_error_before"] > 0.15
    assert result["expected_calibration_error_after"] < 0.05


def test_a_group_is_never_calibrated_by_itself() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 60)
    logits = np.eye(3)[truth] + rng.normal(0, 1, (60, 3))
    groups = [f"g{i}" for i in range(60)]
    before = cross_calibrated(logits, truth, groups)
    lied = truth.copy()
    lied[0] = (truth[0] + 1) % 3
    assert np.array_equal(before[0], cross_calibrated(logits, lied, groups)[0])
    assert not np.array_equal(before, cross_calibrated(logits, lied, groups))


def test_judgement_tells_sources_apart() -> None:
    probabilities = np.eye(3)[SAID]
    judged = judge_faces(TRUTH, probabilities, list("aabbcc"), list("ppqqqq"), repeats=20)
    assert judged["sources"]["p"]["accuracy"] == 1.0
    assert judged["sources"]["q"]["accuracy"] == 0.5
    assert judged["sources"]["p"]["recalls"]["without_mask"] is None
    assert judged["classes"]["incorrect_mask"] == {"recall": 0.0, "precision": None, "faces": 1}


def _boxes(*corners: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(corners, np.float32).reshape(-1, 4)


TWO = _boxes((0, 0, 10, 10), (50, 50, 60, 60))
NOT_CROWD = np.zeros(2, bool)


def test_a_face_is_found_once_and_the_second_time_is_wrong() -> None:
    boxes = _boxes((0, 0, 10, 10), (1, 0, 11, 10), (50, 50, 60, 60))
    matches = match_picture(boxes, np.array([0.6, 0.9, 0.5]), TWO, NOT_CROWD)
    assert matches.right.tolist() == [True, False, True]
    assert matches.scores.tolist() == [0.9, 0.6, 0.5]
    assert matches.found.tolist() == [0.9, 0.5]


def test_what_lies_in_an_ignore_region_is_neither_right_nor_wrong() -> None:
    boxes = _boxes((0, 0, 10, 10), (2, 2, 6, 6), (50, 50, 60, 60))
    matches = match_picture(boxes, np.array([0.9, 0.8, 0.7]), TWO, np.array([True, False]))
    assert matches.scores.tolist() == pytest.approx([0.7])
    assert matches.found.tolist() == pytest.approx([0.7])
    assert matches.truth.tolist() == [1]


def test_faces_and_strays_under_the_least_side_do_not_count() -> None:
    boxes = _boxes((0, 0, 10, 10), (80, 80, 85, 85), (80, 0, 110, 30))
    matches = match_picture(boxes, np.array([0.9, 0.8, 0.7]), TWO[:1], NOT_CROWD[:1], 20)
    assert matches.scores.tolist() == pytest.approx([0.7])
    assert (matches.right.tolist(), len(matches.found)) == ([False], 0)


def test_detection_average_precision_worked_by_hand() -> None:
    # Hit, miss, hit over two faces: 1 up to recall 0.5 (51 of 101 points), then 2/3 (50 points).
    boxes = _boxes((0, 0, 10, 10), (20, 20, 30, 30), (50, 50, 60, 60))
    matches = [match_picture(boxes, np.array([0.9, 0.8, 0.7]), TWO, NOT_CROWD)]
    assert detection_average_precision(matches) == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_recall_at_a_rate_of_false_positives() -> None:
    boxes = _boxes((0, 0, 10, 10), (20, 20, 30, 30), (50, 50, 60, 60))
    scores = np.array([0.9, 0.8, 0.7])
    matches = [match_picture(boxes, scores, TWO, NOT_CROWD)]
    none = threshold_at_false_positives(matches, 0.0)
    assert 0.8 < none < 0.8001
    assert recall_at(matches, none) == 0.5
    assert threshold_at_false_positives(matches, 1.0) == 0.0
    assert recall_at(matches, 0.0) == 1.0


def test_a_face_nobody_found_is_missed_at_every_threshold() -> None:
    matches = [match_picture(_boxes(), np.zeros(0), TWO, NOT_CROWD)]
    assert recall_at(matches, 0.0) == 0.0
    assert detection_average_precision(matches) == 0.0
    assert np.isnan(detection_average_precision([]))
