"""The picture for those who watch: drawn for them, of what is now, and kept for nobody."""

from __future__ import annotations

import gc
import sys
import weakref
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from edge.camera.fault import Fault
from edge.camera.frame import Frame
from edge.gate.decision import Evidence
from edge.gate.tracker import Track
from edge.status.poster import Poster
from edge.status.preview import Preview, smaller, whereabouts
from edge.watch import Person, Scene, Settings


def textured(width: int = 320, height: int = 240) -> np.ndarray:
    rng = np.random.default_rng(4)
    return rng.integers(0, 256, (height, width, 3)).astype(np.uint8)


def scene_at(*boxes: tuple[float, float, float, float], number: int | None = 1) -> Scene:
    people = tuple(
        Person(Track(i, box, (0, 0), 0.9, 0.9, 0, 0, face=0), Evidence(), number)
        for i, box in enumerate(boxes)
    )
    return Scene(people, size=(320, 240))


@pytest.fixture
def gate():
    """A poster with a preview, and a clock that is set by hand."""
    world = SimpleNamespace(now=100.0, preview=Preview(2, hide_faces=True))
    world.poster = Poster(world.preview, clock=lambda: world.now)
    world.poster.use(SimpleNamespace(words=("a", "b"), settings=Settings()), 5.0)
    return world


def turn(gate, image: np.ndarray, seconds: float = 0.1) -> None:
    gate.now += seconds
    gate.poster.seen(Frame(image, 0.0, 0), Scene(), 0.0)


def decoded(jpeg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


def test_no_frame_is_held_while_nobody_watches(gate):
    image = textured()
    before = sys.getrefcount(image)
    turn(gate, image)
    assert sys.getrefcount(image) == before and not gate.preview.watched(gate.now)


def test_who_asks_is_shown_the_newest_frame_and_soon_forgotten(gate):
    first, second = textured(), np.zeros((240, 320, 3), np.uint8)
    gate.preview._asked = gate.now
    turn(gate, first)
    assert decoded(gate.preview.jpeg(gate.now)).mean() > 60
    turn(gate, second, 0.6)
    assert decoded(gate.preview.jpeg(gate.now)).mean() < 20
    held = weakref.ref(second)
    del second
    turn(gate, np.ones((240, 320, 3), np.uint8), 2.1)
    gc.collect()
    assert held() is None and gate.preview._drawn is None


def test_a_frame_is_handed_over_no_more_often_than_is_set(gate):
    gate.preview._asked = gate.now
    taken = []
    for i in range(11):
        turn(gate, np.full((24, 32, 3), i, np.uint8), 0.125)
        taken.append(int(gate.preview._taken.image[0, 0, 0]))
    assert taken == [0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8]


def test_several_who_watch_share_one_drawing(gate, monkeypatch):
    drawn = []
    draw = gate.preview._draw
    monkeypatch.setattr(gate.preview, "_draw", lambda taken: drawn.append(1) or draw(taken))
    gate.preview._asked = gate.now
    turn(gate, textured())
    assert gate.preview.jpeg(gate.now) is gate.preview.jpeg(gate.now) and drawn == [1]


@pytest.mark.parametrize("trouble", ["fault", "nothing comes", "stale"])
def test_an_old_picture_is_never_shown_as_a_present_one(gate, trouble):
    gate.preview._asked = gate.now
    turn(gate, textured())
    assert gate.preview.jpeg(gate.now)
    if trouble == "fault":
        gate.poster.blind(Fault("unplugged", "gone", 0.0, 1.0), 1.0)
    elif trouble == "nothing comes":
        gate.now += 3
        gate.poster.waiting()
    else:
        gate.now += 6
    assert gate.preview.jpeg(gate.now) is None


@pytest.mark.parametrize("hide", [True, False])
def test_faces_that_are_followed_are_hidden_unless_somebody_wants_to_see_them(hide):
    preview, image = Preview(2, hide_faces=hide), textured()
    # One is a person, one may be none; both are hidden, and only the person has a box.
    scene = scene_at((40, 60, 120, 160), (200, 60, 280, 160), number=None)
    preview._asked = 0.0
    preview.take(Frame(image, 0.0, 0), scene, Settings(), None, 0.0, 0.0)
    shown = decoded(preview.jpeg(0.0)).astype(float)
    for left in (60, 220):
        # 16 pixels of one block are alike once hidden, and noise otherwise.
        assert bool(shown[85:101, left : left + 16].std() < 25) is hide
    assert shown[200:216, 150:166].std() > 25


def test_a_face_that_is_lost_for_a_moment_is_hidden_along_its_way():
    track = Track(1, (100, 50, 140, 90), (80.0, -20.0), 0.9, 0.9, 0.0, last_seen=3.0)
    assert whereabouts(track, 3.0) == track.box
    assert whereabouts(track, 3.5) == (100, 40, 180, 90)


@pytest.mark.parametrize(("size", "expected"), [
    ((320, 240), (320, 240)), ((1920, 1080), (640, 360)), ((1080, 1920), (360, 640)),
    ((5000, 2), (640, 1)),
])
def test_a_large_picture_is_made_small_and_its_boxes_with_it(size, expected):
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    small, scene = smaller(image, scene_at((0, 0, width / 2, height)))
    assert small.shape[1::-1] == expected
    assert scene.people[0].track.box == pytest.approx((0, 0, expected[0] / 2, expected[1]))


def test_the_frame_itself_stays_as_it_is(gate):
    image = textured()
    before = image.copy()
    preview = Preview(2, hide_faces=True)
    preview._asked = 0.0
    preview.take(Frame(image, 0.0, 0), scene_at((40, 60, 120, 160)), Settings(), 30.0, 0.0, 0.0)
    assert preview.jpeg(0.0) and (image == before).all()
