"""One frame through the rooms: faces, people, looks, verdicts, the gate.

:class:`Watch` composes the stages and keeps what is known about the people; it has no effects
of its own, so that a test can walk it through any scene.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge.camera.frame import Frame
from edge.gate import decision, policy, tracker
from edge.gate.decision import DecisionSettings, Evidence, Verdict
from edge.gate.policy import Gate, GateState, PolicySettings, Present
from edge.gate.tracker import Track, TrackerSettings, Tracks
from edge.report.events import Event, EventKind
from edge.report.summary import PersonRecord
from edge.report.timing import Stopwatch
from edge.vision.crop import Image
from edge.vision.geometry import Boxes

# A summary names at most so many people, so that a gate may run for months.
_KEPT_PEOPLE = 1000


class FoundFaces(Protocol):
    """What a detector finds: *boxes* (N, 4) in pixels and *scores* (N,), both float32."""

    @property
    def boxes(self) -> Boxes: ...

    @property
    def scores(self) -> npt.NDArray[np.float32]: ...


class Detector(Protocol):
    """Finds the faces in a picture, also those it is little sure of."""

    def detect(self, image: Image) -> FoundFaces: ...


class Classifier(Protocol):
    """Gives the probabilities of the three labels, (N, 3) float32, for faces in a picture."""

    def probabilities(self, image: Image, boxes: Boxes) -> npt.NDArray[np.float32]: ...


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of every stage, and how long to wait for a frame, in seconds."""

    tracker: TrackerSettings = field(default_factory=TrackerSettings)
    decision: DecisionSettings = field(default_factory=DecisionSettings)
    policy: PolicySettings = field(default_factory=PolicySettings)
    read_timeout: float = 5.0


@dataclass(frozen=True, slots=True)
class Person:
    """A track and the evidence about it.

    *number* counts people, None while the track may be none.  *told* is the verdict that was
    last announced.  *picture* is the file name of the first frame, where it has one.
    """

    track: Track
    evidence: Evidence = field(default_factory=Evidence)
    number: int | None = None
    told: Verdict = "unsure"
    picture: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """What is so after a frame: the *people* followed, the *gate*, and what just happened."""

    people: tuple[Person, ...] = ()
    gate: Gate = field(default_factory=Gate)
    events: tuple[Event, ...] = ()


class Watch:
    """Turns frames into scenes with the two networks; remembers the people it sees.

    *faces*, *classified* and *verdicts* (the last verdict of everyone who left) count the
    whole run; *gone* are the newest of those who left.
    """

    def __init__(
        self,
        detector: Detector,
        classifier: Classifier,
        settings: Settings,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        self.scene = Scene()
        self.faces = 0
        self.classified = 0
        self.verdicts: dict[Verdict, int] = {"mask": 0, "no_mask": 0, "incorrect": 0, "unsure": 0}
        self.gone: deque[PersonRecord] = deque(maxlen=_KEPT_PEOPLE)
        self._detector = detector
        self._classifier = classifier
        self._settings = settings
        self._stopwatch = stopwatch or Stopwatch()
        self._tracks = Tracks()
        self._next_number = 1

    def see(self, frame: Frame, now: float) -> Scene:
        """Return the scene after *frame*, taken at *now* seconds of the source's time."""
        lap = self._stopwatch.lap
        found = self._detector.detect(frame.image)
        self.faces += int(np.count_nonzero(found.scores >= self._settings.tracker.start_score))
        lap("detect")
        self._tracks = tracker.update(
            self._tracks, found.boxes, found.scores, now, self._settings.tracker
        )
        known = {person.track.id: person for person in self.scene.people}
        people = [self._followed(known.pop(t.id, None), t, frame) for t in self._tracks.tracks]
        lap("track")
        looks = self._look(people, found, frame.image, now)
        lap("classify")
        events = [self._left(person, now) for person in known.values() if person.number]
        for i, person in enumerate(people):
            people[i], said = self._judged(person, looks.get(person.track.id), now)
            events += said
        self._advance(people, events, now)
        lap("decide")
        return self.scene

    def end(self, now: float) -> Scene:
        """Return the last scene, in which everyone has left: the source has ended."""
        events = [self._left(person, now) for person in self.scene.people if person.number]
        self._tracks = replace(self._tracks, tracks=())
        self._advance([], events, now)
        return self.scene

    def _followed(self, person: Person | None, track: Track, frame: Frame) -> Person:
        person = replace(person or Person(track, picture=frame.name), track=track)
        if track.confirmed and person.number is None:
            person = replace(person, number=self._next_number)
            self._next_number += 1
        return person

    def _look(
        self, people: Sequence[Person], found: FoundFaces, image: Image, now: float
    ) -> dict[int, list[float]]:
        """Return the probabilities for those worth a look, by track id."""
        height, width = image.shape[:2]
        settings = self._settings.decision
        wanted = {
            p.track.id: p.track.face
            for p in people
            if p.track.face is not None
            and decision.is_evidence(p.track.box, p.track.score, width, height, settings)
            and decision.needs_look(p.evidence, now, settings)
        }
        if not wanted:
            return {}
        answers = self._classifier.probabilities(image, found.boxes[list(wanted.values())])
        self.classified += len(wanted)
        return {track: answer.tolist() for track, answer in zip(wanted, answers, strict=True)}

    def _judged(
        self, person: Person, look: list[float] | None, now: float
    ) -> tuple[Person, list[Event]]:
        if look is not None:
            evidence = decision.update(person.evidence, look, now, self._settings.decision)
            person = replace(person, evidence=evidence)
        verdict = person.evidence.verdict
        if person.number is None or verdict == person.told:
            return person, []
        return replace(person, told=verdict), [_event(person, "person_judged", now)]

    def _advance(self, people: list[Person], events: list[Event], now: float) -> None:
        """Let the gate react to *people* and keep the scene; adds to *events*."""
        settings = self._settings
        present = [
            Present(p.number, p.evidence.verdict)
            for p in people
            if p.number is not None
            and (p.told != "unsure" or decision.is_near(p.track.box, settings.decision))
        ]
        before = self.scene.gate
        gate = policy.update(before, present, now, settings.policy)
        if gate.state is not before.state:
            if before.state is GateState.ALARM:
                events.append(Event(now, "alarm_ended"))
            if gate.state is GateState.ALARM:
                events += [
                    _event(p, "alarm_started", now)
                    for p in people
                    if p.number not in gate.silenced and p.told in ("no_mask", "incorrect")
                ][:1]
        self.scene = Scene(tuple(people), gate, tuple(events))

    def _left(self, person: Person, now: float) -> Event:
        self.verdicts[person.told] += 1
        self.gone.append(_record(person))
        return _event(person, "person_left", now)


def _event(person: Person, kind: EventKind, now: float) -> Event:
    return Event(
        time=now,
        event=kind,
        person=person.number,
        verdict=person.evidence.verdict,
        confidence=decision.confidence(person.evidence),
        box=person.track.box,
        picture=person.picture,
    )


def _record(person: Person) -> PersonRecord:
    track, evidence = person.track, person.evidence
    decided = evidence.decided_at
    return PersonRecord(
        person=person.number or 0,
        verdict=evidence.verdict,
        confidence=decision.confidence(evidence),
        first_seen=track.first_seen,
        last_seen=track.last_seen,
        # From the first look, not from the first sight of someone still too far to be judged.
        to_verdict=None if decided is None else decided - (evidence.first_look or 0.0),
        picture=person.picture,
    )
