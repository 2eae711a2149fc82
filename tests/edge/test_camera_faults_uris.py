"""Cameras by their addresses: what is asked of each library, without the hardware.

Nothing here ran against a Jetson, a Raspberry Pi's camera or a network camera.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.camera import open_source, remarks_of
from edge.camera.csi import argus_pipeline, csi_source
from edge.camera.fakes import FakeVideo
from edge.camera.fault import Fault
from edge.camera.frame import Frame
from edge.camera.pi import picamera2_source
from edge.camera.rtsp import rtsp_source, shown_url
from edge.camera.scripted import TOUR, parse_script
from edge.camera.uri import parse_uri
from edge.camera.v4l2 import v4l2_source
from edge.errors import SourceError, UsageError

SOON = 5.0
SECRET = "rtsp://admin:p%40ss@10.0.0.5:8554/live/1?user=admin&password=p@ss&subtype=0"


@pytest.mark.parametrize(
    ("text", "scheme", "target"),
    [
        ("csi://0", "csi", "0"),
        ("csi:1?fps=60", "csi", "1"),
        ("picamera2://0?size=1280x720&fps=30&hflip=1", "picamera2", "0"),
        (SECRET, "rtsp", SECRET),
        ("RTSP://host/a?b", "rtsp", "rtsp://host/a?b"),
        ("faulty:demo?script=picture:5,hang:8", "faulty", "demo"),
    ],
)
def test_a_camera_is_named_by_its_address(text, scheme, target):
    uri = parse_uri(text)
    assert (uri.scheme, uri.target) == (scheme, target)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("csi://left", "'left' is no camera; allowed: csi://NUMBER, 0 to 99"),
        ("csi://0?flip=8", "flip is '8'; allowed: nvvidconv's flip-method, 0 to 7"),
        ("picamera2://0?hflip=maybe", "hflip is 'maybe'; allowed: 1 or 0"),
        ("picamera2://0?zoom=2", "'zoom' is not known for picamera2:; allowed: size, lores, fps"),
        ("v4l2://0?fourcc=MPEG4", "fourcc is 'MPEG4'; allowed: four letters or digits"),
        ("rtsp://:554/path", "names no host"),
        ("rtsp://[::1/path", "names no host"),
        ("faulty:demo?script=dance:5", "script is 'dance:5'; allowed: BEHAVIOUR:SECONDS"),
        ("faulty:demo?script=hang:0", "script is 'hang:0'"),
        ("faulty:demo?script=hang:inf", "script is 'hang:inf'"),
        ("faulty:demo?script=hang", "script is 'hang'"),
        ("faulty:faulty:demo", "is a camera; name demo, a file or a folder"),
    ],
)
def test_an_address_that_makes_no_sense_is_explained(text, says):
    with pytest.raises(UsageError, match=says):
        open_source(text)


def test_a_webcam_is_asked_for_a_size_it_can_send_and_for_a_queue_of_one(tmp_path):
    node = tmp_path / "video0"
    node.write_bytes(b"")
    video = FakeVideo(rate=0.0)
    source = v4l2_source(str(node), size=(1280, 720), fps=30, video=video)
    assert isinstance(source.read(SOON), Frame) and source.frames_per_second is None
    source.close()
    calls = list(video.calls)
    assert calls[0] == (str(node), cv2.CAP_V4L2) and calls[-1] == ("release",)
    assert [call[1:] for call in calls[1:-1]] == [
        (cv2.CAP_PROP_BUFFERSIZE, 1),
        (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
        (cv2.CAP_PROP_FRAME_WIDTH, 1280),
        (cv2.CAP_PROP_FRAME_HEIGHT, 720),
        (cv2.CAP_PROP_FPS, 30),
    ]


@pytest.mark.parametrize(
    ("size", "fourcc", "asked"),
    [
        (None, "", None),
        ((640, 480), "", None),
        ((800, 600), "", "MJPG"),
        ((1280, 720), "YUYV", "YUYV"),
        ((640, 480), "MJPG", "MJPG"),
    ],
)
def test_pictures_that_fill_the_cable_are_asked_for_compressed(tmp_path, size, fourcc, asked):
    node = tmp_path / "video0"
    node.write_bytes(b"")
    video = FakeVideo()
    v4l2_source(str(node), size=size, fourcc=fourcc, video=video).close()
    formats = [call[2] for call in video.calls if call[:2] == ("set", cv2.CAP_PROP_FOURCC)]
    assert formats == ([cv2.VideoWriter.fourcc(*asked)] if asked else [])


@pytest.mark.parametrize(("sends", "remarks"), [("MJPG", 0), ("YUYV", 1), ("", 0)])
def test_a_webcam_that_sends_another_format_is_told(tmp_path, sends, remarks):
    node = tmp_path / "video0"
    node.write_bytes(b"")
    source = v4l2_source(str(node), size=(1280, 720), video=FakeVideo(sends=sends))
    source.close()
    assert remarks_of(source) == (f"{node}: was asked for MJPG and sends YUYV",) * remarks


def test_a_network_camera_is_opened_with_timeouts_and_its_whole_address():
    video = FakeVideo()
    source = rtsp_source(SECRET, video=video)
    assert isinstance(source.read(SOON), Frame) and source.frames_per_second == 25.0
    source.close()
    opened = video.calls[0]
    assert opened[:2] == (SECRET, cv2.CAP_FFMPEG)
    assert opened[2] == [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 10_000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 5_000,
    ]
    assert video.calls[-1] == ("release",)


def test_no_password_is_ever_shown():
    source = rtsp_source(SECRET, video=FakeVideo(opens=False), patient=True)
    fault = source.read(SOON)
    source.close()
    assert isinstance(fault, Fault) and fault.name == "unplugged"
    for text in (source.name, fault.detail, str(fault)):
        assert "10.0.0.5:8554/live/1" in text and "p@ss" not in text and "p%40ss" not in text
    assert shown_url("rtsp://u:p@[fe80::1]:554/x?y") == "rtsp://[fe80::1]:554/x"


def test_a_jetsons_camera_is_one_pipeline_that_keeps_only_the_newest():
    video = FakeVideo()
    source = csi_source(1, size=(1920, 1080), fps=29.97, flip=2, video=video)
    assert isinstance(source.read(SOON), Frame)
    source.close()
    pipeline, backend = video.calls[0]
    assert backend == cv2.CAP_GSTREAMER
    assert pipeline == argus_pipeline(1, (1920, 1080), 29.97, 2) == (
        "nvarguscamerasrc sensor-id=1 ! "
        "video/x-raw(memory:NVMM),format=(string)NV12,"
        "width=(int)1920,height=(int)1080,framerate=(fraction)29970/1000 ! "
        "nvvidconv flip-method=2 ! video/x-raw,format=(string)BGRx ! "
        "videoconvert ! video/x-raw,format=(string)BGR ! "
        "appsink drop=true max-buffers=1 sync=false"
    )


@pytest.mark.parametrize("patient", [False, True])
def test_software_that_is_missing_is_told_at_once_even_to_the_patient(patient):
    def absent(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    def unfit(name):
        raise ValueError("numpy.dtype size changed")

    with pytest.raises(SourceError, match="csi://0: this OpenCV was built without GStreamer"):
        csi_source(0, video=FakeVideo(backends=()), patient=patient)
    with pytest.raises(SourceError, match="rtsp://host/: this OpenCV was built without FFmpeg"):
        rtsp_source("rtsp://host/", video=FakeVideo(backends=()), patient=patient)
    with pytest.raises(SourceError, match="apt install python3-picamera2"):
        picamera2_source(0, load=absent, patient=patient)
    with pytest.raises(SourceError, match=r"numpy.dtype size changed.*take numpy.*from apt"):
        picamera2_source(0, load=unfit, patient=patient)


def test_a_faulty_camera_shows_a_folder_and_fails_as_its_script_says(tmp_path, painted):
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), painted(("mask", 50, 50, 40)))
    source = open_source(f"faulty:{tmp_path}?script=picture:0.5,unplug:1,picture:9")
    assert source.live
    seen = [source.read(SOON) for _ in range(3)]
    while not isinstance(seen[-1], Fault):
        seen.append(source.read(SOON))
    source.close()
    assert seen[-1].name == "unplugged"
    assert all(isinstance(s, Frame) and np.ptp(s.image) > 100 for s in seen[:3])


def test_the_tour_shows_every_behaviour_and_a_script_can_be_typed():
    assert parse_script("picture:2,wrong-size:1.5") == ((2, "picture"), (1.5, "wrong size"))
    assert {b for _, b in TOUR} == {
        "picture", "hang", "freeze", "black", "unplug", "wrong size", "garbage",
    }
