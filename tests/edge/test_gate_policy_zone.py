"""Where people count, when there is no sound, and when an alarm is not repeated."""

from __future__ import annotations

from datetime import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import UsageError
from edge.gate.hours import QuietHours, parse_quiet_hours
from edge.gate.policy import Gate, GateState, PolicySettings, Present, new_scene, update
from edge.gate.zone import Zone, parse_zone

ALARM, IDLE, LOOKING, PASS = (
    GateState.ALARM, GateState.IDLE, GateState.LOOKING, GateState.PASS,
)
DOOR = parse_zone("0.3,0,0.7,1")


def person(number=1, verdict="no_mask", x=0.5, y=0.5, size=0.1) -> Present:
    """Return someone whose face ends at *x*, *y* and is *size* of the picture, which is square."""
    return Present(number, verdict, (x - size / 2, y - size, x + size / 2, y), size)


def walk(steps, config, gate=None):
    """Return the gate after each of *steps*: (seconds, people)."""
    gate, seen = gate or Gate(), []
    for now, people in steps:
        gate = update(gate, people, now, config)
        seen.append(gate)
    return seen


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("0.2,0.1,0.8,0.9", [(0.5, 0.5), (0.21, 0.11)], [(0.1, 0.5), (0.5, 0.95)]),
        ("0,0,1,1", [(0, 0), (1, 1), (0.5, 1), (1, 0.2), (0.5, 1.2)], []),
        ("0,1 0.5,0 1,1", [(0.5, 0.5), (0.1, 0.9)], [(0.1, 0.5), (0.9, 0.5)]),
        ("0,0 1,0 1,1 0.5,0.5 0,1", [(0.5, 0.4), (0.1, 0.8)], [(0.5, 0.9)]),  # a notch below
    ],
)
def test_a_zone_is_a_rectangle_or_any_polygon(text, inside, outside):
    zone = parse_zone(text)
    assert all(zone.holds(*point) for point in inside)
    assert not any(zone.holds(*point) for point in outside)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "cannot be read"),
        ("0.1,0.2,0.3", "cannot be read"),
        ("left", "cannot be read"),
        ("0,0 1,1", "cannot be read"),
        ("0.8,0,0.2,1", "no area"),
        ("0.1,0.1 0.5,0.5 0.9,0.9", "no area"),
        ("0,0,1.2,1", "1.2,0 is outside"),
        ("nan,0,1,1", "no area"),
        ("0,0 1,0 nan,1", "outside"),
    ],
)
def test_a_zone_that_makes_no_sense_is_refused_with_what_to_give(text, says):
    with pytest.raises(UsageError, match=says) as error:
        parse_zone(text)
    assert "such as 0.2,0,0.8,1" in str(error.value)


def test_a_zone_has_a_bounded_number_of_corners():
    with pytest.raises(UsageError, match="33 corners; allowed: 3 to 32"):
        Zone(tuple((i / 40, i % 2) for i in range(33)))


@pytest.mark.parametrize(
    ("hours", "quiet", "loud"),
    [
        ("22:00-07:00", [time(22), time(23, 59), time(0), time(6, 59, 59)], [time(7), time(12)]),
        ("13:00-15:30", [time(13), time(15, 29)], [time(15, 30), time(0), time(12, 59)]),
        (" 9:05 - 00:00", [time(9, 5), time(23, 59)], [time(0), time(9, 4)]),
    ],
)
def test_quiet_hours_hold_over_midnight_too(hours, quiet, loud):
    parsed = parse_quiet_hours(hours)
    assert all(parsed.hold(at) for at in quiet)
    assert not any(parsed.hold(at) for at in loud)


@pytest.mark.parametrize("text", ["", "22-7", "22:00", "24:00-07:00", "22:00-07:60", "a:b-c:d"])
def test_hours_that_are_none_are_refused(text):
    with pytest.raises(UsageError, match="allowed: HH:MM-HH:MM"):
        parse_quiet_hours(text)


def test_hours_that_could_be_never_or_always_are_refused():
    with pytest.raises(UsageError, match="two different times"):
        QuietHours(time(8), time(8))


@given(st.times(), st.times(), st.times())
def test_every_moment_is_within_some_hours_or_within_the_rest_of_the_day(a, b, at):
    if a != b:
        assert QuietHours(a, b).hold(at) != QuietHours(b, a).hold(at)


@pytest.mark.parametrize(
    ("who", "state"),
    [
        (person(x=0.1), IDLE),  # passes by outside
        (person(size=0.02), IDLE),  # far away, in the street
        (person(), ALARM),
        (person(verdict="mask"), PASS),
        (person(verdict="unsure"), LOOKING),
    ],
)
def test_only_who_is_near_and_in_the_zone_counts(who, state):
    config = PolicySettings(zone=DOOR, min_face_share=0.05)
    assert update(Gate(), [who], 0.0, config).state is state


def test_the_door_is_green_only_when_everyone_in_the_zone_is_masked():
    config = PolicySettings(zone=DOOR)
    outside = person(2, "no_mask", x=0.1)
    for verdict, state in (("mask", PASS), ("unsure", LOOKING), ("no_mask", ALARM)):
        people = [person(1, "mask"), outside, person(3, verdict, x=0.6)]
        assert update(Gate(), people, 0.0, config).state is state


def test_who_sways_on_the_edge_of_the_zone_rings_on_and_who_leaves_it_does_not():
    config = PolicySettings(zone=DOOR)
    swaying = [(i / 10, [person(x=0.31 if i % 3 else 0.29)]) for i in range(20)]
    assert {gate.state for gate in walk(swaying, config)[1:]} == {ALARM}
    gone = walk([(0.0, [person()]), (0.4, [person(x=0.1)]), (0.6, [person(x=0.1)])], config)
    assert [gate.state for gate in gone] == [ALARM, ALARM, IDLE]


def test_a_lost_person_found_again_at_the_same_place_does_not_ring_again_at_once():
    config = PolicySettings(cool_down_seconds=5)
    steps = [(0.0, [person(1)]), (2.0, []), (3.0, [person(2, x=0.53)]), (6.9, [person(2)])]
    seen = walk([*steps, (7.1, [person(2)])], config)
    assert [gate.state for gate in seen] == [ALARM, IDLE, LOOKING, LOOKING, ALARM]


@pytest.mark.parametrize(
    "other", [person(2, x=0.8), person(2, size=0.3), person(2, y=0.9)]
)
def test_somebody_elsewhere_rings_at_once_for_all_that(other):
    seen = walk([(0.0, [person(1)]), (2.0, []), (3.0, [other])], PolicySettings())
    assert seen[-1].state is ALARM


def test_only_one_can_be_the_one_who_was_lost():
    steps = [(0.0, [person(1)]), (2.0, []), (3.0, [person(2), person(3, x=0.52)])]
    gate = walk(steps, PolicySettings())[-1]
    assert gate.state is ALARM and list(gate.rings) == [3]


def test_who_stands_beside_a_person_still_there_is_not_taken_for_them():
    config = PolicySettings(max_alarm_seconds=2)
    steps = [(0.0, [person(1)]), (2.0, [person(1)]), (2.5, [person(1), person(2, x=0.55)])]
    seen = walk(steps, config)
    assert [gate.state for gate in seen] == [ALARM, LOOKING, ALARM]


def test_a_mask_put_on_and_off_within_the_cool_down_waits_for_its_end():
    steps = [(0, "no_mask"), (1, "mask"), (2, "no_mask"), (5.9, "no_mask"), (6.1, "no_mask")]
    seen = walk([(now, [person(verdict=v)]) for now, v in steps], PolicySettings())
    assert [gate.state for gate in seen] == [ALARM, PASS, LOOKING, LOOKING, ALARM]
    assert seen[-1].rings == {1: 6.1}


def test_whoever_used_up_the_limit_stays_silent_when_found_again():
    config = PolicySettings(max_alarm_seconds=2, cool_down_seconds=5)
    steps = [(0.0, [person(1)]), (2.0, [person(1)]), (20.0, [person(1)]), (21.0, [])]
    seen = walk([*steps, (22.0, [person(2)]), (60.0, [person(2)])], config)
    assert [gate.state for gate in seen] == [ALARM, LOOKING, LOOKING, IDLE, LOOKING, LOOKING]


def test_time_rung_before_counts_when_somebody_is_lost_and_found():
    config = PolicySettings(max_alarm_seconds=10, cool_down_seconds=1)
    steps = [(0.0, [person(1)]), (8.0, []), (8.5, [person(2)]), (9.1, [person(2)])]
    seen = walk([*steps, (11.0, [person(2)]), (11.2, [person(2)])], config)
    assert [gate.state for gate in seen] == [ALARM, IDLE, LOOKING, ALARM, ALARM, LOOKING]


def test_without_a_cool_down_everyone_rings_at_once():
    seen = walk(
        [(0.0, [person(1)]), (1.0, []), (1.1, [person(2)])], PolicySettings(cool_down_seconds=0)
    )
    assert seen[-1].state is ALARM


def test_in_another_scene_nobody_inherits_a_silence():
    config = PolicySettings(max_alarm_seconds=2)
    gate = walk([(0.0, [person(1)]), (2.0, [person(1)])], config)[-1]
    assert update(new_scene(gate), [person(2)], 2.1, config).state is ALARM


@pytest.mark.parametrize(
    ("name", "value"), [("cool_down_seconds", -1), ("min_face_share", 1.5)]
)
def test_a_setting_out_of_range_is_named_with_its_value(name, value):
    with pytest.raises(UsageError, match=f"{name} is {value}; allowed"):
        PolicySettings(**{name: value})


visitors = st.builds(
    person,
    number=st.integers(1, 4),
    verdict=st.sampled_from(["mask", "no_mask", "incorrect", "unsure"]),
    x=st.floats(0, 1),
    y=st.floats(0, 1),
    size=st.sampled_from([0.02, 0.1, 0.12]),
)
crowds = st.lists(visitors, max_size=4, unique_by=lambda p: p.person)
films = st.lists(st.tuples(st.sampled_from([0.03, 0.2, 0.6, 3.0, 9.0]), crowds), max_size=25)


@settings(max_examples=150, deadline=None)
@given(films, st.sampled_from([0.0, 1.0, 5.0]), st.times())
def test_whoever_comes_and_goes_the_gate_keeps_its_promises(film, cool_down, at):
    config = PolicySettings(
        max_alarm_seconds=4, cool_down_seconds=cool_down, zone=DOOR, min_face_share=0.05,
        quiet_hours=parse_quiet_hours("22:00-07:00"),
    )
    gate, loud, now, inside, bare = Gate(), Gate(), 0.0, {}, {}
    for gap, people in film:
        now += gap
        gate = update(gate, people, now, config, at)
        loud = update(loud, people, now, config)
        inside = {p.person: inside[p.person] for p in people if p.person in inside} | {
            p.person: now
            for p in people
            if p.size >= 0.05 and DOOR.holds((p.box[0] + p.box[2]) / 2, p.box[3])
        }
        here = {p.person: p for p in people if now - inside.get(p.person, -9) <= 0.5}
        offenders = {n for n, p in here.items() if p.verdict in ("no_mask", "incorrect")}
        seen = {p.person for p in people}
        bare = {n: last for n, last in bare.items() if n not in seen}
        bare |= dict.fromkeys(offenders, now)
        # Only offenders in the zone ring, within their time; nobody there is always idle.
        assert gate.rings.keys() <= offenders
        assert (gate.state is ALARM) == bool(gate.rings)
        assert all(now - start < 4 for start in gate.rings.values())
        assert here or gate.state is IDLE
        assert gate.state is not PASS or all(p.verdict == "mask" for p in here.values())
        # Nor does anyone open the door by hiding a face.
        assert gate.state is not PASS or all(now - last > 4 for last in bare.values())
        # Quiet hours mute and change nothing else.
        assert gate.muted == config.quiet_hours.hold(at) and not loud.muted
        assert (gate.state, gate.rings) == (loud.state, loud.rings)
        # What is remembered is bounded by who is here and what ended lately.
        assert gate.silenced <= {p.person for p in people} and len(gate.cooling) <= 64
        assert gate.boxes.keys() == gate.silenced | gate.rings.keys()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=12))
def test_one_person_lost_and_found_never_rings_twice_within_the_cool_down(gaps):
    gate, now, number, ended = Gate(), 0.0, 1, None
    for gap in gaps:
        for visible in (True, False):
            for _ in range(1 + gap):
                now += 0.1
                before = gate
                people = [person(number)] if visible else []
                gate = update(gate, people, now, PolicySettings(cool_down_seconds=5))
                if gate.rings and not before.rings:
                    assert ended is None or now - ended >= 5 - 1e-6
                if before.rings and not gate.rings:
                    ended = now
        number += 1
