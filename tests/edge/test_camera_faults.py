"""A camera that fails is named, opened again with growing pauses, and trusted again when well.

The real keeper and health over a scripted camera, on a clock that the test owns.
"""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.camera.fakes import SteppedSource
from edge.camera.fault import Fault
from edge.camera.frame import Frame
from edge.camera.health import Health, Tolerance, glance_at
from edge.camera.keeper import Backoff
from edge.errors import UsageError

TROUBLES = {
    "hang": ("stalled", 3.0),
    "freeze": ("frozen", 5.0),
    "black": ("black", 3.0),
    "unplug": ("unplugged", 0.5),
    "wrong size": ("wrong size", 1.0),
    "garbage": ("garbage", 1.0),
}


def walk(script, seconds, **options):
    """Read a scripted camera for *seconds* of its time; return it and its frames."""
    source = SteppedSource(script, frames_per_second=10.0, **options)
    frames = []
    while source.now < seconds:
        seen = source.read(0.25)
        if isinstance(seen, Frame):
            frames.append(seen)
    return source, frames


def tries(source):
    return [d.seconds for d in source.camera.done if d.what in ("opened", "refused")]


@pytest.mark.parametrize(("behaviour", "fault"), TROUBLES.items())
def test_each_trouble_is_a_fault_with_its_name_in_its_time(behaviour, fault):
    name, tolerance = fault
    source, _ = walk([(5, "picture"), (12, behaviour), (60, "picture")], 60)
    at, told = source.history[0]
    assert told == name
    assert tolerance - 0.2 <= at - 5 <= tolerance + 0.6
    assert source.history[-1][1] == "" and source.history[-1][0] < 17 + 30


@pytest.mark.parametrize("behaviour", TROUBLES)
def test_trouble_shorter_than_its_tolerance_is_no_fault_and_no_news(behaviour):
    seconds = 0.8 * TROUBLES[behaviour][1]
    source, frames = walk([(5, "picture"), (seconds, behaviour), (10, "picture")], 14)
    times = [f.timestamp for f in frames]
    # A handle that was unplugged is dead for good, so that even a moment of it takes opening.
    assert [name for _, name in source.history if behaviour != "unplug"] == []
    assert not [t for t in times if 5.2 < t < 4.9 + seconds]
    assert times[-1] > 13


@pytest.mark.parametrize("behaviour", ["hang", "freeze", "unplug", "wrong size", "garbage"])
def test_a_camera_at_fault_is_opened_again(behaviour):
    source, _ = walk([(5, "picture"), (12, behaviour), (60, "picture")], 60)
    opened = [d.what for d in source.camera.done if d.what != "read"]
    assert opened[0] == "opened"
    assert ("closed" in opened) is (behaviour != "hang")
    assert opened.count("opened") - opened.count("closed") == 1


def test_a_covered_lens_is_not_opened_again_so_that_uncovering_counts_at_once():
    source, frames = walk([(5, "picture"), (60, "black"), (60, "picture")], 70)
    assert len(tries(source)) == 1
    assert source.history[-1] == (pytest.approx(65, abs=0.3), "")
    assert not [f for f in frames if 5.2 < f.timestamp < 64.9]


def test_pauses_between_tries_double_up_to_half_a_minute_and_never_end():
    source, _ = walk([(5, "picture"), (400, "unplug"), (60, "picture")], 440)
    pauses = np.diff(tries(source)[1:])
    assert pauses[:6] == pytest.approx([1, 2, 4, 8, 16, 30])
    assert pauses[6:] == pytest.approx(30)
    assert source.history[-1][1] == ""


def test_a_camera_that_was_well_for_a_while_is_tried_soon_again():
    script = [(5, "picture"), (20, "unplug"), (60, "picture"), (5, "unplug"), (60, "picture")]
    source, _ = walk(script, 120)
    again = [t for t in tries(source) if t > 85]
    assert again[0] - 85 == pytest.approx(1.1, abs=0.3)


def test_a_camera_that_dies_after_each_opening_is_not_opened_ever_faster():
    script = [(1, "picture")] + [(1.5, "picture"), (2, "unplug")] * 30
    source, _ = walk(script, 100)
    assert len([d for d in source.camera.done if d.what == "opened"]) < 12


def test_a_pair_of_pictures_in_turn_is_as_frozen_as_one():
    health = Health("camera", "check it", Tolerance())
    pair = [np.random.default_rng(i).integers(0, 255, (48, 64, 3), np.uint8) for i in range(2)]
    for i in range(80):
        health.picture(pair[i % 2], i / 10)
    assert health.fault is not None and health.fault.name == "frozen"


@pytest.mark.parametrize(
    ("mean", "noise", "lamp", "fault"),
    [(2, 0.5, 0, "black"), (16, 1.0, 0, "black"), (12, 5.0, 0, None), (2, 0.5, 12, None)],
)
def test_a_covered_lens_is_black_and_a_night_is_not(mean, noise, lamp, fault):
    rng = np.random.default_rng(0)
    health = Health("camera", "check it", Tolerance())
    for i in range(100):
        image = rng.normal(mean, noise, (240, 320, 3))
        image[100 : 100 + lamp, 100 : 100 + lamp] = 250
        health.picture(np.clip(image, 0, 255).astype(np.uint8), i / 10)
    assert (health.fault and health.fault.name) == fault


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("text", "an object of type str"),
        (np.zeros((48, 64, 3), np.float32), r"float32 values of shape \(48, 64, 3\)"),
        (np.zeros((48, 64), np.uint8), r"uint8 values of shape \(48, 64\)"),
        (np.zeros((0, 0, 3), np.uint8), "0x0 pixels"),
        (np.full((48, 64, 3), (0, 135, 0), np.uint8), "every pixel has the same colour"),
    ],
)
def test_what_is_no_picture_is_described(image, says):
    health = Health("camera", "check it", Tolerance())
    assert [health.picture(image, now) for now in (0.0, 0.5, 1.0)] == [False] * 3
    assert health.fault is not None and health.fault.name == "garbage"
    assert re.search(f"^camera: .*{says}.*; check it$", health.fault.detail)


def test_troubles_in_turn_are_a_fault_though_none_lasts():
    health = Health("camera", "check it", Tolerance())
    good = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    health.opened(0.0)
    health.picture(good, 0.0)
    for i in range(1, 40):
        [lambda t: health.failed("fails", t), lambda t: health.picture(None, t)][i % 2](i / 10)
    assert health.fault is not None and health.fault.since < 0.3


def test_a_fault_keeps_its_beginning_for_as_long_as_it_lasts():
    health = Health("camera", "check it", Tolerance())
    health.opened(1.0)
    health.check(3.9)
    assert health.fault is None
    for now in (4.0, 9.0):
        health.check(now)
        assert health.fault == Fault(
            "stalled", "camera: no picture for 3 s; check it", 1.0, now
        )


@pytest.mark.parametrize("size", [(16, 16), (48, 64), (720, 1280), (1080, 1919)])
def test_a_sensors_noise_is_seen_in_a_picture_of_any_size(size):
    still = np.full((*size, 3), 128, np.uint8)
    noisy = still + np.random.default_rng(0).integers(0, 2, still.shape, np.uint8)
    assert glance_at(still).plain and not glance_at(noisy).plain
    assert glance_at(still).fingerprint != glance_at(noisy).fingerprint


def test_a_tolerance_outside_its_range_is_refused():
    with pytest.raises(UsageError, match=r"frozen is 0 seconds; allowed: 0\.05 to 3600"):
        Tolerance(frozen=0)


@given(st.floats(0.01, 5), st.floats(5, 100), st.integers(1, 40))
def test_back_off_never_shrinks_and_never_passes_its_bound(first, longest, count):
    backoff = Backoff(first, longest)
    pauses = [backoff.next() for _ in range(count)]
    assert pauses == sorted(pauses) and max(pauses) <= longest
    backoff.reset()
    assert backoff.next() == first


PARTS = st.tuples(st.floats(0.2, 9), st.sampled_from(["picture", *TROUBLES]))


@settings(max_examples=25, deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=6))
def test_whatever_happens_the_gate_sees_only_real_pictures_and_recovers(script):
    trouble = sum(seconds for seconds, _ in script)
    source, frames = walk([*script, (60, "picture")], trouble + 45)
    assert source.health.fault is None and frames[-1].timestamp > trouble + 40
    for before, after in itertools.pairwise(frames):
        assert not np.array_equal(before.image, after.image) and after.image.mean() > 20
        blind = after.timestamp - before.timestamp
        told = [n for t, n in source.history if before.timestamp < t <= after.timestamp and n]
        # The longest tolerance, then a hang that is just no stall, and the steps of the clock.
        assert blind < 5 + 3 + 0.6 or told
    done = [d.what for d in source.camera.done]
    assert done.count("opened") - done.count("closed") == 1
