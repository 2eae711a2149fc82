"""What the walk makes of bad looks, cuts, the zone, quiet hours and people lost and found."""

from __future__ import annotations

from datetime import time

import cv2
import numpy as np
import pytest

from edge.camera.frame import Frame
from edge.gate.hours import parse_quiet_hours
from edge.gate.policy import GateState, PolicySettings
from edge.gate.scene_cut import is_cut, thumbnail
from edge.gate.zone import parse_zone
from edge.watch import Settings, Watch


@pytest.fixture
def walk(detector, classifier):
    """Walk a new gate through pictures, *rate* a second; return it and every scene."""

    def walk(pictures, settings=None, at=None, rate=30):
        watch = Watch(detector, classifier, settings or Settings())
        scenes = [
            watch.see(Frame(picture, i / rate, i), i / rate, at)
            for i, picture in enumerate(pictures)
        ]
        return watch, scenes

    return walk


@pytest.mark.parametrize(
    ("spoil", "lack"),
    [
        (lambda picture: (picture * 0.05).astype(np.uint8), "dark"),
        (lambda picture: cv2.GaussianBlur(picture, (0, 0), 40), "blurred"),
    ],
)
def test_someone_who_cannot_be_seen_stays_unsure_and_the_reason_is_told(
    walk, painted, detector, classifier, spoil, lack, monkeypatch
):
    clear = painted(("no_mask", 100, 80, 60))
    found = detector.detect(clear)
    monkeypatch.setattr(detector, "detect", lambda image: found)
    _, scenes = walk([spoil(clear)] * 30)
    person = scenes[-1].people[0]
    assert person.lack == lack and person.evidence.verdict == "unsure"
    assert classifier.asked == 0
    assert scenes[-1].gate.state is GateState.LOOKING


def test_a_face_turned_aside_is_not_judged_by_that_look(
    walk, painted, detector, classifier, monkeypatch
):
    picture = painted(("mask", 100, 80, 60))
    found = detector.detect(picture)
    found.landmarks[0] = [[110, 100], [120, 100], [140, 110], [112, 125], [120, 125]]
    monkeypatch.setattr(detector, "detect", lambda image: found)
    _, scenes = walk([picture] * 20)
    assert scenes[-1].people[0].lack == "sideways" and classifier.asked == 0


def test_a_scene_tells_of_faces_that_are_nobodys(walk, painted, detector, monkeypatch):
    picture = painted(("no_mask", 100, 80, 60), ("mask", 200, 80, 60))
    found = detector.detect(picture)
    found.scores[1] = 0.45
    monkeypatch.setattr(detector, "detect", lambda image: found)
    watch, scenes = walk([picture] * 20)
    judged = next(event for scene in scenes for event in scene.events)
    assert all(len(scene.people) == 1 for scene in scenes)
    assert {scene.faces for scene in scenes} == {(judged.box, (200.0, 80.0, 260.0, 140.0))}
    assert watch.end(1.0).faces == ()


def test_one_good_look_clears_the_reason(walk, painted):
    far, near = painted(("mask", 100, 80, 14)), painted(("mask", 96, 76, 24))
    _, scenes = walk([far] * 10 + [near] * 10)
    assert [s.people[0].lack for s in (scenes[5], scenes[-1])] == ["too small", ""]


def backdrop(painted, seed, *people):
    """Return *people* before a backdrop of grey patches."""
    picture = painted(*people)
    patches = np.random.default_rng(seed).integers(0, 256, (6, 8), np.uint8)
    grey = cv2.resize(patches, picture.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    bare = (picture == 90).all(axis=2)
    picture[bare] = np.repeat(grey[bare][:, None], 3, axis=1)
    return picture


def test_whoever_stands_there_after_a_cut_does_not_inherit_the_verdict(walk, painted):
    masked = backdrop(painted, 1, ("mask", 100, 80, 50))
    bare = backdrop(painted, 2, ("no_mask", 100, 80, 50))
    watch, scenes = walk([masked] * 30 + [bare] * 30)
    assert scenes[29].gate.state is GateState.PASS
    assert scenes[30].gate.state is not GateState.PASS
    assert [e.event for e in scenes[30].events] == ["person_left"]
    assert [p.number for p in scenes[-1].people] == [2]
    assert scenes[-1].gate.state is GateState.ALARM and watch.verdicts["mask"] == 1


def lamp(picture):
    """Return *picture* in the light of a lamp on the half of it where nobody is."""
    lit = picture.copy()
    lit[:, 160:] = 255
    return lit


def test_a_lamp_before_a_camera_rings_nobody_anew(detector, classifier, painted):
    bare = backdrop(painted, 3, ("no_mask", 60, 80, 50))
    dark = (bare // 3).astype(np.uint8)
    dark[80:130, 60:110] = bare[80:130, 60:110]
    assert is_cut(thumbnail(dark), thumbnail(lamp(dark)))
    settings = Settings(policy=PolicySettings(max_alarm_seconds=2))
    watch = Watch(detector, classifier, settings, cuts=False)
    told = []
    for i in range(300):
        picture = lamp(dark) if i // 50 % 2 else dark
        told += watch.see(Frame(picture, i / 10, i), i / 10).events
    assert [e.event for e in told] == ["person_judged", "alarm_started", "alarm_ended"]


@pytest.mark.parametrize("seconds", [0.9, 1.01, 2.0, 2.9])
def test_a_bare_face_rings_at_any_rate_at_which_the_camera_is_well(walk, painted, seconds):
    _, scenes = walk([painted(("no_mask", 100, 80, 50))] * 10, rate=1 / seconds)
    assert GateState.ALARM in {scene.gate.state for scene in scenes}


@pytest.mark.parametrize("rate", [3, 5, 10])
def test_a_bare_face_that_walks_past_a_slow_camera_rings(walk, painted, rate):
    x = [10 + int(6 * 50 * i / rate) for i in range(int(1.8 * rate))]
    visit = [painted(("no_mask", left, 80, 50), size=(640, 240)) for left in x]
    _, scenes = walk(visit, rate=rate)
    assert scenes[-1].gate.state is GateState.ALARM and scenes[-1].people[0].number == 1


def test_a_picture_of_another_size_does_not_upset_the_walk(walk, painted):
    small, large = painted(("mask", 100, 80, 50)), painted(("mask", 100, 80, 50), size=(640, 480))
    _, scenes = walk([small] * 20 + [large] * 20)
    assert scenes[-1].size == (640, 480) and scenes[-1].gate.state is GateState.PASS


def test_outside_the_zone_someone_is_judged_but_does_not_ring(walk, painted):
    settings = Settings(policy=PolicySettings(zone=parse_zone("0,0,0.3,1")))
    _, scenes = walk([painted(("no_mask", 200, 80, 50))] * 30, settings)
    assert scenes[-1].people[0].evidence.verdict == "no_mask"
    assert scenes[-1].gate.state is GateState.IDLE


@pytest.mark.parametrize(("share", "state"), [(0.1, GateState.ALARM), (0.2, GateState.IDLE)])
def test_who_is_farther_than_allowed_does_not_ring(walk, painted, share, state):
    settings = Settings(policy=PolicySettings(min_face_share=share))
    _, scenes = walk([painted(("no_mask", 100, 80, 50))] * 30, settings)
    assert scenes[-1].gate.state is state


@pytest.mark.parametrize(("at", "muted"), [(time(23), True), (time(12), False), (None, False)])
def test_quiet_hours_mute_the_alarm_and_leave_it_an_alarm(walk, painted, at, muted):
    settings = Settings(policy=PolicySettings(quiet_hours=parse_quiet_hours("22:00-07:00")))
    _, scenes = walk([painted(("no_mask", 100, 80, 50))] * 30, settings, at)
    assert scenes[-1].gate.state is GateState.ALARM and scenes[-1].gate.muted is muted


def test_someone_lost_for_two_seconds_rings_once(walk, painted):
    bare = painted(("no_mask", 100, 80, 50))
    _, scenes = walk([bare] * 30 + [painted()] * 60 + [bare] * 60)
    started = [e for scene in scenes for e in scene.events if e.event == "alarm_started"]
    assert [e.person for e in started] == [1]
    assert scenes[-1].people[0].evidence.verdict == "no_mask"
    assert scenes[-1].gate.state is GateState.LOOKING


def test_everyone_who_begins_to_ring_is_told_once(walk, painted):
    first, both = ("no_mask", 40, 80, 50), [("no_mask", 40, 80, 50), ("incorrect", 200, 80, 50)]
    pictures = [painted(first)] * 30 + [painted(*both)] * 60 + [painted(both[1])] * 90
    _, scenes = walk(pictures)
    told = [
        (e.event, e.person, e.verdict) for scene in scenes for e in scene.events
        if e.event in ("alarm_started", "person_rings", "alarm_ended")
    ]
    assert told == [("alarm_started", 1, "no_mask"), ("person_rings", 2, "incorrect")]
    assert scenes[-1].gate.state is GateState.ALARM


def test_of_two_who_begin_at_once_one_starts_the_alarm_and_the_other_rings_in_it(walk, painted):
    both = painted(("no_mask", 40, 80, 50), ("no_mask", 200, 80, 50))
    settings = Settings(policy=PolicySettings(quiet_hours=parse_quiet_hours("22:00-07:00")))
    _, scenes = walk([both] * 40, settings, time(23))
    told = [e for scene in scenes for e in scene.events if e.event != "person_judged"]
    assert [(e.event, e.person) for e in told] == [("alarm_started", 1), ("person_rings", 2)]
    assert all(e.muted for e in told)


def test_who_rings_after_anothers_alarm_begins_an_alarm_of_their_own(walk, painted):
    settings = Settings(policy=PolicySettings(max_alarm_seconds=1))
    left, right = ("no_mask", 40, 80, 50), ("no_mask", 200, 80, 50)
    _, scenes = walk([painted(left)] * 60 + [painted(left, right)] * 60, settings)
    told = [
        (e.event, e.person) for scene in scenes for e in scene.events
        if e.event in ("alarm_started", "person_rings", "alarm_ended")
    ]
    assert told == [
        ("alarm_started", 1), ("alarm_ended", None), ("alarm_started", 2), ("alarm_ended", None),
    ]


def test_a_poster_is_told_once_and_rings_no_more_though_it_is_lost_and_found(walk, painted):
    settings = Settings(policy=PolicySettings(fixture_seconds=60))
    poster, empty = painted(("no_mask", 100, 80, 50)), painted()
    _, scenes = walk([poster] * 200 + [empty] * 9 + [poster] * 30, settings, rate=3)
    told = [(e.event, e.person) for scene in scenes for e in scene.events]
    assert told == [
        ("person_judged", 1), ("alarm_started", 1), ("alarm_ended", None), ("fixture_found", 1),
        ("person_left", 1),
    ]
    assert scenes[-1].gate.state is GateState.IDLE


def test_the_detector_is_given_the_small_picture_and_everything_else_the_large_one(
    painted, detector, classifier
):
    given = []
    find = detector.detect
    detector.detect = lambda image, *small: (given.append((image, *small)), find(image))[1]
    picture, small = painted(("no_mask", 100, 80, 50)), painted(size=(32, 24))
    watch = Watch(detector, classifier, Settings())
    for i in range(30):
        scene = watch.see(Frame(picture, i / 30, i, small=small), i / 30)
    assert all(image is picture and its is small for image, its in given)
    assert scene.size == (320, 240) and scene.gate.state is GateState.ALARM
