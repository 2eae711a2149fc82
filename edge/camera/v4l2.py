"""A camera on Linux (USB webcam, or anything with a /dev/video node) through OpenCV."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from edge.camera.capture import CaptureDevice
from edge.camera.steady import SteadySource
from edge.errors import SourceError


def v4l2_source(
    device: str,
    *,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    patient: bool = False,
    video: Any = cv2,
) -> SteadySource:
    """Return the camera at *device* (``/dev/video0``), asked for *size* pixels and *fps*.

    A camera that lacks the size or rate picks its nearest; the frames show which.  *video* is
    OpenCV.  Unless *patient*, raises SourceError when there is no such device, or it cannot be
    opened.
    """
    return SteadySource(
        partial(open_v4l2, device, size, fps, video),
        device, advice=_advice(device), patient=patient,
    )


def open_v4l2(
    device: str, size: tuple[int, int] | None, fps: float | None, video: Any = cv2
) -> CaptureDevice:
    """Open *device* once.  Raises SourceError with what is wrong and what to do."""
    if not Path(device).exists():
        raise SourceError(f"{device}: no such camera; {_cameras_here()}")
    if not os.access(device, os.R_OK | os.W_OK):
        raise SourceError(
            f"{device}: this user may not open it; add the user to the group 'video' "
            "and log in again"
        )
    number = re.fullmatch(r"/dev/video(\d+)", os.path.realpath(device))
    capture = video.VideoCapture(int(number[1]) if number else device, video.CAP_V4L2)
    if not capture.isOpened():
        capture.release()
        raise SourceError(f"{device}: cannot be opened as a camera; {_advice(device)}")
    # A queue of one: what the driver holds back is old by the time it is looked at.
    capture.set(video.CAP_PROP_BUFFERSIZE, 1)
    if size is not None:
        # Uncompressed 720p does not fit through USB 2 at 30 frames per second.
        capture.set(video.CAP_PROP_FOURCC, video.VideoWriter.fourcc(*"MJPG"))
        capture.set(video.CAP_PROP_FRAME_WIDTH, size[0])
        capture.set(video.CAP_PROP_FRAME_HEIGHT, size[1])
    if fps is not None:
        capture.set(video.CAP_PROP_FPS, fps)
    return CaptureDevice(capture)


def _advice(device: str) -> str:
    return (
        "check the cable, that no other program uses the camera, and "
        f"'v4l2-ctl --device {device} --all'"
    )


def _cameras_here() -> str:
    found = sorted(str(p) for p in Path("/dev").glob("video[0-9]*"))
    if found:
        return f"this machine has {', '.join(found)}"
    return (
        "this machine has none: plug one in and look at 'v4l2-ctl --list-devices', "
        "or run 'maskgate run --source demo:' without a camera"
    )
