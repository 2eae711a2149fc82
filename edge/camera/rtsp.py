"""A network camera through OpenCV's FFmpeg."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlsplit

import cv2

from edge.camera.capture import CaptureDevice
from edge.camera.health import Tolerance
from edge.camera.steady import SteadySource
from edge.errors import SourceError, UsageError

_OPEN_TIMEOUT = 10_000  # milliseconds
_READ_TIMEOUT = 5_000  # milliseconds
# An encoder repeats a still scene to the pixel until its next key frame, which cameras that
# save bandwidth put off for half a minute.  Networks stutter where cables do not.
_TOLERANCE = Tolerance(stalled=5.0, frozen=60.0)


def rtsp_source(url: str, *, patient: bool = False, video: Any = cv2) -> SteadySource:
    """Return the camera at *url*, ``rtsp://user:password@host:port/path?query``.

    Its name, and so every message, leaves out what may be secret: user, password and query.
    *video* is OpenCV.  Raises UsageError for a URL without a host, SourceError when this
    OpenCV has no FFmpeg, and unless *patient* when the camera cannot be reached.
    """
    name = shown_url(url)
    if not video.videoio_registry.hasBackend(video.CAP_FFMPEG):
        raise SourceError(
            f"{name}: this OpenCV was built without FFmpeg; install opencv-python-headless by pip"
        )
    return SteadySource(
        partial(open_rtsp, url, video), name, advice=_advice(name), patient=patient,
        tolerance=_TOLERANCE,
    )


def open_rtsp(url: str, video: Any = cv2) -> CaptureDevice:
    """Connect to *url* once, in bounded time.  Raises SourceError when that fails."""
    timeouts = [
        video.CAP_PROP_OPEN_TIMEOUT_MSEC, _OPEN_TIMEOUT,
        video.CAP_PROP_READ_TIMEOUT_MSEC, _READ_TIMEOUT,
    ]
    capture = video.VideoCapture(url, video.CAP_FFMPEG, timeouts)
    if not capture.isOpened():
        capture.release()
        name = shown_url(url)
        raise SourceError(f"{name}: cannot be reached or gives no video; {_advice(name)}")
    return CaptureDevice(capture)


def shown_url(url: str) -> str:
    """Return *url* without user, password and query.  Raises UsageError when it has no host."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host:
        raise UsageError("source rtsp: names no host; write rtsp://user:password@host:554/path")
    host = f"[{host}]" if ":" in host else host
    return f"rtsp://{host}{f':{port}' if port else ''}{parts.path}"


def _advice(name: str) -> str:
    return (
        "check the camera's power and network, its user and password, and play the whole URL "
        f"with 'ffplay -rtsp_transport tcp {name}'"
    )
