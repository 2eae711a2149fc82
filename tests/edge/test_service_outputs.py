"""What the gate at work asks of its outputs: quiet at night, and no pass by an old picture."""

from __future__ import annotations

from datetime import time

import pytest

from edge.alerts.outputs import Outputs
from edge.camera.fakes import SteppedSource
from edge.camera.health import Tolerance
from edge.errors import OutputError
from edge.gate.hours import QuietHours
from edge.gate.policy import GateState, PolicySettings
from edge.service import Change, Limits, run
from edge.watch import Settings
from tests.observers import Told


class Recording:
    """An output that remembers what it was told; it cannot show *fails_at*."""

    def __init__(self, name="recording", fails_at=()):
        self.name = name
        self.fails_at = set(fails_at)
        self.shown: list[tuple[GateState, bool]] = []
        self.closed = False

    def show(self, state, muted=False):
        if state in self.fails_at:
            raise OSError("wire broken")
        self.shown.append((state, muted))

    def close(self):
        self.closed = True

    @property
    def states(self):
        return [state for state, _ in self.shown]


ALWAYS = Settings(policy=PolicySettings(quiet_hours=QuietHours(time(0, 0), time(23, 59))))


@pytest.fixture
def go(detector, classifier, painted):
    """Run the gate over a scripted camera with someone before it."""

    def go(script, output, face="no_mask", outputs=None, settings=None, **options):
        source = SteppedSource(
            script, frames_per_second=10.0, tolerance=Tolerance(frozen=60.0),
            pictures=lambda n: painted((face, 100 + n % 3, 80, 50)),
        )
        options = {"limits": Limits(seconds=20), "clock": source.clock, **options}
        return run(
            source, detector, classifier, outputs or Outputs([output]),
            settings or Settings(), **options
        )

    return go


def test_a_fault_of_the_camera_is_silent_in_quiet_hours(go):
    output = Recording()
    go([(4, "picture"), (9, "unplug"), (30, "picture")], output, settings=ALWAYS,
       time_of_day=lambda: time(3, 0))
    assert {muted for state, muted in output.shown if state is GateState.CAMERA_FAULT} == {True}
    assert output.shown[-1] == (GateState.SHUTDOWN, True)


def test_nobody_passes_by_a_picture_that_is_old(go):
    output = Recording()
    # A network camera may repeat a picture for a minute before that is called a fault.
    go([(4, "picture"), (9, "freeze"), (30, "picture")], output, face="mask")
    passed = output.states.index(GateState.PASS)
    assert output.states[passed + 1] is GateState.LOOKING
    assert GateState.CAMERA_FAULT not in output.states


def test_settings_that_change_at_work_let_people_stay_who_they_are(go):
    output, events, changes = Recording(), [], iter([None] * 30 + [Change(settings=ALWAYS)])
    outcome = go(
        [(8, "picture")], output, change=lambda: next(changes, None),
        observer=Told(events.append), time_of_day=lambda: time(3, 0), limits=Limits(seconds=7),
    )
    assert len(outcome.people) == 1 and outcome.alarm_count == 1
    alarms = [muted for state, muted in output.shown if state is GateState.ALARM]
    assert alarms == [False, True]
    assert "model_changed" not in [event.event for event in events]


def test_outputs_that_are_handed_on_go_on_showing(go):
    output = Recording()
    outputs = Outputs([output])
    reasons = iter([""] * 20)

    def stop():
        if (reason := next(reasons, "to go on")):
            outputs.hand_on()
        return reason

    go([(9, "picture")], output, outputs=outputs, stop=stop)
    assert not output.closed and output.states[-1] is GateState.ALARM
    go([(1, "picture")], output, outputs=outputs, limits=Limits(frames=2))
    assert output.closed and output.states[-1] is GateState.SHUTDOWN


def test_an_error_closes_outputs_that_were_handed_on(go):
    output = Recording()
    with pytest.raises(ZeroDivisionError), Outputs([output]) as outputs:
        outputs.hand_on()
        raise ZeroDivisionError
    assert output.closed


def test_outputs_that_others_take_the_place_of_show_no_shutdown():
    output = Recording()
    outputs = Outputs([output])
    outputs.show(GateState.ALARM)
    outputs.close(GateState.IDLE)
    outputs.close()
    assert output.states == [GateState.ALARM, GateState.IDLE]


def test_one_output_that_fails_is_told_once_and_the_others_go_on(go):
    buzzer, light, told = Recording("buzzer", [GateState.ALARM]), Recording("light"), []
    outputs = Outputs([buzzer, light], trouble=told.append, over=told.append)
    outcome = go([(4, "picture")], light, outputs=outputs, limits=Limits(seconds=3.5))
    assert outcome.error is None and GateState.ALARM in light.states
    assert told == ["buzzer: cannot show (OSError: wire broken); the other outputs go on"]


def test_an_output_that_shows_again_is_told():
    buzzer, told = Recording("buzzer", [GateState.ALARM]), []
    outputs = Outputs([buzzer, Recording("light")], trouble=told.append, over=told.append)
    for state in (GateState.ALARM, GateState.IDLE, GateState.LOOKING):
        outputs.show(state)
    assert told[1:] == ["buzzer: shows the gate again"]


def test_when_no_output_is_left_it_is_an_error():
    outputs = Outputs([Recording("buzzer", [GateState.ALARM])], trouble=lambda line: None)
    with pytest.raises(OutputError, match="buzzer: cannot show"):
        outputs.show(GateState.ALARM)
