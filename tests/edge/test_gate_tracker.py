"""Faces of many frames become people: stable, distinct, and forgotten in time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import UsageError
from edge.gate.tracker import TrackerSettings, Tracks, update

SETTINGS = TrackerSettings()


def face(x: float, y: float = 100, side: float = 40) -> list[float]:
    return [x - side / 2, y - side / 2, x + side / 2, y + side / 2]


def follow(frames, settings=SETTINGS, fps=30.0, scores=None):
    """Return the tracks after each of *frames*, lists of boxes."""
    tracks, seen = Tracks(), []
    for i, boxes in enumerate(frames):
        array = np.array(boxes, np.float32).reshape(-1, 4)
        score = np.full(len(array), 0.9, np.float32) if scores is None else scores[i]
        tracks = update(tracks, array, np.asarray(score, np.float32), i / fps, settings)
        seen.append(tracks)
    return seen


def test_a_still_face_is_one_person_confirmed_after_three_looks():
    seen = follow([[face(100)]] * 5)
    assert [t.tracks[0].confirmed for t in seen] == [False, False, True, True, True]
    assert {t.tracks[0].id for t in seen} == {1}


def test_a_walking_face_keeps_its_person_through_a_second_without_it():
    x = [100 + 4 * i for i in range(60)]
    frames = [[face(v)] if not 20 <= i < 47 else [] for i, v in enumerate(x)]
    seen = follow(frames)
    assert [t.id for t in seen[-1].tracks] == [1]
    assert seen[30].tracks[0].face is None


def test_a_person_gone_for_longer_is_forgotten_and_the_id_never_comes_back():
    seen = follow([[face(100)]] * 5 + [[]] * 32 + [[face(100)]] * 3)
    assert seen[36].tracks == ()
    assert [t.id for t in seen[-1].tracks] == [2]


def test_a_flicker_is_dropped_sooner_than_a_person():
    seen = follow([[face(100)]] + [[]] * 12)
    assert seen[5].tracks and not seen[-1].tracks


@pytest.mark.parametrize("speed", [3.0, 6.0, 12.0])
@pytest.mark.parametrize("apart", [0, 14])
def test_two_people_who_cross_keep_their_ids(speed, apart):
    steps = [speed * i for i in range(int(300 / speed))]
    frames = [[face(50 + s, 100), face(350 - s, 100 + apart)] for s in steps]
    first, last = follow(frames)[3], follow(frames)[-1]
    left = min(first.tracks, key=lambda t: t.box[0]).id
    right = max(last.tracks, key=lambda t: t.box[0]).id
    assert left == right
    assert last.next_id == 3


def test_a_doubtful_face_keeps_a_person_but_starts_none():
    known = follow([[face(100)]] * 40, scores=[[0.9]] * 5 + [[0.3]] * 35)
    assert known[-1].tracks[0].hits == 40
    assert follow([[face(100)]] * 5, scores=[[0.3]] * 5)[-1].tracks == ()


@pytest.mark.parametrize(
    ("scores", "low", "high"),
    [([0.9] * 30, 0.899, 0.901), ([0.6, 0.3, 0.3] * 10, 0.3, 0.5), ([0.9], 0.9, 0.9)],
)
def test_the_usual_score_is_that_of_the_faces_lately(scores, low, high):
    (track,) = follow([[face(100)]] * len(scores), scores=[[s] for s in scores])[-1].tracks
    assert low - 1e-6 <= track.usual_score <= high + 1e-6


def test_a_face_below_the_lower_score_does_not_exist():
    seen = follow([[face(100)]] * 40, scores=[[0.9]] * 5 + [[0.1]] * 35)
    assert seen[-1].tracks == ()


def test_a_face_of_another_size_at_the_same_place_is_another_person():
    seen = follow([[face(100, side=40)]] * 5 + [[face(100, side=120)]])
    assert [t.id for t in seen[-1].tracks] == [1, 2]


def test_a_slow_camera_still_follows_someone_walking_by():
    seen = follow([[face(100 + 25 * i)] for i in range(8)], fps=3.0)
    assert seen[-1].next_id == 2


def test_a_long_gap_in_time_starts_everyone_anew():
    tracks = follow([[face(100)]] * 5)[-1]
    box = np.array([face(100)], np.float32)
    after = update(tracks, box, np.array([0.9], np.float32), 10.0, SETTINGS)
    assert [t.id for t in after.tracks] == [2]


def test_time_that_stands_still_or_goes_back_harms_nothing():
    tracks = follow([[face(100)]] * 5)[-1]
    box, score = np.array([face(101)], np.float32), np.array([0.9], np.float32)
    for now in (4 / 30, 0.0):
        tracks = update(tracks, box, score, now, SETTINGS)
    assert np.isfinite(tracks.tracks[0].velocity).all()


crowds = st.lists(
    st.lists(
        st.tuples(st.floats(-50, 400), st.floats(-50, 300), st.floats(2, 150), st.floats(0, 1)),
        max_size=6,
    ),
    max_size=12,
)


@settings(max_examples=80, deadline=None)
@given(crowds, st.floats(1, 60))
def test_whatever_is_seen_ids_are_unique_rising_and_the_state_is_bounded(frames, fps):
    bounded = TrackerSettings(most_tracks=8)
    tracks = Tracks()
    for i, crowd in enumerate(frames):
        boxes = np.array([face(x, y, s) for x, y, s, _ in crowd], np.float32).reshape(-1, 4)
        scores = np.array([s for *_, s in crowd], np.float32)
        before = tracks
        tracks = update(tracks, boxes, scores, i / fps, bounded)
        ids = [t.id for t in tracks.tracks]
        faces = [t.face for t in tracks.tracks if t.face is not None]
        assert len(set(ids)) == len(ids) <= 8
        assert len(set(faces)) == len(faces)
        assert all(n in {t.id for t in before.tracks} or n >= before.next_id for n in ids)
        assert all(n < tracks.next_id for n in ids)


@pytest.mark.parametrize(
    ("name", "value"),
    [("start_score", 1.5), ("keep_score", -0.1), ("forget_seconds", 0), ("confirm_hits", 0)],
)
def test_a_setting_out_of_range_is_named_with_its_value(name, value):
    with pytest.raises(UsageError, match=f"is {value}; allowed"):
        TrackerSettings(**{name: value})


@pytest.mark.parametrize("turn", [0.0, -0.2])
def test_a_clock_that_does_not_go_on_leaves_the_usual_score_alone(turn):
    tracks = follow([[face(100)]] * 5)[-1]
    box, low = np.array([face(100)], np.float32), np.array([0.3], np.float32)
    after = update(tracks, box, low, 4 / 30 + turn, SETTINGS)
    assert after.tracks[0].usual_score == tracks.tracks[0].usual_score
