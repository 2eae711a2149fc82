"""Posters and coat racks are part of the room; people are not, however long they wait."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import UsageError
from edge.gate import fixtures, policy
from edge.gate.fixtures import Fixtures, overlap
from edge.gate.policy import Gate, GateState, PolicySettings, Present

POSTER = (0.1, 0.1, 0.2, 0.3)
ELSEWHERE = (0.6, 0.1, 0.7, 0.3)
SETTINGS = PolicySettings(fixture_seconds=60)


def moved(box, by):
    """Return *box* moved to the right by so many of its widths."""
    step = by * (box[2] - box[0])
    return box[0] + step, box[1], box[2] + step, box[3]


def watched(*spans, known=None):
    """Return what is known after *spans*: seconds, and the boxes by person meanwhile."""
    found, now = known or Fixtures(), 0.0
    for seconds, boxes in spans:
        for _ in range(round(seconds * 5)):
            found = fixtures.update(found, boxes, now, 60)
            now += 0.2
    return found


@pytest.mark.parametrize("verdict", ["mask", "no_mask", "incorrect", "unsure"])
def test_what_never_moves_stops_to_count_whatever_its_verdict(verdict):
    gate, people = Gate(), [Present(1, verdict, POSTER)]
    states = []
    for now in range(100):
        gate = policy.update(gate, people, now, SETTINGS)
        states.append(gate.state is not GateState.IDLE)
    assert states == [True] * 60 + [False] * 40


def test_a_poster_of_a_masked_face_opens_no_door_for_who_is_unsure_but_for_who_is_masked():
    gate = Gate()
    for now in range(70):
        gate = policy.update(gate, [Present(1, "unsure", POSTER)], now, SETTINGS)
    for verdict, state in (("unsure", GateState.LOOKING), ("mask", GateState.PASS)):
        both = [Present(1, "unsure", POSTER), Present(2, verdict, ELSEWHERE)]
        gate = policy.update(gate, both, 70, SETTINGS)
        assert gate.state is state


def test_who_sways_while_waiting_counts_for_as_long_as_they_wait():
    found = Fixtures()
    for now in range(600):
        found = fixtures.update(found, {1: moved(POSTER, 0.3 * (now // 20 % 2))}, now, 60)
        assert not found.hold(1)


def test_a_picture_seen_with_noise_is_still_a_picture():
    found = Fixtures()
    for now in range(80):
        found = fixtures.update(found, {1: moved(POSTER, 0.1 * (-1) ** now)}, now, 60)
    assert found.hold(1)


def test_whoever_appears_at_the_place_is_part_of_the_room_until_they_move():
    known = watched((61, {1: POSTER}), (30, {}))
    known = fixtures.update(known, {2: moved(POSTER, 0.1)}, 100, 60)
    assert known.hold(2)
    known = fixtures.update(known, {2: moved(POSTER, 1.5)}, 101, 60)
    assert not known.hold(2)
    # The poster is still there.
    assert fixtures.update(known, {3: POSTER}, 110, 60).hold(3)


def test_a_place_learnt_from_somebody_who_sat_still_is_free_once_a_visitor_moves_off_it():
    sat = watched((61, {1: POSTER}), (30, {}))
    assert sat.places
    visited = watched((20, {2: POSTER}), (2, {2: ELSEWHERE}), (10, {}), known=sat)
    assert not watched((20, {3: POSTER}), known=visited).hold(3)


def test_someone_walking_in_front_of_it_for_a_moment_changes_nothing():
    known = watched((61, {1: POSTER}), (0.8, {1: moved(POSTER, 0.5)}), (1, {1: POSTER}))
    assert known.hold(1)


@pytest.mark.parametrize(("seconds", "held"), [(5, True), (15, False)])
def test_what_moved_off_was_a_person_unless_a_face_is_soon_there_again(seconds, held):
    known = watched((61, {1: POSTER}), (seconds, {1: ELSEWHERE}), (1, {1: ELSEWHERE, 2: POSTER}))
    assert not known.hold(1) and known.hold(2) is held


@pytest.mark.parametrize(("hidden", "held"), [(2, True), (10, False)])
def test_a_picture_is_one_though_now_and_then_hidden_and_who_is_often_away_is_none(hidden, held):
    spans = [span for n in range(1, 9) for span in ((20, {n: POSTER}), (hidden, {}))]
    assert watched(*spans, (1, {9: POSTER})).hold(9) is held


@pytest.mark.parametrize(("seconds", "held"), [(2, True), (12, False)])
def test_a_face_soon_seen_where_somebody_moved_off_goes_on_with_the_stay(seconds, held):
    walker = {1: ELSEWHERE}
    spans = (58, {1: POSTER}), (seconds, walker), (40, {**walker, 2: POSTER})
    assert watched(*spans).hold(2) is held


def test_who_walks_up_to_a_place_does_not_go_on_with_the_stay_of_who_was_lost_there():
    spans = (50, {1: POSTER}), (2, {2: ELSEWHERE}), (50, {2: POSTER})
    assert not watched(*spans).hold(2)


def test_a_place_is_remembered_over_a_night_and_not_for_ever():
    known = watched((61, {1: POSTER}))
    assert fixtures.update(known, {2: POSTER}, 60 + 80_000, 60).hold(2)
    assert not fixtures.update(known, {2: POSTER}, 61 + 90_000, 60).hold(2)


def test_switched_lights_leave_the_room_as_it_is():
    gate = Gate()
    for now in range(70):
        gate = policy.update(gate, [Present(1, "no_mask", POSTER)], now, SETTINGS)
    gate = policy.update(policy.new_scene(gate), [Present(2, "no_mask", POSTER)], 71, SETTINGS)
    assert gate.state is GateState.IDLE


def test_zero_seconds_is_never():
    gate = Gate()
    for now in range(0, 100_000, 500):
        gate = policy.update(gate, [Present(1, "mask", POSTER)], now, PolicySettings(
            fixture_seconds=0
        ))
    assert gate.state is GateState.PASS


@pytest.mark.parametrize("seconds", [-1, 1, 59.9, 86_401, float("nan")])
def test_a_time_out_of_range_is_named(seconds):
    with pytest.raises(UsageError, match="fixture_seconds is"):
        PolicySettings(fixture_seconds=seconds)


sides = st.tuples(*[st.floats(0, 0.9)] * 2, *[st.floats(0.01, 0.5)] * 2)
boxes = sides.map(lambda s: (s[0], s[1], s[0] + s[2], s[1] + s[3]))


@given(boxes, boxes)
def test_an_overlap_is_a_share_and_the_same_both_ways(a, b):
    assert 0 <= overlap(a, b) <= 1 + 1e-9
    assert overlap(a, b) == pytest.approx(overlap(b, a))
    assert overlap(a, a) == pytest.approx(1)


@given(st.lists(st.dictionaries(st.integers(1, 300), boxes, max_size=20), max_size=40))
def test_what_is_kept_is_bounded_and_only_of_who_is_here(looks):
    found = Fixtures()
    for now, here in enumerate(looks):
        found = fixtures.update(found, here, now * 100, 60)
        assert found.stays.keys() == here.keys()
        assert len(found.places) <= 64


def test_the_lost_stays_that_are_kept_are_bounded():
    crowd = {n: (n / 100, 0.1, n / 100 + 0.005, 0.2) for n in range(90)}
    assert len(watched((20, crowd), (1, {})).lost) == 64


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 25), st.integers(1, 25)), max_size=12))
def test_nobody_is_part_of_the_room_who_was_not_seen_there_for_so_long(visits):
    found, now, seen = Fixtures(), 0, 0
    for number, (here, away) in enumerate(visits):
        for second in range(here + away):
            boxes = {number: POSTER} if second < here else {}
            found = fixtures.update(found, boxes, now, 60)
            now, seen = now + 1, seen + len(boxes)
            assert seen > 60 or not found.places
