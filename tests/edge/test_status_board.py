"""What the status page knows, and from whom."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import numpy as np
import pytest

from edge.camera.fault import Fault
from edge.camera.frame import Frame
from edge.gate.decision import Evidence
from edge.gate.policy import Gate, GateState
from edge.gate.tracker import Track
from edge.report.events import Event
from edge.status.poster import Poster
from edge.watch import Person, Scene

FRAME = Frame(np.full((120, 160, 3), 90, np.uint8), 0.0, 0)
NOON = datetime(2026, 5, 4, 12, tzinfo=timezone.utc)
UNPLUGGED = Fault("unplugged", "USB camera 0 is gone; check the cable", 0.0, 1.0)


def person(number: int | None, verdict: str) -> Person:
    track = Track(number or 99, (10, 10, 40, 40), (0, 0), 0.9, 0.9, 0.0, 0.0, face=0)
    return Person(track, Evidence(verdict=verdict), number, verdict)


def scene_of(*verdicts: str, outside: int = 0) -> Scene:
    """Return a scene of people with these verdicts, the last *outside* of whom do not count."""
    people = tuple(person(i + 1, verdict) for i, verdict in enumerate(verdicts))
    counted = {i + 1: 0.0 for i in range(len(people) - outside)}
    return Scene(people, Gate(counted=counted))


@pytest.fixture
def gate():
    """A poster whose clocks are set by hand."""
    world = SimpleNamespace(seconds=100.0, local=NOON)
    world.poster = Poster(clock=lambda: world.seconds, local=lambda: world.local)
    return world


def step(gate, seconds: float) -> None:
    gate.seconds += seconds
    gate.local += timedelta(seconds=seconds)


def test_before_the_first_picture_it_is_starting(gate):
    status = gate.poster.status()
    assert status.trouble[0].startswith("starting") and status.standing.board.state is None
    assert status.frame_age is None and status.rate is None


def test_people_before_the_gate_are_counted_by_verdict(gate):
    gate.poster.seen(FRAME, scene_of("mask", "no_mask", "unsure", "mask", outside=1), 0.0)
    people = gate.poster.status().turn.people
    assert people == {"mask": 1, "no_mask": 1, "incorrect": 0, "unsure": 1}
    gate.poster.seen(FRAME, Scene(), 0.1)
    assert not any(gate.poster.status().turn.people.values())


def test_a_state_lasts_since_it_began_however_often_it_is_shown(gate):
    gate.poster.show(GateState.ALARM)
    step(gate, 4)
    gate.poster.show(GateState.ALARM, muted=True)
    status = gate.poster.status()
    assert status.state_seconds == 4 and status.standing.board.muted
    gate.poster.show(GateState.IDLE)
    assert gate.poster.status().state_seconds == 0


def test_the_rate_is_that_of_the_last_seconds(gate):
    for _ in range(100):
        step(gate, 0.05)
        gate.poster.seen(FRAME, Scene(), 0.0)
    assert gate.poster.status().rate == pytest.approx(20)
    for _ in range(20):
        step(gate, 0.5)
        gate.poster.seen(FRAME, Scene(), 0.0)
    assert gate.poster.status().rate == pytest.approx(2)
    step(gate, 6)
    assert gate.poster.status().rate == 0


def test_who_left_is_counted_today_and_in_all(gate):
    for verdict in ("mask", "mask", "no_mask", None):
        gate.poster.event(Event(1.0, "person_left", 1, verdict))
    gate.poster.event(Event(1.0, "alarm_started", 1, "no_mask"))
    status = gate.poster.status()
    counted = {"mask": 2, "no_mask": 1, "incorrect": 0, "unsure": 1, "alarms": 1}
    assert status.counts == counted
    gate.local += timedelta(days=1)
    tomorrow = gate.poster.status()
    assert not any(tomorrow.counts.values()) and tomorrow.standing.totals["mask"] == 2


def test_counting_goes_on_from_what_was_counted_today_before_a_restart():
    poster = Poster(counts={"mask": 7}, local=lambda: NOON)
    poster.event(Event(1.0, "person_left", 1, "mask"))
    status = poster.status()
    assert status.counts["mask"] == 8 and status.standing.totals == {"mask": 1}


def test_a_camera_at_fault_is_told_with_its_name_and_nobody_is_there(gate):
    gate.poster.seen(FRAME, scene_of("mask"), 0.0)
    gate.poster.show(GateState.CAMERA_FAULT)
    gate.poster.event(Event(1.0, "camera_fault", fault="unplugged", detail=UNPLUGGED.detail))
    gate.poster.blind(UNPLUGGED, 1.0)
    status = gate.poster.status()
    assert status.trouble == ("camera fault", f"camera fault, unplugged: {UNPLUGGED.detail}")
    assert not any(status.turn.people.values()) and status.rate is None
    assert status.standing.faults == {"unplugged": 1}


def test_the_fault_is_named_again_after_a_hang_in_the_middle_of_it(gate):
    gate.poster.show(GateState.CAMERA_FAULT)
    gate.poster.blind(UNPLUGGED, 1.0)
    gate.poster.show(GateState.SOFTWARE_FAULT)
    assert gate.poster.status().standing.board.fault == ""
    gate.poster.show(GateState.CAMERA_FAULT)
    gate.poster.blind(UNPLUGGED, 2.0)
    assert gate.poster.status().standing.board.fault == "unplugged"


def test_a_picture_ends_the_fault(gate):
    gate.poster.show(GateState.CAMERA_FAULT)
    gate.poster.blind(UNPLUGGED, 1.0)
    gate.poster.show(GateState.IDLE)
    gate.poster.seen(FRAME, Scene(), 2.0)
    status = gate.poster.status()
    assert status.trouble == ("", "") and status.standing.detail == ""


def test_a_loop_that_does_not_turn_hangs_whatever_it_showed_last(gate):
    gate.poster.use(SimpleNamespace(words=("a", "b"), settings=None), 3.0)
    gate.poster.show(GateState.PASS)
    gate.poster.seen(FRAME, Scene(), 0.0)
    step(gate, 2.9)
    assert gate.poster.status().trouble == ("", "")
    step(gate, 0.2)
    assert gate.poster.status().trouble[0] == "the main loop has not moved for 3 s"


def test_a_loop_that_waits_for_its_camera_turns(gate):
    for _ in range(10):
        step(gate, 1)
        gate.poster.waiting()
    assert gate.poster.status().trouble[0].startswith("starting")


def test_between_the_pictures_of_a_slow_camera_the_same_people_are_there(gate):
    gate.poster.seen(FRAME, scene_of("no_mask"), 0.0)
    step(gate, 1)
    gate.poster.waiting()
    assert gate.poster.status().turn.people["no_mask"] == 1
    step(gate, 1.5)
    gate.poster.waiting()
    assert gate.poster.status().turn.people["no_mask"] == 0


@pytest.mark.parametrize("state", ["software_fault", "shutdown", "crash"])
def test_states_of_the_program_are_trouble(gate, state):
    gate.poster.seen(FRAME, Scene(), 0.0)
    gate.poster.show(GateState(state))
    assert gate.poster.status().trouble[0]


def test_the_models_at_work_are_named_anew_when_they_change(gate):
    judges = SimpleNamespace(words=("d 1", "c 1"), settings=None)
    gate.poster.use(judges, 5.0)
    judges.words = ("d 1", "c 2")
    assert gate.poster.status().standing.models == ("d 1", "c 1")
    gate.poster.event(Event(1.0, "model_changed", detail="c 2 is used"))
    standing = gate.poster.status().standing
    assert standing.models == ("d 1", "c 2") and standing.totals == {"models_changed": 1}


def test_what_was_handed_out_does_not_change_any_more(gate):
    gate.poster.seen(FRAME, scene_of("mask"), 0.0)
    before = gate.poster.status()
    kept = replace(before)
    gate.poster.event(Event(1.0, "person_left", 1, "mask"))
    gate.poster.show(GateState.ALARM)
    gate.poster.seen(FRAME, scene_of("no_mask"), 0.1)
    assert before == kept and before.turn.people["mask"] == 1
    with pytest.raises(FrozenInstanceError):
        before.now = 0.0
