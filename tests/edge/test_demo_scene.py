"""The built-in scene is the same every time, and knows what it shows."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from edge.camera.demo import NOBODY, DemoSource, demo_truth, programme_seconds
from edge.errors import SourceError, UsageError

SIZE = (640, 480)
SCENES = ("bare", "mask", "under_nose")


@pytest.fixture(scope="module")
def demo() -> DemoSource:
    pytest.importorskip("skimage", reason="the demo's portrait comes with scikit-image")
    return DemoSource(scenes=SCENES)


def test_the_same_seed_gives_the_same_frames(demo: DemoSource) -> None:
    again, other = DemoSource(scenes=SCENES), DemoSource(seed=1, scenes=SCENES)
    for number in (0, 100):
        assert np.array_equal(demo.picture(number), again.picture(number))
        assert not np.array_equal(demo.picture(number), other.picture(number))


def test_it_ends_after_its_last_frame_on_a_clock_of_its_own() -> None:
    pytest.importorskip("skimage")
    source = DemoSource(size=(64, 64), frames_per_second=10, seconds=0.5)
    frames = [source.read(1.0) for _ in range(7)]
    assert [f.timestamp for f in frames if f] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert [f.sequence for f in frames if f] == [0, 1, 2, 3, 4]
    assert frames[5] is None
    assert frames[6] is None
    assert source.live is False


def test_closing_ends_the_scene() -> None:
    pytest.importorskip("skimage")
    source = DemoSource(size=(64, 64))
    assert source.read(1.0) is not None
    source.close()
    source.close()
    assert source.read(1.0) is None


def test_frames_are_pictures_of_the_asked_size(demo: DemoSource) -> None:
    frame = demo.read(0.0)
    assert frame is not None
    assert frame.image.shape == (480, 640, 3)
    assert frame.image.dtype == np.uint8
    assert frame.image.flags.c_contiguous


@pytest.mark.parametrize("size", [SIZE, (320, 240), (1280, 720), (480, 640)])
def test_true_boxes_lie_inside_the_picture_and_grow_as_the_person_comes(
    size: tuple[int, int],
) -> None:
    truths = [demo_truth(k / 30, size, ("mask",)) for k in range(200)]
    boxes = np.array([t.box for t in truths if t.box is not None])
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= size).all()
    widths = (boxes[:, 2] - boxes[:, 0]) / size[0]
    assert 0.02 < widths[0] < 0.07
    assert widths.max() > 0.17


def test_visits_come_in_order_with_an_empty_shop_between() -> None:
    seconds = programme_seconds(SCENES)
    states = [demo_truth(t, SIZE, SCENES).state for t in np.arange(0, seconds, 1 / 30)]
    changes = [s for k, s in enumerate(states) if k == 0 or s != states[k - 1]]
    assert changes == [NOBODY, "bare", NOBODY, "mask", NOBODY, "under_nose", NOBODY]
    assert all(states.count(scene) > 3 * 30 for scene in SCENES)


def test_the_face_is_where_the_truth_says(demo: DemoSource) -> None:
    for number in (130, 150):
        truth = demo.truth(number / 30)
        assert truth.state == "bare"
        assert truth.box is not None
        x0, y0, x1, y1 = (round(float(v)) for v in truth.box)
        cheeks = demo.picture(number)[y0 + (y1 - y0) // 3 : y1, x0:x1].astype(int)
        b, _, r = (np.median(cheeks[:, :, c]) for c in range(3))
        assert r > 140
        assert r > b + 25


def test_a_masked_visit_differs_from_the_bare_one_in_the_lower_face_only(
    demo: DemoSource,
) -> None:
    visit = (programme_seconds(SCENES) - programme_seconds(SCENES[:1])) / 2
    bare, masked = demo.picture(135), demo.picture(135 + round(visit * 30))
    box = demo.truth(135 / 30).box
    assert box is not None
    x0, y0, x1, y1 = (round(float(v)) for v in box)
    difference = np.abs(bare.astype(int) - masked).max(2)
    assert np.median(difference[(y0 + y1) // 2 + 15 : y1 - 10, x0 + 20 : x1 - 20]) > 40
    assert np.median(difference[y0 : y0 + (y1 - y0) // 4, x0:x1]) < 20


def test_a_longer_demo_repeats_its_programme() -> None:
    seconds = programme_seconds(("bare",))
    first, again = (demo_truth(t, SIZE, ("bare",)) for t in (4.0, 4.0 + seconds))
    assert first.state == again.state == "bare"
    assert np.allclose(first.box, again.box, atol=0.01)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"size": (10, 480)}, "10x480"), ({"frames_per_second": 0}, "0 frames"),
        ({"scenes": ("visor",)}, "visor"), ({"scenes": ()}, "scenes"),
        ({"seconds": 0}, "seconds 0"),
    ],
)
def test_a_wrong_option_is_named(arguments: dict[str, object], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        DemoSource(**arguments)  # type: ignore[arg-type]


def test_without_scikit_image_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    monkeypatch.setitem(sys.modules, "skimage.data", None)
    with pytest.raises(SourceError, match=r"pip install 'maskgate\[demo\]'"):
        DemoSource()
