"""A Raspberry Pi's camera: two streams, controls, and requests that go back.

Against a stand-in for picamera2; nothing here ran with the hardware.
"""

from __future__ import annotations

import itertools
from functools import partial

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.camera import open_source, remarks_of
from edge.camera.fakes import FakePicamera2
from edge.camera.frame import Frame, same_scene
from edge.camera.health import Health, Tolerance
from edge.camera.keeper import Backoff, Keeper
from edge.camera.openers import picamera2
from edge.camera.pi import PiDevice, lores_size, picamera2_source, small_picture, small_size
from edge.camera.pi_controls import offered, read_controls
from edge.camera.plugins import SMALL_PIXELS, Wish
from edge.camera.uri import parse_uri
from edge.errors import SourceError, UsageError
from edge.vision.letterbox import input_shape, letterbox

SOON = 5.0


def streams(lores):
    """Return the configuration of a large picture and of a small one of the size *lores*."""
    small = {"size": lores, "format": "YUV420"} if lores else None
    return {"main": {"size": (320, 240), "format": "RGB888"}, "lores": small}


def first_of(source):
    seen = source.read(SOON)
    source.close()
    return seen


def test_a_pis_camera_is_configured_as_asked_for_and_red_stays_red():
    fake = FakePicamera2()
    source = picamera2_source(
        0, size=(320, 240), lores=(160, 120), fps=25, hflip=True, load=fake.load
    )
    frame = first_of(source)
    assert isinstance(frame, Frame)
    assert (frame.image.shape, frame.small.shape) == ((240, 320, 3), (120, 160, 3))
    for picture in (frame.image, frame.small):
        blue, green, red = picture.mean(axis=(0, 1))
        assert red > 200 > 40 > max(blue, green)
    assert fake.calls[1] == (
        "configure",
        {
            "main": {"size": (320, 240), "format": "RGB888"},
            "lores": {"size": (160, 120), "format": "YUV420"},
            "transform": ("Transform", {"hflip": 1, "vflip": 0}),
            "colour_space": "Smpte170m",
            "controls": {"FrameDurationLimits": (40_000, 40_000)},
            "queue": False,
        },
    )
    names = [call[0] for call in fake.calls]
    assert names[:3] == ["Picamera2", "configure", "start"]
    assert names[-3:] == ["cancel_all_and_flush", "stop", "close"]
    assert ("capture_request", 3.0) in fake.calls


@pytest.mark.parametrize(
    "small", [lambda yuv: yuv, lambda yuv: None, lambda yuv: yuv[:100], lambda yuv: 1 / 0]
)
def test_every_request_goes_back_whatever_was_in_it(small):
    fake = FakePicamera2(small=small)
    source = picamera2_source(0, size=(320, 240), lores=(160, 120), load=fake.load)
    source.read(0.2)
    source.close()
    assert fake.taken == fake.released > 0


def test_without_a_small_stream_there_is_one_picture():
    fake = FakePicamera2()
    frame = first_of(picamera2_source(0, size=(320, 240), load=fake.load))
    assert frame.small is None and fake.calls[1][1]["lores"] is None
    assert fake.taken == fake.released


def test_a_camera_that_stalls_is_closed_though_a_read_still_waits():
    fake = FakePicamera2()
    fake.stalled = True
    device = PiDevice(fake, 0, streams(None), {}, {}, 30.0)
    with pytest.raises(TimeoutError):
        device.read()
    device.close()
    assert [call[0] for call in fake.calls][-2:] == ["stop", "close"]


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        (lambda yuv: yuv[: yuv.shape[0] // 2], "wrong size"),
        (lambda yuv: np.repeat(yuv, 4, axis=0), "wrong size"),
        (lambda yuv: yuv[:-1], "garbage"),
        (lambda yuv: yuv.astype(np.float32), "garbage"),
        (lambda yuv: "nothing", "garbage"),
    ],
)
def test_a_small_stream_that_is_spoilt_is_a_fault_and_no_crash(spoil, name):
    fake, clock = FakePicamera2(), itertools.count(0.0, 0.1)
    health = Health("picamera2://0", "check the cable", Tolerance())
    keeper = Keeper(
        partial(PiDevice, fake, 0, streams((160, 120)), {}, {}, 30.0),
        health, Backoff(), lambda: next(clock), lambda seconds: None,
    )
    keeper.step()
    assert keeper.step().small.shape == (120, 160, 3)
    fake.small = spoil
    assert not any(keeper.step() for _ in range(30))
    assert health.fault.name == name
    fake.small = lambda yuv: yuv
    assert any(keeper.step() for _ in range(5)) and health.fault is None
    keeper.close()
    assert fake.taken == fake.released


def test_a_pi_without_that_camera_says_how_many_it_has():
    with pytest.raises(SourceError, match="picamera2://1: no such camera, 1 found; check the"):
        picamera2_source(1, load=FakePicamera2().load)


@given(st.integers(2, 40), st.integers(2, 40), st.integers(0, 130))
def test_a_small_picture_loses_its_padding_and_keeps_its_colours(columns, rows, padding):
    width, height, padding = 2 * columns, 2 * rows, 2 * (padding // 2)
    colour = np.full((height, width + padding, 3), (40, 90, 200), np.uint8)
    yuv = cv2.cvtColor(colour, cv2.COLOR_BGR2YUV_I420)
    small = small_picture(yuv, (width, height))
    assert small.shape == (height, width, 3) and small.flags.c_contiguous
    assert np.abs(small.astype(int) - (40, 90, 200)).max() <= 3


@given(st.integers(160, 4000), st.integers(120, 3000))
def test_the_detector_takes_the_small_picture_as_it_is(width, height):
    small = small_size((width, height), SMALL_PIXELS)
    if small is None:
        return
    assert small[0] % 2 == small[1] % 2 == 0 and small[0] * small[1] <= SMALL_PIXELS
    if not 1 / 3 <= width / height <= 3:
        return
    assert same_scene((width, height), small)
    canvas, scale = letterbox(np.zeros((small[1], small[0], 3), np.uint8),
                              *input_shape(*small, SMALL_PIXELS))
    assert scale == pytest.approx(1, abs=0.01) and canvas.size <= 3 * SMALL_PIXELS


@pytest.mark.parametrize(
    ("size", "small"),
    [
        ((1280, 720), (416, 234)),
        ((640, 480), (384, 288)),
        ((1640, 1232), (384, 288)),
        ((320, 240), None),
    ],
)
def test_the_small_size_follows_the_large_one(size, small):
    assert small_size(size, SMALL_PIXELS) == small == lores_size("auto", size, SMALL_PIXELS)


def test_the_small_picture_is_what_the_released_detector_takes():
    from edge.modelfile import read_model, released_model

    taken = read_model(released_model("face-detector"), "face-detector").card.input
    assert taken.width * taken.height == SMALL_PIXELS


def controls_of(options: str, fps: float = 30.0):
    return read_controls(parse_uri(f"picamera2://0?{options}"), fps)


@pytest.mark.parametrize(
    ("options", "controls"),
    [
        ("exposure=8000&gain=2", {"ExposureTime": 8000, "AnalogueGain": 2.0}),
        ("exposure=auto&gain=auto", {}),
        ("ev=1.5&metering=centre", {"ExposureValue": 1.5, "AeMeteringMode": 0}),
        ("metering=matrix&awb=daylight", {"AeMeteringMode": 2, "AwbMode": 5}),
        ("af=continuous", {"AfMode": 2}),
        ("af=auto", {"AfMode": 1, "AfTrigger": 0}),
        ("lens=0.5", {"LensPosition": 0.5, "AfMode": 0}),
        ("hdr=1", {"HdrMode": 3}),
        ("hdr=0", {"HdrMode": 0}),
    ],
)
def test_exposure_colour_and_focus_become_libcameras_controls(options, controls):
    assert controls_of(options) == controls


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("exposure=50000", "exposure is '50000'; allowed: auto, or 10 to 33333 microseconds at 30"),
        ("exposure=nan", "exposure is 'nan'"),
        ("gain=0.5", "gain is '0.5'; allowed: auto, or 1 to 64"),
        ("ev=9", "ev is '9'; allowed: -8 to 8 stops"),
        ("metering=face", "metering is 'face'; allowed: centre, spot, matrix"),
        ("awb=candle", "awb is 'candle'; allowed: auto, tungsten, fluorescent"),
        ("af=always", "af is 'always'; allowed: manual, auto, continuous"),
        ("lens=-1", "lens is '-1'; allowed: 0 to 32 dioptres"),
        ("hdr=maybe", "hdr is 'maybe'; allowed: 1 or 0"),
        ("lens=1&af=continuous", "lens holds the lens still and af=continuous moves it"),
        ("lores=1280x720&size=640x480", "lores is '1280x720'; allowed: auto, none, or WIDTH"),
        ("lores=300x300", "lores is '300x300'"),
        ("lores=321x181", "lores is '321x181'; .* even numbers"),
    ],
)
def test_a_control_that_makes_no_sense_is_explained(options, says):
    with pytest.raises(UsageError, match=says):
        picamera2(parse_uri(f"picamera2://0?{options}"), Wish())


def test_an_option_is_read_before_the_camera_is_looked_for():
    with pytest.raises(UsageError, match="ev is 'bright'"):
        open_source("picamera2://0?ev=bright")


def test_a_control_that_the_camera_lacks_is_a_remark_and_the_gate_goes_on():
    fake = FakePicamera2(lacks=("LensPosition", "AfMode"))
    wanted = {"LensPosition": 0.5, "AfMode": 0, "ExposureValue": 1.0}
    source = picamera2_source(0, size=(320, 240), controls=wanted, load=fake.load)
    assert isinstance(first_of(source), Frame)
    assert remarks_of(source) == (
        "picamera2://0: this camera has no control LensPosition; lens is left out of account",
        "picamera2://0: this camera has no control AfMode; af is left out of account",
    )
    assert fake.calls[1][1]["controls"]["ExposureValue"] == 1.0


def test_a_control_beyond_what_the_camera_can_do_is_held_to_it_and_told():
    taken, remarks = offered({"AnalogueGain": 64.0}, {"AnalogueGain": (1.0, 16.0, 1.0)})
    assert taken == {"AnalogueGain": 16.0}
    assert remarks == ("gain is 64.0; this camera allows 1.0 to 16.0 and got 16.0",)
