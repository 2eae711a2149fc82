"""Mask or no mask, decided about a person over time: a sequential probability-ratio test.

Three hypotheses about one person: mask worn right (M), none (N), worn wrong (I).  Every look
at the face gives calibrated probabilities ``p = (pM, pN, pI)``.  They hold for the shares
``q`` of the labels that the classifier was calibrated on (``priors``, from its card), so
``r_k = p_k / q_k`` is the likelihood of hypothesis k but for a common factor (Bayes' rule);
without that division a rare label would be counted as unlikely again at every look.  The test
adds up logarithms::

    l_k  = max(log r_k - max_j log r_j, -clip)      one look, clipped
    w    = tanh(gap / (2 * correlation))            how much of it is new; 1 for the first look
    S_k += w * l_k

and says (``A`` the bounds, Wald's approximation)::

    mask       when  S_M - max(S_N, S_I)               >= log(1 / miss_rate)
    not right  when  log((e^S_N + e^S_I) / 2) - S_M    >= log(1 / false_alarm_rate)

"Not right" is *no_mask* or *incorrect*, whichever is likelier.  Were the looks independent and
the probabilities exact, a person with a mask would be called out with a probability of at most
``false_alarm_rate``, however long the test goes on, and the other way round (Wald, *Sequential
Tests of Statistical Hypotheses*, 1945; Ville's inequality gives the bound for the mixture; for
several hypotheses: Baum and Veeravalli, *A Sequential Procedure for Multihypothesis Testing*,
1994).

Looks are not independent: a person who stands still gives one opinion thirty times a second.
If errors fade like ``rho = exp(-gap / correlation)``, n looks are worth
``1 + (n - 1) (1 - rho) / (1 + rho)`` independent ones (generalised least squares on a
first-order autoregression), and ``(1 - rho) / (1 + rho) = tanh(gap / (2 * correlation))``.

Probabilities are not exact either, so one opinion can move a ratio by ``clip`` at the most,
and no bound can be reached in fewer than ``min_looks`` looks.

After a verdict the scores are kept from running away (``floor``), so that a mask taken off is
noticed in two seconds; the verdict changes only when the other bound is crossed.

docs/decision.md works an example frame by frame, and says what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edge.errors import UsageError

Verdict = Literal["mask", "no_mask", "incorrect", "unsure"]
VERDICTS: tuple[Verdict, Verdict, Verdict] = ("mask", "no_mask", "incorrect")
"""Verdicts in the order of the classifier's labels."""


@dataclass(frozen=True, slots=True)
class DecisionSettings:
    """How sure to be, and what counts as evidence.

    false_alarm_rate     share of people with a mask who may be called out; lower is slower
    miss_rate            share of people without who may pass as masked; lower is slower
    mix_up_rate          *no_mask* becomes *incorrect*, or back, only against odds of 1 to this;
                         both ring, so it only keeps the word from flickering
    clip                 the most one opinion can move a log ratio; 2.5 is odds of 12 to 1, and
                         looks that claim more were measured to be worth 65 to 1
    correlation_seconds  time in which a look's error fades to 1/e; longer, and a still person
                         is judged more slowly; 0.2 was measured on people walking up
    min_looks            looks before any verdict
    min_face_pixels      a face whose shorter side is below this is no evidence
    min_score            nor is one that the detector is less sure of than this, 0 to 1
    min_brightness       nor one whose upper half stays below this luma, 0 to 255
    min_sharpness        nor one with less detail than this, 0 (flat) to 2; see evidence.py
    max_turn             nor one whose nose is further from between the eyes than this, in
                         distances between them; 0.5 is below an eye
    recheck_seconds      how often a settled person is looked at again
    priors               shares of the labels the probabilities were calibrated on

    Raises UsageError for a value outside its range, and for a *clip* that lets one look decide.
    """

    false_alarm_rate: float = 0.01
    miss_rate: float = 0.01
    mix_up_rate: float = 0.05
    clip: float = 2.5
    correlation_seconds: float = 0.2
    min_looks: int = 3
    min_face_pixels: float = 20.0
    min_score: float = 0.5
    min_brightness: float = 6.0
    min_sharpness: float = 0.3
    max_turn: float = 1.0
    recheck_seconds: float = 0.15
    priors: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)

    def __post_init__(self) -> None:
        _check("false_alarm_rate", self.false_alarm_rate, 1e-9, 0.4)
        _check("miss_rate", self.miss_rate, 1e-9, 0.4)
        _check("mix_up_rate", self.mix_up_rate, 1e-9, 1)
        _check("correlation_seconds", self.correlation_seconds, 0.001, 60)
        _check("min_looks", self.min_looks, 2, 1000)
        _check("min_face_pixels", self.min_face_pixels, 1, 10_000)
        _check("min_score", self.min_score, 0, 1)
        _check("min_brightness", self.min_brightness, 0, 255)
        _check("min_sharpness", self.min_sharpness, 0, 2)
        _check("max_turn", self.max_turn, 0.25, 10)
        _check("recheck_seconds", self.recheck_seconds, 0, 60)
        for prior in self.priors:
            _check("a prior", prior, 1e-6, 1)
        low = min(self.alarm_bound, self.pass_bound)
        if not 0 < self.clip < low:
            raise UsageError(
                f"clip is {self.clip}; allowed: above 0 and below {low:.2f}, the lower of the two "
                "bounds, so that one look never decides"
            )

    @property
    def alarm_bound(self) -> float:
        """Log ratio of "not right" against "mask" that ends the test, log(1/false_alarm_rate)."""
        return -math.log(self.false_alarm_rate)

    @property
    def pass_bound(self) -> float:
        """Log ratio of "mask" against each other that ends the test, log(1/miss_rate)."""
        return -math.log(self.miss_rate)

    @property
    def mix_up_bound(self) -> float:
        """Log ratio that turns *no_mask* into *incorrect* or back."""
        return -math.log(self.mix_up_rate)

    @property
    def floor(self) -> float:
        """How far below the best score another can fall: the higher bound, and half a look more.

        The half keeps one doubtful look from unsettling a verdict.
        """
        return max(self.alarm_bound, self.pass_bound) + math.log(2) + self.clip / 2


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about one person.

    *scores* are log-likelihoods of mask, no_mask, incorrect, the best of them 0.  *opinions*
    is what the *looks* are worth in independent ones.  Times are seconds of the frames' clock,
    None before there was such a moment; *decided_at* is when the first verdict was reached.
    """

    scores: tuple[float, float, float] = (0.0, 0.0, 0.0)
    looks: int = 0
    opinions: float = 0.0
    first_look: float | None = None
    last_look: float | None = None
    verdict: Verdict = "unsure"
    decided_at: float | None = None


def update(
    evidence: Evidence, probabilities: Sequence[float], now: float, settings: DecisionSettings
) -> Evidence:
    """Return *evidence* after a look at *now* that gave *probabilities* of the three verdicts.

    A look that is no opinion (not a number, all zero, or no later than the last) changes nothing.
    """
    total = sum(probabilities)
    if not (math.isfinite(total) and total > 0) or min(probabilities) < 0:
        return evidence
    if evidence.last_look is None:
        weight = 1.0
    else:
        weight = math.tanh((now - evidence.last_look) / (2 * settings.correlation_seconds))
    if weight <= 0:
        return evidence
    logs = [
        math.log(max(p, 1e-30) / prior)
        for p, prior in zip(probabilities, settings.priors, strict=True)
    ]
    best = max(logs)
    raised = [
        score + weight * max(log - best, -settings.clip)
        for score, log in zip(evidence.scores, logs, strict=True)
    ]
    best, floor = max(raised), -settings.floor
    mask, bare, wrong = (max(score - best, floor) for score in raised)
    looks = evidence.looks + 1
    verdict = evidence.verdict
    if looks >= settings.min_looks:
        verdict = _verdict((mask, bare, wrong), verdict, settings)
    decided_at = evidence.decided_at
    if decided_at is None and verdict != "unsure":
        decided_at = now
    return Evidence(
        scores=(mask, bare, wrong),
        looks=looks,
        opinions=evidence.opinions + weight,
        first_look=now if evidence.first_look is None else evidence.first_look,
        last_look=now,
        verdict=verdict,
        decided_at=decided_at,
    )


def confidence(evidence: Evidence) -> float:
    """Return how probable the verdict is, 0 to 1, by the evidence alone.

    While unsure it is that of the likeliest verdict: 0.33 before the first look.
    """
    weights = [math.exp(score) for score in evidence.scores]
    if evidence.verdict == "unsure":
        return max(weights) / sum(weights)
    return weights[VERDICTS.index(evidence.verdict)] / sum(weights)


def needs_look(evidence: Evidence, now: float, settings: DecisionSettings) -> bool:
    """Return whether a look now is worth a classification.

    Always while unsure, and while a verdict stands below its bound because looks contradict it;
    else every ``recheck_seconds``.
    """
    if evidence.verdict == "unsure" or evidence.last_look is None:
        return True
    if _verdict(evidence.scores, "unsure", settings) == "unsure":
        return True
    return now - evidence.last_look >= settings.recheck_seconds


def leaning(evidence: Evidence, settings: DecisionSettings) -> float:
    """Return which way *evidence* leans, as a share of the bound: -1 is mask, 1 is not right."""
    for_mask = evidence.scores[0] - max(evidence.scores[1:])
    against = _not_right(evidence.scores)
    if for_mask > 0:
        return -min(1.0, for_mask / settings.pass_bound)
    return min(1.0, max(0.0, against) / settings.alarm_bound)


def _verdict(
    scores: tuple[float, float, float], before: Verdict, settings: DecisionSettings
) -> Verdict:
    mask, bare, wrong = scores
    if mask - max(bare, wrong) >= settings.pass_bound:
        return "mask"
    if _not_right(scores) < settings.alarm_bound:
        return before
    likelier: Verdict = "no_mask" if bare >= wrong else "incorrect"
    alarming = before in ("no_mask", "incorrect")
    if alarming and abs(bare - wrong) < settings.mix_up_bound:
        return before
    return likelier


def _not_right(scores: tuple[float, float, float]) -> float:
    mask, bare, wrong = scores
    high = max(bare, wrong)
    return high + math.log((math.exp(bare - high) + math.exp(wrong - high)) / 2) - mask


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UsageError(f"{name} is {value}; allowed: {low:g} to {high:g}")
