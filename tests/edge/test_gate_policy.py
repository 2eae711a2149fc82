"""Who is there and what is known of them decides what the gate shows."""

from __future__ import annotations

import itertools

import pytest

from edge.errors import UsageError
from edge.gate.policy import Gate, GateState, PolicySettings, Present, update

SETTINGS = PolicySettings(max_alarm_seconds=10)


def people(*verdicts: str) -> list[Present]:
    return [Present(i + 1, verdict) for i, verdict in enumerate(verdicts)]


@pytest.mark.parametrize(
    ("verdicts", "state"),
    [
        ((), GateState.IDLE),
        (("unsure",), GateState.LOOKING),
        (("mask",), GateState.PASS),
        (("mask", "mask"), GateState.PASS),
        (("mask", "unsure"), GateState.LOOKING),
        (("no_mask",), GateState.ALARM),
        (("incorrect",), GateState.ALARM),
        (("mask", "no_mask"), GateState.ALARM),
        (("unsure", "incorrect"), GateState.ALARM),
    ],
)
@pytest.mark.parametrize("before", list(GateState))
def test_the_state_follows_the_people_whatever_it_was(verdicts, state, before):
    assert update(Gate(before, since=0.0), people(*verdicts), 1.0, SETTINGS).state is state


def test_only_an_offender_rings():
    for verdicts in itertools.product(["mask", "no_mask", "incorrect", "unsure"], repeat=3):
        ringing = update(Gate(), people(*verdicts), 0.0, SETTINGS).state is GateState.ALARM
        assert ringing == any(v in ("no_mask", "incorrect") for v in verdicts)


def test_the_alarm_ends_when_the_last_person_leaves():
    gate = update(Gate(), people("no_mask"), 0.0, SETTINGS)
    assert update(gate, [], 0.1, SETTINGS).state is GateState.IDLE


def test_an_alarm_has_a_limit_and_that_person_stays_silent():
    gate = update(Gate(), people("no_mask"), 0.0, SETTINGS)
    states = []
    for now in (5.0, 9.9, 10.0, 10.1, 60.0):
        gate = update(gate, people("no_mask"), now, SETTINGS)
        states.append(gate.state)
    assert states == [GateState.ALARM] * 2 + [GateState.LOOKING] * 3


def test_another_person_rings_after_the_first_was_silenced():
    gate = Gate(GateState.LOOKING, 0.0, frozenset({1}))
    assert update(gate, people("no_mask", "no_mask"), 1.0, SETTINGS).state is GateState.ALARM


def test_a_silenced_person_who_put_a_mask_on_and_takes_it_off_rings_again():
    gate = Gate(GateState.LOOKING, 0.0, frozenset({1}))
    gate = update(gate, people("mask"), 1.0, SETTINGS)
    assert gate.state is GateState.PASS and not gate.silenced
    assert update(gate, people("no_mask"), 2.0, SETTINGS).state is GateState.ALARM


def test_since_is_when_the_state_began():
    gate = update(Gate(), people("mask"), 3.0, SETTINGS)
    assert update(gate, people("mask"), 8.0, SETTINGS).since == 3.0


def test_a_limit_out_of_range_is_named_with_its_value():
    with pytest.raises(UsageError, match=r"max_alarm_seconds is 0; allowed: 1 to 3600"):
        PolicySettings(max_alarm_seconds=0)


def test_who_comes_late_in_an_alarm_rings_as_long_as_the_first():
    first, second = Present(1, "no_mask"), Present(2, "no_mask")
    gate = update(Gate(), [first], 0.0, SETTINGS)
    ringing = {}
    for now in (9.0, 10.0, 18.9, 19.0):
        gate = update(gate, [first, second], now, SETTINGS)
        ringing[now] = sorted(gate.rings)
    assert ringing == {9.0: [1, 2], 10.0: [2], 18.9: [2], 19.0: []}
    assert gate.state is GateState.LOOKING and gate.silenced == {1, 2}


def test_who_comes_when_the_limit_is_reached_still_rings():
    gate = update(Gate(), people("no_mask"), 0.0, SETTINGS)
    gate = update(gate, people("no_mask", "no_mask"), 10.0, SETTINGS)
    assert gate.state is GateState.ALARM and gate.silenced == {1} and gate.newest_ring == 10.0
