"""While the camera is at fault the gate says so, judges nobody, and can still be stopped."""

from __future__ import annotations

import json
import time

import pytest

from edge.alerts.opening import open_outputs
from edge.alerts.outputs import Outputs
from edge.alerts.pins import Pins
from edge.alerts.settings import DEFAULT_OUTPUTS
from edge.camera.fakes import SteppedSource
from edge.camera.health import Tolerance
from edge.camera.scripted import ScriptedCamera
from edge.camera.steady import SteadySource
from edge.errors import SourceError
from edge.gate.policy import GateState
from edge.report.events import event_line, event_words
from edge.service import Limits, run
from edge.watch import Settings
from tests.observers import Told


class Recording:
    """An output that remembers what it was told, and when by the camera's clock."""

    name = "recording"

    def __init__(self, clock) -> None:
        self.clock = clock
        self.shown: list[tuple[float, GateState]] = []
        self.renewed = 0

    def renew(self):
        self.renewed += 1

    def show(self, state, muted=False):
        self.shown.append((self.clock(), state))

    def close(self):
        pass

    @property
    def states(self) -> list[GateState]:
        states = [state for _, state in self.shown]
        return [s for i, s in enumerate(states) if i == 0 or states[i - 1] is not s]


@pytest.fixture
def go(detector, classifier, painted):
    """Run the gate over a scripted camera with someone before it; return what came of it."""

    def go(script, face="no_mask", outputs=None, **options):
        source = SteppedSource(
            script, frames_per_second=10.0,
            pictures=lambda n: painted((face, 100 + n % 3, 80, 50)),
        )
        output = Recording(source.clock)
        events = []
        options = {"observer": Told(events.append), "limits": Limits(seconds=20), **options}
        outcome = run(
            source, detector, classifier, outputs or Outputs([output]), Settings(), **options
        )
        return outcome, events, output

    return go


@pytest.mark.parametrize(
    ("behaviour", "fault"),
    [("freeze", "frozen"), ("black", "black"), ("unplug", "unplugged"), ("garbage", "garbage")],
)
def test_each_fault_is_shown_and_told_and_so_is_its_end(go, behaviour, fault):
    outcome, events, output = go([(4, "picture"), (8, behaviour), (30, "picture")])
    told = [e for e in events if e.event.startswith("camera")]
    assert [(e.event, e.fault) for e in told] == [
        ("camera_fault", fault), ("camera_recovered", fault),
    ]
    assert output.states[2:5] == [GateState.ALARM, GateState.CAMERA_FAULT, GateState.IDLE]
    assert outcome.error is None and f"in all: {fault}" in outcome.remarks[0]


def test_an_alarm_is_silent_during_a_fault_and_nobody_is_judged_by_what_was_before(go):
    outcome, events, output = go([(4, "picture"), (6, "unplug"), (30, "picture")])
    names = [e.event for e in events]
    fault, back = names.index("camera_fault"), names.index("camera_recovered")
    assert names[fault - 2 : back + 1] == [
        "person_left", "alarm_ended", "camera_fault", "camera_recovered",
    ]
    blind = [s for t, s in output.shown if events[fault].time < t < events[back].time]
    assert set(blind) == {GateState.CAMERA_FAULT}
    again = next(e for e in events[back:] if e.event == "person_judged")
    assert again.person == 2 and again.time - events[back].time > 0.2
    assert outcome.alarms[0][1] == events[fault].time


def test_a_masked_face_does_not_keep_the_door_green_through_a_fault(go):
    _, _, output = go([(4, "picture"), (8, "freeze"), (30, "picture")], face="mask")
    after_pass = output.states[output.states.index(GateState.PASS) + 1 :]
    assert after_pass[:2] == [GateState.CAMERA_FAULT, GateState.IDLE]


def test_a_lasting_fault_is_shown_once_and_confirmed_all_the_time(go):
    _, _, output = go([(2, "picture"), (60, "black")], limits=Limits(seconds=40))
    shown = [state for _, state in output.shown]
    assert shown.count(GateState.CAMERA_FAULT) == 1
    # Lights go out when nobody confirms for 10 s; this is more often than once a second.
    assert output.renewed > 40


def test_the_buzzer_is_off_when_a_fault_is_told(go, mock_pins):
    devices = open_outputs(DEFAULT_OUTPUTS, Pins(mock_pins, True, "test"))
    levels = []

    def look(event):
        levels.append((event.event, bool(mock_pins.pin(17).state)))

    script = [(4, "picture"), (6, "unplug"), (9, "picture")]
    go(script, outputs=Outputs(devices), observer=Told(look))
    names = [name for name, _ in levels]
    assert "alarm_started" in names[: names.index("camera_fault")]
    assert ("camera_fault", False) in levels and ("camera_fault", True) not in levels


def test_limits_and_a_reason_to_stop_end_a_run_during_a_fault(go):
    dead = [(1, "picture"), (600, "unplug")]
    outcome, _, _ = go(dead, limits=Limits(seconds=5))
    assert outcome.ended == "stopped after 5 s" and "still was at the end" in outcome.remarks[0]
    reasons = iter([""] * 30 + ["stopped by SIGTERM"] * 3)
    outcome, _, output = go(dead, limits=Limits(), stop=lambda: next(reasons))
    assert outcome.ended == "stopped by SIGTERM"
    assert output.states[-2:] == [GateState.CAMERA_FAULT, GateState.SHUTDOWN]


def test_a_camera_that_was_never_there_is_waited_for_and_the_wait_can_be_ended(
    detector, classifier
):
    def absent():
        raise SourceError("door: no such camera; plug it in")

    source = SteadySource(absent, "door", patient=True)
    output = Recording(time.monotonic)
    events = []
    began = time.monotonic()
    outcome = run(
        source, detector, classifier, Outputs([output]), Settings(),
        observer=Told(events.append), stop=lambda: "stopped by SIGTERM" if events else "",
    )
    assert time.monotonic() - began < 5
    assert (outcome.ended, outcome.frames) == ("stopped by SIGTERM", 0)
    assert events[0].detail == "door: no such camera; plug it in"
    assert output.states == [GateState.CAMERA_FAULT, GateState.SHUTDOWN]


def test_a_driver_that_hangs_stalls_the_camera_and_not_the_gate(detector, classifier, painted):
    camera = ScriptedCamera(
        [(1.0, "picture"), (1.2, "hang"), (60, "picture")],
        lambda n: painted(("no_mask", 100 + n % 3, 80, 50)),
    )
    source = SteadySource(camera.open, "door", tolerance=Tolerance(stalled=0.4))
    output = Recording(time.monotonic)
    events = []
    until = time.monotonic() + 15

    def stop():
        back = any(e.event == "camera_recovered" for e in events)
        return "seen enough" if back or time.monotonic() > until else ""

    outcome = run(
        source, detector, classifier, Outputs([output]), Settings(),
        observer=Told(events.append), stop=stop,
    )
    told = [(e.event, e.fault) for e in events if e.event.startswith("camera")]
    assert told == [("camera_fault", "stalled"), ("camera_recovered", "stalled")]
    assert output.states[-3:] == [
        GateState.CAMERA_FAULT, GateState.IDLE, GateState.SHUTDOWN,
    ]
    assert outcome.remarks[0].startswith("the camera was at fault once, ")


def test_a_fault_is_a_line_for_people_and_for_programs(go):
    _, events, _ = go([(4, "picture"), (6, "unplug"), (9, "picture")])
    fault, back = (e for e in events if e.event.startswith("camera"))
    assert "CAMERA FAULT, unplugged: scripted: delivers no pictures" in event_words(fault)
    assert event_words(back).endswith(" s (unplugged)") and "sees again" in event_words(back)
    values = json.loads(event_line(fault, "model 1"))
    assert values["fault"] == "unplugged" and values["detail"].endswith("check the cable")
    assert "person" not in values
