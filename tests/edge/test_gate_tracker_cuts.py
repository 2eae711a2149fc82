"""Across a hard cut nobody is known any more, and months of people leave no trace."""

from __future__ import annotations

import pickle

import cv2
import numpy as np
import pytest

from edge.gate import decision, policy, tracker
from edge.gate.policy import Gate, PolicySettings, Present
from edge.gate.scene_cut import CUT, is_cut, thumbnail
from edge.gate.tracker import TrackerSettings, Tracks


def scene(seed: int, size=(320, 240)) -> np.ndarray:
    """Return a picture of large patches of any brightness."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(coarse, size, interpolation=cv2.INTER_NEAREST)


@pytest.mark.parametrize("seed", range(8))
def test_another_scene_is_a_cut_whatever_its_size(seed):
    before = thumbnail(scene(seed))
    assert is_cut(before, thumbnail(scene(seed + 100)))
    assert is_cut(before, thumbnail(scene(seed + 100, (640, 360))))


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image,
        lambda image: np.roll(image, 12, axis=1),  # the camera is pushed
        lambda image: (image * 0.5).astype(np.uint8) + 90,  # exposure adapts
        lambda image: np.clip(image.astype(int) + 60, 0, 255).astype(np.uint8),  # a lamp goes on
        lambda image: cv2.GaussianBlur(image, (0, 0), 9),
        lambda image: cv2.rectangle(image.copy(), (110, 90), (180, 240), (20, 20, 20), -1),
    ],
)
def test_what_happens_within_a_scene_is_no_cut(change):
    image = scene(1)
    assert not is_cut(thumbnail(image), thumbnail(change(image)))


@pytest.mark.parametrize("seed", range(20))
def test_the_quick_way_to_see_no_cut_never_hides_one(seed):
    rng = np.random.default_rng(seed)
    before = rng.integers(0, 256, (24, 32)).astype(np.int16)
    after = (before + rng.integers(-90, 90) + rng.normal(0, 8 * seed, (24, 32))).astype(np.int16)
    change = (after - before).astype(float)
    assert is_cut(before, after) == (np.abs(change - change.mean()).mean() > CUT)


def test_pictures_of_one_colour_are_one_scene():
    black, white = (thumbnail(np.full((240, 320, 3), level, np.uint8)) for level in (0, 255))
    assert not is_cut(black, white)


def test_a_long_run_of_people_leaves_the_state_as_small_as_it_was():
    rng = np.random.default_rng(0)
    tracks, gate, sizes, known = Tracks(), Gate(), [], {}
    config, rules = TrackerSettings(), PolicySettings()
    settings = decision.DecisionSettings()
    for frame in range(8000):
        now = frame / 30
        # Everyone walks across in two seconds; one detection in ten is missed.
        ages = (frame + np.arange(4) * 25) % 100
        there = (ages < 60) & (rng.random(4) > 0.1)
        x = 20.0 + 5 * ages[there]
        y = np.full(len(x), 100.0)
        boxes = np.stack([x, y, x + 40, y + 45], axis=1).astype(np.float32)
        tracks = tracker.update(tracks, boxes, np.full(len(x), 0.9, np.float32), now, config)
        known = {
            t.id: decision.update(
                known.get(t.id, decision.Evidence()), (0.02, 0.97, 0.01), now, settings
            )
            for t in tracks.tracks
        }
        people = [
            Present(t.id, known[t.id].verdict, tuple(v / 400 for v in t.box), 0.1)
            for t in tracks.tracks
        ]
        gate = policy.update(gate, people, now, rules)
        sizes.append(len(tracks.tracks) + len(gate.cooling) + len(gate.silenced))
    assert tracks.next_id > 250
    assert max(sizes) < 60 and max(sizes[4000:]) <= max(sizes[:4000]) + 5
    assert len(pickle.dumps((tracks, gate, known))) < 20_000
