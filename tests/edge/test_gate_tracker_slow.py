"""People before a camera that takes few pictures a second: they stay, walk past and cross."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.gate.tracker import TrackerSettings, Tracks, update

SETTINGS = TrackerSettings()


def face(x: float, y: float = 100, side: float = 40) -> list[float]:
    return [x - side / 2, y - side / 2, x + side / 2, y + side / 2]


def look(tracks: Tracks, boxes: list[list[float]], now: float) -> Tracks:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    return update(tracks, array, np.full(len(array), 0.9, np.float32), now, SETTINGS)


def follow(frames: list[list[list[float]]], seconds: float) -> list[Tracks]:
    """Return the tracks after each of *frames*, *seconds* apart."""
    seen = [Tracks()]
    for i, boxes in enumerate(frames):
        seen.append(look(seen[-1], boxes, i * seconds))
    return seen[1:]


@pytest.mark.parametrize("seconds", [0.2, 0.9, 1.01, 2.0, 2.9, 4.9])
def test_who_stays_is_a_person_at_any_rate_at_which_a_camera_is_well(seconds):
    last = follow([[face(100)]] * 8, seconds)[-1].tracks
    assert [t.confirmed for t in last] == [True]


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.03, 4.9),
    st.lists(st.tuples(st.floats(0.55, 1), st.floats(-1, 1)), min_size=5, max_size=12),
)
def test_who_sways_before_a_camera_of_uneven_rate_stays_who_they_are(longest, steps):
    now, tracks, ids = 0.0, look(Tracks(), [face(100)], 0.0), []
    # In a second a head may lean by more than a third of its width and back; in less, a sixth.
    reach = 15 if longest * 0.55 >= 0.5 else 6
    for share, sway in steps:
        now += longest * share
        tracks = look(tracks, [face(100 + reach * sway)], now)
        ids.append([t.id for t in tracks.tracks])
    # What is usual is known once there were two frames.
    assert all(seen == ids[0] for seen in ids) and tracks.tracks[0].confirmed


@pytest.mark.parametrize("seconds", [0.8, 1.5, 2.9])
@pytest.mark.parametrize(("missed", "same"), [(1, True), (2, False)])
def test_at_a_slow_camera_one_missed_frame_loses_nobody_and_two_do(seconds, missed, same):
    seen = follow([[face(100)]] * 6 + [[]] * missed + [[face(100)]], seconds)
    assert (seen[-1].tracks[0].id == seen[5].tracks[0].id) is same
    assert len(seen[-1].tracks) == 1


@pytest.mark.parametrize("gap", [1.2, 2.9, 30.0])
def test_a_pause_that_is_not_usual_ends_everybody(gap):
    known = follow([[face(100)]] * 30, 1 / 30)[-1]
    assert [t.id for t in look(known, [face(100)], known.newest + gap).tracks] == [2]


def test_a_pause_of_a_network_camera_at_fault_ends_everybody_however_slow_it_was():
    known = follow([[face(100)]] * 6, 3.0)[-1]
    after = look(known, [face(100)], known.newest + 5.5)
    assert {t.id for t in after.tracks}.isdisjoint(t.id for t in known.tracks)


@settings(max_examples=100, deadline=None)
@given(st.floats(0, 7.5), st.integers(2, 30), st.sampled_from([-1, 1]))
def test_who_walks_past_is_one_person_at_two_pictures_a_second_and_more(speed, fps, way):
    steps = [face(1000 + way * 40 * speed * i / fps) for i in range(max(4, fps))]
    last = follow([[box] for box in steps], 1 / fps)[-1]
    assert last.next_id == 2 and last.tracks[0].confirmed


@pytest.mark.parametrize("fps", [3, 5, 10, 30])
@pytest.mark.parametrize("speed", [2.0, 4.0, 6.0])
@pytest.mark.parametrize("apart", [0, 14])
def test_two_who_cross_keep_their_ids(fps, speed, apart):
    steps = [40 * speed * i / fps for i in range(int(20 / speed * fps) + 1)]
    seen = follow([[face(s), face(810 - s, 100 + apart)] for s in steps], 1 / fps)
    left = min(seen[3].tracks, key=lambda t: t.box[0]).id
    right = max(seen[-1].tracks, key=lambda t: t.box[0]).id
    assert left == right and seen[-1].next_id == 3


@pytest.mark.parametrize("fps", [2, 3, 5, 10])
def test_a_face_that_two_may_have_walked_to_is_neithers(fps):
    far = 0.5 + 5 / fps
    between = follow([[face(100 - 40 * far), face(100 + 40 * far)], [face(100)]], 1 / fps)[-1]
    assert [t.id for t in between.tracks if t.face is not None] == [3]
    apart = follow([[face(100)], [face(100 - 40 * far), face(100 + 40 * far)]], 1 / fps)[-1]
    assert [t.id for t in apart.tracks if t.face is not None] == [2, 3]


@pytest.mark.parametrize("fps", [2, 3, 5, 10])
def test_nobody_inherits_a_persons_verdict_from_a_walk_away(fps):
    stays = [[face(100)]] * 6
    after = follow([*stays, [face(100 + 40 * (0.5 + 5 / fps))]], 1 / fps)[-1]
    assert [t.id for t in after.tracks] == [1, 2]


@pytest.mark.parametrize("fps", [2, 3, 5, 10, 30])
def test_two_who_come_in_one_behind_the_other_are_two(fps):
    steps = [40 * 5 * i / fps for i in range(int(3 * fps))]
    frames = [[face(x) for x in (s, s - 6 * 40) if x >= 0] for s in steps]
    last = follow(frames, 1 / fps)[-1]
    assert [t.confirmed for t in last.tracks] == [True, True] and last.next_id == 3
