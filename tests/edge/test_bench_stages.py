"""Made scenes, a frame split into its stages, and what a loop on them measures."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from edge.bench import scenes
from edge.bench.cameras import camera_time
from edge.bench.loop import frame_cost, load, loop_time, make_loop, settings_for, sustained_rates
from edge.bench.networks import Pair, bare_time, thread_counts
from edge.bench.pins import open_light, pin_latency
from edge.bench.scenes import SceneSource, ScriptedDetector, make_scene, with_small
from edge.bench.stages import STAGES, FrameStages, find_interpreter, invokes_noted
from edge.bench.statistics import Effort
from edge.camera.fault import Fault
from edge.camera.frame import Frame
from edge.errors import OutputError, SourceError
from edge.modelfile import read_model, released_model

# By number and not by time, so that a busy machine measures as much.
FEW = Effort(seconds=60.0, warm_up=0.0, least=5, most=5)


@pytest.fixture(scope="module")
def pair() -> Pair:
    return Pair(
        read_model(released_model("face-detector"), "face-detector"),
        read_model(released_model("mask-classifier"), "mask-classifier"),
    )


@pytest.fixture
def no_portrait(monkeypatch):
    def missing(height):
        raise SourceError("no scikit-image")

    monkeypatch.setattr(scenes, "_portrait_busts", missing)


@pytest.mark.parametrize("faces", [0, 1, 2, 4, 8])
@pytest.mark.parametrize("size", [(640, 480), (1280, 720)])
def test_faces_lie_apart_and_inside_every_picture(no_portrait, faces, size):
    scene = make_scene(faces, size)
    assert scene.size == size
    for boxes in scene.boxes:
        assert boxes.shape == (faces, 4)
        assert (boxes >= 0).all()
        assert (boxes <= np.array([*size, *size])).all()
        order = boxes[np.lexsort((boxes[:, 0], boxes[:, 1] // (size[1] / 2)))]
        assert all(a[2] < b[0] or a[3] < b[1] for a, b in pairwise(order))


@pytest.mark.parametrize("faces", [1, 8])
def test_the_detector_finds_the_portraits_where_they_are(pair, faces):
    pytest.importorskip("skimage", reason="the portrait comes with scikit-image")
    scene = make_scene(faces)
    detector = load(pair, 1).detector
    assert scene.kind == "portrait"
    for picture, boxes in zip(scene.pictures, scene.boxes, strict=True):
        found = detector.detect(picture)
        middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
        inside = [(b[:2] < m).all() and (m < b[2:]).all() for m in middles for b in boxes]
        assert sum(inside) == faces


def test_without_a_portrait_faces_are_painted_and_their_boxes_scripted(no_portrait, pair):
    scene = make_scene(4)
    assert scene.kind == "painted"
    detector = ScriptedDetector(load(pair, 1).detector, scene)
    for picture, boxes in zip(scene.pictures, scene.boxes, strict=True):
        assert (detector.detect(picture).boxes == boxes).all()


def test_a_painted_loop_follows_and_judges_everybody(no_portrait, pair):
    loop = make_loop(load(pair, 1), settings_for(pair), make_scene(4))
    for _ in range(12):
        loop.step()
    assert len(loop.watch.scene.people) == 4
    assert loop.watch.classified >= 12


def test_pictures_repeat_and_are_the_readers_own():
    scene = make_scene(0)
    source = SceneSource(scene)
    frames = [source.read(1.0) for _ in range(2 * len(scene.pictures))]
    assert [f.sequence for f in frames] == list(range(len(frames)))
    assert frames[30 % len(frames)].timestamp == pytest.approx((30 % len(frames)) / 30)
    frames[0].image[:] = 0
    assert scene.pictures[0].any()


def test_a_network_splits_the_stage_it_lies_in():
    now = [0.0]
    stages = FrameStages(lambda: now[0])
    stages.start()
    now[0] = 1.0
    stages.lap("capture")
    stages.in_network("resize", "detect", 3.0, 6.0)
    now[0] = 10.0
    stages.lap("detect")
    stages.in_network("crop", "classify", 11.0, 13.0)
    stages.in_network("crop", "classify", 14.0, 16.0)
    now[0] = 17.0
    stages.lap("classify")
    assert stages.frames == [
        {"capture": 1.0, "resize": 2.0, "detect": 3.0, "decode": 4.0, "crop": 2.0, "classify": 5.0}
    ]


def test_without_a_network_seen_stages_stay_whole():
    now = [0.0]
    stages = FrameStages(lambda: now[0])
    stages.start()
    now[0] = 5.0
    stages.lap("detect")
    assert stages.frames == [{"detect": 5.0}]


def test_listening_to_the_networks_ends_with_the_measurement(pair):
    networks = load(pair, 1)
    interpreter = find_interpreter(networks.detector)
    with invokes_noted(FrameStages(), networks.detector, networks.classifier) as split:
        assert split
        assert "invoke" in vars(interpreter)
    assert "invoke" not in vars(interpreter)


def test_a_detector_without_a_runtime_is_measured_whole():
    with invokes_noted(FrameStages(), object(), object()) as split:
        assert not split


def test_every_stage_of_a_frame_is_timed_and_adds_up(pair):
    cost = frame_cost(pair, make_scene(1), FEW)
    assert cost.split
    assert [share.stage for share in cost.stages] == list(STAGES)
    assert all(share.time.samples == cost.frame.samples for share in cost.stages)
    means = sum(share.time.mean_ms for share in cost.stages if share.stage != "capture")
    assert means == pytest.approx(cost.frame.mean_ms)
    assert cost.ratio == pytest.approx(cost.frame.p50_ms / cost.bare_ms)


@pytest.mark.parametrize(("size", "small"), [((640, 480), (384, 288)), ((1280, 720), (416, 234))])
def test_a_camera_that_scales_gives_the_detectors_picture_as_well(size, small):
    scene = with_small(make_scene(1, size, steps=2), 384 * 288)
    frame = SceneSource(scene).read(1.0)
    assert frame.image.shape[:2] == size[::-1]
    assert frame.small.shape[:2] == small[::-1]


@pytest.mark.parametrize("faces", [0, 2])
def test_a_loop_counts_its_faces_and_looks(pair, faces):
    pytest.importorskip("skimage", reason="without it faces are scripted, and found by decree")
    found = loop_time(load(pair, 1), settings_for(pair), make_scene(faces), FEW)
    assert (found.faces, found.found) == (faces, faces)
    assert (found.looks > 0) == (faces > 0)
    assert found.frame.samples == 5


@pytest.mark.parametrize("network", ["detector", "classifier"])
def test_a_network_alone_says_its_size_and_threads(pair, network):
    found = bare_time(pair, network, 1, make_scene(1), FEW)
    assert (found.network, found.threads) == (network, 1)
    card = {"detector": pair.detector, "classifier": pair.classifier}[network].card.input
    assert np.prod(found.size) == card.width * card.height


@pytest.mark.parametrize(
    ("cores", "counts"), [(1, (1,)), (4, (1, 2, 3, 4)), (64, (1, 2, 3, 4, 5, 6, 7, 8)), (0, (1,))]
)
def test_each_number_of_threads_is_measured_up_to_eight(cores, counts):
    assert thread_counts(cores) == counts


def test_a_new_person_makes_the_pin_go_on_for_each_sample(pair):
    pytest.importorskip("skimage", reason="the portrait comes with scikit-image")
    found = pin_latency(load(pair, 1), settings_for(pair), make_scene(1), None, FEW)
    assert found.mock
    assert found.time.samples == 4  # the first one warms up
    assert found.time.p50_ms > 0


def test_where_nobody_rings_there_is_no_latency(pair):
    assert pin_latency(load(pair, 1), settings_for(pair), make_scene(0), None, FEW) is None


def test_a_pin_that_is_taken_is_one_line(mock_pins):
    from edge.alerts.pins import Pins

    pins = Pins(mock_pins, True, "a test")
    first = open_light(17, pins)
    with pytest.raises(OutputError, match=r"--pin: .*17"):
        open_light(17, pins)
    first.close()
    open_light(17, pins).close()


def test_speed_over_time_is_told_at_every_interval(pair):
    now = [0.0]
    loop = make_loop(load(pair, 1), settings_for(pair), make_scene(0))

    def clock() -> float:
        now[0] += 0.5
        return now[0]

    rates = list(sustained_rates(loop, minutes=0.5, every=5.0, clock=clock))
    assert len(rates) >= 3
    assert [second for second, _ in rates] == sorted(second for second, _ in rates)
    assert all(fps > 0 for _, fps in rates)


class SteppedCamera:
    """A live camera at 25 frames per second that drops every fifth, on a clock of its own."""

    name, live, frames_per_second = "stepped", True, 30.0

    def __init__(self, *answers) -> None:
        self.now, self.number, self.closed = 0.0, 0, False
        self.answers = answers

    def clock(self) -> float:
        return self.now

    def read(self, timeout):
        if self.answers:
            self.now += timeout
            return self.answers[0]
        gap = 2 if self.number % 5 == 3 else 1
        self.now += 0.04 * gap
        self.number += gap
        return Frame(np.zeros((480, 640, 3), np.uint8), self.now - 0.012, self.number)

    def close(self) -> None:
        self.closed = True


def test_a_camera_alone_tells_rate_age_and_drops():
    camera = SteppedCamera()
    found = camera_time("any", 10.0, 1.0, camera.clock, lambda uri: camera)
    assert found.fps == pytest.approx(25.0)
    assert found.age.p50_ms == pytest.approx(12.0)
    assert found.dropped > 30
    assert (found.size, found.promised_fps) == ((640, 480), 30.0)
    assert camera.closed


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Fault("unplugged", "no cable", 0.0, 0.0), "unplugged: no cable"),
        (None, "no picture came"),
    ],
)
def test_a_camera_without_a_picture_is_one_line(answer, words):
    camera = SteppedCamera(answer)
    if answer is None:
        camera.live = False
    with pytest.raises(SourceError, match=words):
        camera_time("any", 1.0, 1.0, camera.clock, lambda uri: camera)
    assert camera.closed
