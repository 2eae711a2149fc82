"""A clip's evidence, person by person: the sequential test gone through again with settings.

The networks have spoken already; only the decision is made anew, so that a slider moves the
curve at once.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.gate import decision
from edge.gate.decision import DecisionSettings, Evidence, Verdict
from train.studio.messages import Drawn, SeenClip, Sight


@dataclass(frozen=True, slots=True)
class Moment:
    """One sight of a person, and the evidence after it.

    *evidence* is a log ratio: above 0 it speaks against the person, at ``alarm_bound`` it calls
    out; below 0 it speaks for a mask, at minus ``pass_bound`` it lets pass.  *looked* is whether
    the gate would have asked the classifier.
    """

    sight: Sight
    known: Evidence
    evidence: float
    looked: bool


@dataclass(frozen=True, slots=True)
class Story:
    """A person's *moments*, and the *verdict* and *confidence* at the end of them."""

    person: int
    moments: tuple[Moment, ...]
    verdict: Verdict
    confidence: float

    @property
    def seconds(self) -> float | None:
        """From the first look to the first verdict, None where there was none."""
        known = self.moments[-1].known
        if known.decided_at is None or known.first_look is None:
            return None
        return known.decided_at - known.first_look

    @property
    def counted(self) -> int:
        """How many of the moments moved the evidence."""
        return self.moments[-1].known.looks

    @property
    def lack(self) -> str:
        """What most looks lacked that were no evidence, "" where none lacked anything."""
        lacks = Counter(moment.sight.lack for moment in self.moments if moment.sight.lack)
        return lacks.most_common(1)[0][0] if lacks else ""


def stories(clip: SeenClip, settings: DecisionSettings) -> tuple[Story, ...]:
    """Return what *settings* make of everybody in *clip*."""
    people: dict[int, list[Sight]] = {}
    for sight in clip.sights:
        people.setdefault(sight.person, []).append(sight)
    return tuple(_story(person, sights, settings) for person, sights in sorted(people.items()))


def by_weight(told: Sequence[Story]) -> tuple[Story, ...]:
    """Return *told* as a person wants to read it: who is called out stands first, whom nothing is
    known of last."""

    def place(story: Story) -> tuple[int, int]:
        order = {"no_mask": 0, "incorrect": 0, "mask": 1}
        return order.get(story.verdict, 2 if story.counted else 3), story.person

    return tuple(sorted(told, key=place))


def log_ratio(evidence: Evidence) -> float:
    """Return the log ratio of "not right" against "mask"; see :class:`Moment`.

    The one of the two tests that is ahead is told, as ``decision.leaning`` does.
    """
    mask, bare, wrong = evidence.scores
    for_mask = mask - max(bare, wrong)
    if for_mask > 0:
        return -for_mask
    high = max(bare, wrong)
    against = high + math.log((math.exp(bare - high) + math.exp(wrong - high)) / 2) - mask
    return max(0.0, against)


def drawn(
    clip: SeenClip, told: Sequence[Story], settings: DecisionSettings
) -> tuple[tuple[tuple[Drawn, ...], ...], tuple[str, ...]]:
    """Return who is drawn on each frame of *clip*, and the gate's state then."""
    frames: list[list[Drawn]] = [[] for _ in clip.frames]
    for story in told:
        for moment in story.moments:
            sight, known = moment.sight, moment.known
            frames[sight.frame].append(
                Drawn(
                    story.person, sight.box, known.verdict, decision.confidence(known),
                    decision.leaning(known, settings), "" if known.looks else sight.lack,
                )
            )
    return tuple(map(tuple, frames)), tuple(_state(people) for people in frames)


def _state(people: Sequence[Drawn]) -> str:
    verdicts = {person.verdict for person in people}
    order: Mapping[str, str] = {
        "no_mask": "alarm", "incorrect": "alarm", "unsure": "looking", "mask": "pass",
    }
    return next((state for verdict, state in order.items() if verdict in verdicts), "idle")


def _story(person: int, sights: Sequence[Sight], settings: DecisionSettings) -> Story:
    known = Evidence()
    moments = []
    for sight in sights:
        said = sight.probabilities
        looked = said is not None and decision.needs_look(known, sight.time, settings)
        if said is not None and looked:
            known = decision.update(known, said, sight.time, settings)
        moments.append(Moment(sight, known, log_ratio(known), looked))
    return Story(person, tuple(moments), known.verdict, decision.confidence(known))
