"""A verdict takes several looks, honours its error rates, and can change."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import UsageError
from edge.gate.decision import (
    DecisionSettings,
    Evidence,
    confidence,
    leaning,
    needs_look,
    update,
)

SETTINGS = DecisionSettings()
LOOKS = {
    "mask": (0.98, 0.01, 0.01),
    "no_mask": (0.01, 0.98, 0.01),
    "incorrect": (0.01, 0.01, 0.98),
}


def judge(looks, fps=30.0, settings=SETTINGS, evidence=None, start=0.0):
    evidence = evidence or Evidence()
    for i, look in enumerate(looks):
        evidence = update(evidence, look, start + i / fps, settings)
    return evidence


@pytest.mark.parametrize("label", LOOKS)
def test_every_clear_label_becomes_its_own_verdict_within_half_a_second(label):
    evidence = judge([LOOKS[label]] * 30)
    assert evidence.verdict == label
    assert 0.1 < evidence.decided_at <= 0.5
    assert confidence(evidence) > 0.95


# Every label x every verdict before it: what a long run of clear looks makes of it.
@pytest.mark.parametrize("before", [None, *LOOKS])
@pytest.mark.parametrize("label", LOOKS)
def test_enough_looks_turn_any_verdict_into_any_other(before, label):
    evidence = judge([LOOKS[before]] * 300) if before else Evidence()
    turned = judge([LOOKS[label]] * 60, evidence=evidence, start=20.0)
    assert turned.verdict == label


@pytest.mark.parametrize("label", LOOKS)
@pytest.mark.parametrize("other", LOOKS)
def test_one_contrary_look_changes_no_verdict(label, other):
    evidence = judge([LOOKS[label]] * 60)
    assert update(evidence, LOOKS[other], 9.0, SETTINGS).verdict == label


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_one_look_never_decides_whatever_it_says(look):
    assert update(Evidence(), look, 0.0, SETTINGS).verdict == "unsure"


@pytest.mark.parametrize(
    "look", [(0.0, 0.0, 0.0), (math.nan, 0.5, 0.5), (-0.1, 0.6, 0.5), (math.inf, 0, 0)]
)
def test_a_look_that_is_no_opinion_changes_nothing(look):
    evidence = judge([LOOKS["mask"]] * 3)
    assert update(evidence, look, 9.0, SETTINGS) == evidence


def test_a_look_no_later_than_the_last_changes_nothing():
    evidence = update(Evidence(), LOOKS["mask"], 5.0, SETTINGS)
    assert update(evidence, LOOKS["mask"], 5.0, SETTINGS) == evidence


def test_even_odds_stay_unsure_for_ever():
    evidence = judge([(1 / 3, 1 / 3, 1 / 3)] * 900)
    assert evidence.verdict == "unsure"
    assert confidence(evidence) == pytest.approx(1 / 3)


def test_no_mask_or_worn_wrong_is_told_even_where_the_two_cannot_be_told_apart():
    evidence = judge([(0.02, 0.49, 0.49)] * 60)
    assert evidence.verdict in ("no_mask", "incorrect")


def test_the_word_does_not_flicker_between_the_two_kinds_of_wrong():
    evidence = judge([LOOKS["no_mask"]] * 30)
    verdicts = set()
    for i in range(60):
        look = (0.02, 0.45, 0.53) if i % 2 else (0.02, 0.53, 0.45)
        evidence = update(evidence, look, 2 + i / 30, SETTINGS)
        verdicts.add(evidence.verdict)
    assert verdicts == {"no_mask"}


def test_looks_close_in_time_are_worth_little_more_than_one():
    tenth_of_a_second = [judge([LOOKS["mask"]] * n, fps=n * 10).opinions for n in (2, 5, 50)]
    assert max(tenth_of_a_second) < 1.5
    assert judge([LOOKS["mask"]] * 5, fps=0.5).opinions == pytest.approx(5, abs=0.01)


def test_a_mask_taken_off_after_minutes_is_noticed_within_two_seconds():
    evidence = judge([LOOKS["mask"]] * 9000)
    for i in range(60):
        evidence = update(evidence, LOOKS["no_mask"], 300 + i / 30, SETTINGS)
        if evidence.verdict == "no_mask":
            break
    assert 0.3 < i / 30 < 2


def simulate(truth: float, people: int, fps: float, rates: float, seed: int) -> dict[str, int]:
    """Judge *people* whose looks are a Gaussian first-order autoregression around *truth*."""
    rng = np.random.default_rng(seed)
    config = DecisionSettings(false_alarm_rate=rates, miss_rate=rates, clip=math.log(1 / rates) / 2)
    memory = math.exp(-1 / fps / config.correlation_seconds)
    counts = {"mask": 0, "no_mask": 0, "incorrect": 0, "unsure": 0}
    for _ in range(people):
        evidence, noise = Evidence(), rng.normal()
        for i in range(int(fps * 6)):
            # Unit variance at +-1 makes log(pM / pN) = 2 x: exactly calibrated.
            odds = math.exp(2 * (truth + noise))
            look = (odds, 1.0, 1e-3)
            evidence = update(evidence, look, i / fps, config)
            if evidence.verdict != "unsure":
                break
            noise = memory * noise + math.sqrt(1 - memory**2) * rng.normal()
        counts[evidence.verdict] += 1
    return counts


@pytest.mark.parametrize("fps", [5.0, 30.0])
def test_wrong_verdicts_on_correlated_looks_stay_below_the_wanted_rates(fps):
    masked = simulate(+1, 400, fps, 0.05, seed=1)
    bare = simulate(-1, 400, fps, 0.05, seed=2)
    # 20 are allowed of 400; three standard deviations of chance more would be 33.
    assert masked["no_mask"] + masked["incorrect"] <= 20
    assert bare["mask"] <= 20
    assert masked["mask"] > 350 and bare["no_mask"] + bare["incorrect"] > 350


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(list(LOOKS)), st.floats(0, 2)), max_size=60))
def test_scores_stay_within_the_floor_and_unsure_never_returns(steps):
    evidence, now = Evidence(), 0.0
    for label, gap in steps:
        now += gap
        before, evidence = evidence, update(evidence, LOOKS[label], now, SETTINGS)
        assert max(evidence.scores) == 0
        assert min(evidence.scores) >= -SETTINGS.floor
        assert before.verdict == "unsure" or evidence.verdict != "unsure"
        assert -1 <= leaning(evidence, SETTINGS) <= 1
        assert 0 < confidence(evidence) <= 1


def test_a_settled_person_is_looked_at_now_and_then_and_a_wavering_one_always():
    settled = judge([LOOKS["mask"]] * 60)
    last = settled.last_look
    assert needs_look(Evidence(), 0.0, SETTINGS)
    assert not needs_look(settled, last + 0.1, SETTINGS)
    assert needs_look(settled, last + 0.2, SETTINGS)
    wavering = judge([LOOKS["no_mask"]] * 12, evidence=settled, start=last + 0.1)
    assert wavering.verdict == "mask"
    assert needs_look(wavering, wavering.last_look + 0.01, SETTINGS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("false_alarm_rate", 0.0),
        ("miss_rate", 0.5),
        ("clip", 4.7),
        ("clip", 0.0),
        ("min_looks", 1),
        ("correlation_seconds", 0.0),
        ("min_brightness", -1),
        ("min_sharpness", 2.5),
        ("max_turn", 0.1),
    ],
)
def test_a_setting_out_of_range_is_named_with_its_value(name, value):
    with pytest.raises(UsageError, match=rf"{name} is {value}; allowed"):
        DecisionSettings(**{name: value})


def test_a_label_that_is_rare_in_calibration_is_not_held_against_a_person_at_every_look():
    # The classifier leans to "incorrect" compared with how rare it was: 0.3 against 0.06.
    settings = DecisionSettings(priors=(0.40, 0.54, 0.06))
    evidence = Evidence()
    for step in range(20):
        evidence = update(evidence, (0.50, 0.20, 0.30), step * 0.2, settings)
    assert evidence.verdict == "incorrect"
    assert DecisionSettings().priors == (1 / 3, 1 / 3, 1 / 3)
