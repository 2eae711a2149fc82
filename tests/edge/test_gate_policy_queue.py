"""Who comes after somebody without a mask rings too, and who hides a face opens no door."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.gate.policy import Gate, GateState, PolicySettings, Present, update
from edge.gate.zone import parse_zone

ALARM, IDLE, LOOKING, PASS = (
    GateState.ALARM, GateState.IDLE, GateState.LOOKING, GateState.PASS,
)
SETTINGS = PolicySettings(max_alarm_seconds=4, cool_down_seconds=5)
DOOR = PolicySettings(zone=parse_zone("0.3,0,0.7,1"), max_alarm_seconds=4)


def person(number=1, verdict="no_mask", x=0.5) -> Present:
    """Return someone whose face has its middle at *x*, a tenth of the picture wide."""
    return Present(number, verdict, (x - 0.05, 0.4, x + 0.05, 0.6), 0.2)


def filmed(*spans, config=SETTINGS):
    """Return (seconds, gate) ten times a second of *spans*: seconds, and who is there."""
    gate, now, seen = Gate(), 0.0, []
    for seconds, people in spans:
        for _ in range(round(seconds * 10)):
            gate = update(gate, people, now, config)
            seen.append((now, gate))
            now = round(now + 0.1, 1)
    return seen


def rang(film):
    """Return for how many seconds each person rang."""
    heard: dict[int, float] = {}
    for _, gate in film:
        for number in gate.rings:
            heard[number] = heard.get(number, 0.0) + 0.1
    return {number: round(seconds, 1) for number, seconds in heard.items()}


def changes(film):
    """Return the states of *film*, each with when it began."""
    return [(now, gate.state) for now, gate in film if gate.since == now]


def test_who_was_seen_beside_the_first_rings_at_once_where_the_first_was_lost():
    both = [person(1), person(2, x=0.2)]
    film = filmed((8, both), (1, both[1:]), (9, [person(2)]), config=DOOR)
    assert changes(film)[-2:] == [(9.0, ALARM), (13.0, LOOKING)]


@pytest.mark.parametrize("stay", [2, 3.9, 8])
@pytest.mark.parametrize("gap", [3, 4.8])
def test_who_comes_later_waits_for_the_cool_down_and_rings_as_long_as_anyone(stay, gap):
    film = filmed((stay, [person(1)]), (gap, []), (20, [person(2)]))
    assert rang(film) == {1: min(stay, 4), 2: 4}
    assert min(now for now, gate in film if 2 in gate.rings) == pytest.approx(stay + 5, abs=0.11)


def test_in_a_queue_everyone_rings():
    visits = [span for n in range(1, 8) for span in ((8, [person(n)]), (3, []))]
    assert rang(filmed(*visits)) == dict.fromkeys(range(1, 8), 4)


def test_who_is_found_within_a_moment_is_silent_for_a_minute():
    film = filmed((8, [person(1)]), (1, []), (90, [person(2)]))
    assert rang(film) == {1: 4, 2: 4}
    assert [round(now) for now, state in changes(film) if state is ALARM] == [0, 68]


def test_a_silence_handed_on_again_and_again_ends_all_the_same():
    visits = [span for n in range(1, 10) for span in ((9, [person(n)]), (1, []))]
    began = [now for now, state in changes(filmed(*visits)) if state is ALARM]
    assert began[0] == 0 and 69 <= began[1] <= 74 and len(began) == 2


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 120)), min_size=1, max_size=6))
def test_whoever_stays_long_enough_without_a_mask_rings(visits):
    spans = [
        span for n, (gap, stay) in enumerate(visits, 1)
        for span in ((gap / 10, []), (stay, [person(n)]))
    ]
    heard = rang(filmed(*spans))
    assert heard.keys() >= {n for n, (_, stay) in enumerate(visits, 1) if stay > 66}
    assert all(seconds <= 4.1 for seconds in heard.values())


@pytest.mark.parametrize("cool_down", [0, 5])
@pytest.mark.parametrize("stay", [2, 8])
def test_a_hidden_face_opens_no_door_for_a_few_seconds(cool_down, stay):
    config = PolicySettings(max_alarm_seconds=4, cool_down_seconds=cool_down)
    masked = person(1, "mask", x=0.2)
    film = filmed((stay, [masked, person(2)]), (9, [masked]), config=config)
    began, state = changes(film)[-1]
    assert state is PASS and stay + 3.9 <= began <= stay + 4.1


@pytest.mark.parametrize("last", [person(2, "mask"), person(2, x=0.9)])
def test_who_put_a_mask_on_or_went_away_before_they_were_lost_keeps_no_door_shut(last):
    masked = person(1, "mask", x=0.4)
    film = filmed((2, [masked, person(2)]), (1, [masked, last]), (1, [masked]), config=DOOR)
    assert {gate.state for now, gate in film if now >= 3} == {PASS}


def test_a_hidden_face_with_nobody_else_there_is_an_empty_room():
    assert changes(filmed((2, [person()]), (1, []))) == [(0.0, ALARM), (2.0, IDLE)]
