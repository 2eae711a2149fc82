"""One frame through the rooms: faces, people, looks, verdicts, the gate.

:class:`Watch` composes the stages and keeps what is known about the people; it has no effects
of its own, so that a test can walk it through any scene.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import time
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge.camera.frame import Frame
from edge.gate import decision, evidence, policy, tracker
from edge.gate.decision import DecisionSettings, Evidence, Verdict
from edge.gate.evidence import Lack
from edge.gate.fixtures import Fixtures
from edge.gate.policy import Gate, GateState, PolicySettings, Present
from edge.gate.scene_cut import Thumbnail, is_cut, thumbnail
from edge.gate.tracker import Track, TrackerSettings, Tracks
from edge.report.events import Event, EventKind
from edge.report.summary import PersonRecord
from edge.report.timing import Stopwatch
from edge.vision.crop import Image
from edge.vision.geometry import Boxes

# A summary names at most so many people, so that a gate may run for months.
_KEPT_PEOPLE = 1000


class FoundFaces(Protocol):
    """What a detector finds: *boxes* (N, 4), *scores* (N,) and *landmarks* (N, 5, 2), float32.

    Boxes and landmarks are in pixels; a detector without landmarks gives zeros.
    """

    @property
    def boxes(self) -> Boxes: ...

    @property
    def scores(self) -> npt.NDArray[np.float32]: ...

    @property
    def landmarks(self) -> npt.NDArray[np.float32]: ...


class Detector(Protocol):
    """Finds the faces in a picture, also those it is little sure of.

    *small* is the same picture with fewer pixels; what is found in it is told in pixels of
    *image*.  A detector for sources that never give one may do without it.
    """

    def detect(self, image: Image, small: Image | None = None) -> FoundFaces: ...


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
    last announced.  *picture* is the file name of the first frame, where it has one.  *lack*
    says, while no look was evidence yet, what the best of them lacked.
    """

    track: Track
    evidence: Evidence = field(default_factory=Evidence)
    number: int | None = None
    told: Verdict = "unsure"
    picture: str = ""
    lack: Lack = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """What is so after a frame: the *people* followed, the *gate*, and what just happened.

    *size* is the picture's (width, height) in pixels, *faces* is where the detector found any
    in it, also those that are nobody's yet.
    """

    people: tuple[Person, ...] = ()
    gate: Gate = field(default_factory=Gate)
    events: tuple[Event, ...] = ()
    size: tuple[int, int] = (0, 0)
    faces: tuple[tracker.Box, ...] = ()


class Watch:
    """Turns frames into scenes with the two networks; remembers the people it sees.

    *room* is what is known from before to be no person, on a clock that begins at 0.  *cuts*:
    whether the source may have hard cuts, as a film has; a camera has none, and what looks like
    one there is a lamp, a door that opens or a coat before the lens.
    *faces*, *classified* and *verdicts* (the last verdict of everyone who left) count the
    whole run; *gone* are the newest of those who left.
    """

    def __init__(
        self,
        detector: Detector,
        classifier: Classifier,
        settings: Settings,
        stopwatch: Stopwatch | None = None,
        room: Fixtures | None = None,
        *,
        cuts: bool = True,
    ) -> None:
        self.scene = Scene(gate=Gate(fixtures=room or Fixtures()))
        self.faces = 0
        self.classified = 0
        self.verdicts: dict[Verdict, int] = {"mask": 0, "no_mask": 0, "incorrect": 0, "unsure": 0}
        self.gone: deque[PersonRecord] = deque(maxlen=_KEPT_PEOPLE)
        self._detector = detector
        self._classifier = classifier
        self._settings = settings
        self._stopwatch = stopwatch or Stopwatch()
        self._cuts = cuts
        self._tracks = Tracks()
        self._thumbnail: Thumbnail | None = None
        self._next_number = 1

    def see(self, frame: Frame, now: float, at: time | None = None) -> Scene:
        """Return the scene after *frame*, taken at *now* seconds of the source's time.

        *at* is the local time of day, for quiet hours; without it none are quiet.  After a
        hard cut everyone is somebody new, where the source may have any.
        """
        lap = self._stopwatch.lap
        pictures = (frame.image,) if frame.small is None else (frame.image, frame.small)
        found = self._detector.detect(*pictures)
        sure = self._settings.tracker.start_score
        self.faces += sum(score >= sure for score in found.scores.tolist())
        lap("detect")
        if self._cut(frame.image):
            self._tracks = replace(self._tracks, tracks=())
            self.scene = replace(self.scene, gate=policy.new_scene(self.scene.gate))
        self._tracks = tracker.update(
            self._tracks, found.boxes, found.scores, now, self._settings.tracker
        )
        known = {person.track.id: person for person in self.scene.people}
        people = [self._followed(known.pop(t.id, None), t, frame) for t in self._tracks.tracks]
        lap("track")
        looks, lacks = self._look(people, found, frame.image, now)
        lap("classify")
        events = self._farewells(known.values(), now)
        for i, person in enumerate(people):
            track = person.track.id
            people[i] = self._judged(person, looks.get(track), lacks.get(track, ""), now)
        height, width = frame.image.shape[:2]
        faces = tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in found.boxes.tolist())
        self._advance(people, events, (width, height), now, at, faces)
        lap("decide")
        return self.scene

    def use(
        self,
        detector: Detector | None = None,
        classifier: Classifier | None = None,
        settings: Settings | None = None,
    ) -> None:
        """Go on with these from the next frame on; whoever is followed stays who they are."""
        self._detector = detector or self._detector
        self._classifier = classifier or self._classifier
        self._settings = settings or self._settings

    def end(self, now: float) -> Scene:
        """Return the last scene, in which everyone has left: the source has ended."""
        events = self._farewells(self.scene.people, now)
        self._tracks = replace(self._tracks, tracks=())
        self._advance([], events, self.scene.size, now, None)
        return self.scene

    def _cut(self, image: Image) -> bool:
        if not self._cuts:
            return False
        before, self._thumbnail = self._thumbnail, thumbnail(image)
        return before is not None and is_cut(before, self._thumbnail)

    def _followed(self, person: Person | None, track: Track, frame: Frame) -> Person:
        before = person or Person(track, picture=frame.name)
        number = before.number
        if track.confirmed and number is None:
            number = self._next_number
            self._next_number += 1
        # Written out, here and below: dataclasses.replace takes three times as long.
        return Person(track, before.evidence, number, before.told, before.picture, before.lack)

    def _look(
        self, people: Sequence[Person], found: FoundFaces, image: Image, now: float
    ) -> tuple[dict[int, list[float]], dict[int, Lack]]:
        """Return the probabilities for those worth a look, and what others lack, by track id."""
        height, width = image.shape[:2]
        settings = self._settings.decision
        wanted: dict[int, int] = {}
        lacks: dict[int, Lack] = {}
        for p in people:
            track = p.track
            if track.face is None or not decision.needs_look(p.evidence, now, settings):
                continue
            lack = evidence.box_lacks(
                track.box, min(track.score, track.usual_score), width, height, settings
            ) or evidence.look_lacks(image, track.box, found.landmarks[track.face], settings)
            if lack:
                lacks[track.id] = lack
            else:
                wanted[track.id] = track.face
        if not wanted:
            return {}, lacks
        answers = self._classifier.probabilities(image, found.boxes[list(wanted.values())])
        self.classified += len(wanted)
        looks = {track: answer.tolist() for track, answer in zip(wanted, answers, strict=True)}
        return looks, lacks

    def _judged(
        self, person: Person, look: list[float] | None, lack: Lack, now: float
    ) -> Person:
        if look is not None:
            known = decision.update(person.evidence, look, now, self._settings.decision)
            return Person(person.track, known, person.number, person.told, person.picture)
        if lack and not person.evidence.looks:
            return replace(person, lack=evidence.furthest(person.lack, lack))
        return person

    def _advance(
        self,
        people: list[Person],
        events: list[Event],
        size: tuple[int, int],
        now: float,
        at: time | None,
        faces: tuple[tracker.Box, ...] = (),
    ) -> None:
        """Let the gate react to *people*, note in them what is told, and keep the scene.

        Adds to *events*.
        """
        settings = self._settings
        present = [
            _present(p, p.number, size)
            for p in people
            if p.number is not None
            and (p.evidence.verdict != "unsure" or evidence.is_near(p.track.box, settings.decision))
        ]
        before = self.scene.gate
        gate = policy.update(before, present, now, settings.policy, at)
        for i, person in enumerate(people):
            verdict, number = person.evidence.verdict, person.number
            if number is not None and verdict != person.told and not gate.fixtures.hold(number):
                people[i] = replace(person, told=verdict)
                events.append(_event(person, "person_judged", now))
        if before.state is GateState.ALARM and gate.state is not GateState.ALARM:
            events.append(Event(now, "alarm_ended"))
        began = gate.rings.keys() - before.rings.keys()
        kind: EventKind = "person_rings" if before.state is GateState.ALARM else "alarm_started"
        for person in people:
            if person.number in began:
                events.append(replace(_event(person, kind, now), muted=gate.muted))
                kind = "person_rings"
        if gate.fixtures.places != before.fixtures.places:
            known = {place.box for place in before.fixtures.places}
            for person in people:
                stay = gate.fixtures.stays.get(person.number or 0)
                if stay is not None and stay.fixed and stay.box not in known:
                    events.append(_event(person, "fixture_found", now))
        self.scene = Scene(tuple(people), gate, tuple(events), size, faces)

    def _farewells(self, gone: Iterable[Person], now: float) -> list[Event]:
        """Return what to tell of those who are *gone*.

        A poster is lost and found all day.  Once it is known as one, nothing is told of it: it
        would be in the day's figures each time, and in a new model's.
        """
        hold = self.scene.gate.fixtures.hold
        return [
            self._left(person, now)
            for person in gone
            if person.number and (person.told != "unsure" or not hold(person.number))
        ]

    def _left(self, person: Person, now: float) -> Event:
        self.verdicts[person.told] += 1
        self.gone.append(_record(person))
        unsure = person.evidence.verdict == "unsure"
        return replace(_event(person, "person_left", now), lack=person.lack if unsure else "")


def _present(person: Person, number: int, size: tuple[int, int]) -> Present:
    (width, height), (x0, y0, x1, y1) = size, person.track.box
    return Present(
        number,
        person.evidence.verdict,
        box=(x0 / width, y0 / height, x1 / width, y1 / height),
        size=max(x1 - x0, y1 - y0) / max(size),
    )


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
        lack=person.lack,
    )
