"""The promised error rates, proven on thousands of made-up people.

A person of kind k shows a point in the plane: the kind's own, and noise of unit variance that
fades like a first-order autoregression.  Probabilities that follow from the point by Bayes'
rule are exactly calibrated, however often they are wrong.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from edge.gate.decision import DecisionSettings, Evidence, needs_look, update

# The corners of a triangle with sides of 1 standard deviation: mask, none, worn wrong.
KINDS = np.array([[0, 0], [1, 0], [0.5, math.sqrt(0.75)]])
# How far apart they are for a classifier that is wrong about 1 look in 18, and about 1 in 4.
GOOD, POOR = 3.5, 1.5
WRONG = {GOOD: 1 / 18, POOR: 1 / 3.8}
SETTINGS = DecisionSettings(priors=(0.40, 0.54, 0.06))


def looks_at(
    kind: int, people: int, fps: float, seconds: float, fades: float, rng, apart=GOOD
) -> np.ndarray:
    """Return probabilities (people, frames, 3) of looks whose errors fade in *fades* seconds."""
    frames = int(seconds * fps)
    memory = math.exp(-1 / (fps * fades))
    noise = rng.normal(size=(people, frames, 2))
    noise[:, 1:] *= math.sqrt(1 - memory**2)
    for i in range(1, frames):
        noise[:, i] += memory * noise[:, i - 1]
    away = (apart * KINDS[kind] + noise)[:, :, None] - apart * KINDS
    odds = np.array(SETTINGS.priors) * np.exp(-(away**2).sum(axis=3) / 2)
    return odds / odds.sum(axis=2, keepdims=True)


def visit(looks: np.ndarray, fps: float, settings: DecisionSettings) -> tuple[set[str], float]:
    """Return every verdict on a person of *looks* (frames, 3), and when the first came."""
    evidence, verdicts = Evidence(), set()
    for i, look in enumerate(looks.tolist()):
        if needs_look(evidence, i / fps, settings):
            evidence = update(evidence, look, i / fps, settings)
            verdicts.add(evidence.verdict)
    decided = math.inf if evidence.decided_at is None else evidence.decided_at
    return verdicts - {"unsure"}, decided


def rates(
    kind: int, people: int, seed: int, fps: float = 30, settings=SETTINGS, fades=None,
    seconds=3.0, apart=GOOD,
) -> dict[str, float]:
    """Return how many of *people* were ever called masked, ever called out, and the median time."""
    fades = SETTINGS.correlation_seconds if fades is None else fades
    looks = looks_at(kind, people, fps, seconds, fades, np.random.default_rng(seed), apart)
    visits = [visit(one, fps, settings) for one in looks]
    return {
        "masked": sum("mask" in said for said, _ in visits),
        "called out": sum(bool(said & {"no_mask", "incorrect"}) for said, _ in visits),
        "median": float(np.median([when for _, when in visits])),
    }


def most(people: int, rate: float) -> float:
    """Return how many of *people* an event of *rate* may befall, three standard deviations up."""
    return people * rate + 3 * math.sqrt(people * rate * (1 - rate))


@pytest.mark.parametrize(("apart", "fps"), [(GOOD, 30), (POOR, 30), (POOR, 10)])
def test_people_with_a_mask_are_called_out_no_more_often_than_configured(apart, fps):
    seen = rates(0, 1500, seed=1, fps=fps, apart=apart)
    assert seen["called out"] <= most(1500, SETTINGS.false_alarm_rate)
    assert seen["masked"] > 0.7 * 1500


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize("apart", [GOOD, POOR])
def test_people_without_a_mask_pass_no_more_often_than_configured(apart, kind):
    seen = rates(kind, 600, seed=2 + kind, fps=15, apart=apart)
    assert seen["masked"] <= most(600, SETTINGS.miss_rate)
    assert seen["called out"] > 0.7 * 600


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_other_rates_hold_too(rate):
    clip = min(2.5, 0.8 * math.log(1 / rate))
    settings = replace(SETTINGS, false_alarm_rate=rate, miss_rate=rate, clip=clip)
    seen = rates(0, 600, seed=6, fps=15, settings=settings, apart=POOR, seconds=2)
    assert seen["called out"] <= most(600, rate)


def test_without_decorrelation_the_same_people_would_break_the_promise():
    naive = replace(SETTINGS, correlation_seconds=0.001)
    seen = rates(0, 300, seed=1, settings=naive, apart=POOR, seconds=1)
    assert seen["called out"] > 10 * SETTINGS.false_alarm_rate * 300


def test_errors_that_fade_more_slowly_than_assumed_break_the_promise_too():
    seen = rates(0, 600, seed=1, apart=POOR, fades=4 * SETTINGS.correlation_seconds)
    assert seen["called out"] > most(600, SETTINGS.false_alarm_rate)


@pytest.mark.parametrize("apart", [GOOD, POOR])
def test_the_made_up_classifier_is_calibrated_and_as_often_wrong_as_told(apart):
    rng = np.random.default_rng(9)
    sure, right = [], []
    for kind, share in enumerate(SETTINGS.priors):
        looks = looks_at(kind, round(20_000 * share), 30, 0.05, 0.2, rng, apart)[:, 0]
        sure += looks.max(axis=1).tolist()
        right += (looks.argmax(axis=1) == kind).tolist()
    assert np.mean(sure) == pytest.approx(np.mean(right), abs=0.01)
    assert 1 - np.mean(right) == pytest.approx(WRONG[apart], abs=0.01)


def test_someone_clear_is_judged_within_half_a_second_at_thirty_frames():
    medians = [rates(kind, 100, seed=kind)["median"] for kind in range(3)]
    assert 0.2 < max(medians) <= 0.5
