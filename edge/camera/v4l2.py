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

FOURCC_HINT = "four letters or digits, such as MJPG or YUYV"

# Uncompressed pictures take two bytes a pixel, and USB 2 reserves a camera at most 24.6 MB/s
# (three packets of 1,024 bytes in each of 8,000 microframes): 640x480 fits at 30 frames per
# second with 18.4 MB/s, 1280x720 needs 55.3 and gets through 13 times a second at best.
_MOST_UNCOMPRESSED = 640 * 480  # pixels


def v4l2_source(
    device: str,
    *,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    fourcc: str = "",
    patient: bool = False,
    video: Any = cv2,
) -> SteadySource:
    """Return the camera at *device* (``/dev/video0``), asked for *size* pixels and *fps*.

    *fourcc* is how it is to send pictures: compressed as ``MJPG``, as they are as ``YUYV``.
    Empty is MJPG for more than 640x480 pixels, which fill a USB 2 cable otherwise, and the
    camera's own choice up to there, which saves unpacking them.

    A camera that lacks the size or rate picks its nearest; the frames show which.  *video* is
    OpenCV.  Unless *patient*, raises SourceError when there is no such device, or it cannot be
    opened.
    """
    if not fourcc and size is not None and size[0] * size[1] > _MOST_UNCOMPRESSED:
        fourcc = "MJPG"
    return SteadySource(
        partial(open_v4l2, device, size, fps, fourcc, video),
        device, advice=_advice(device), patient=patient,
    )


def four_characters(text: str) -> str:
    """Return *text* in capitals if it is a pixel format's name; ValueError for anything else."""
    if not re.fullmatch(r"[A-Za-z0-9]{4}", text):
        raise ValueError(text)
    return text.upper()


def open_v4l2(
    device: str,
    size: tuple[int, int] | None,
    fps: float | None,
    fourcc: str,
    video: Any = cv2,
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
    # The format first: a camera has other sizes and rates in each.
    if fourcc:
        capture.set(video.CAP_PROP_FOURCC, video.VideoWriter.fourcc(*fourcc))
    if size is not None:
        capture.set(video.CAP_PROP_FRAME_WIDTH, size[0])
        capture.set(video.CAP_PROP_FRAME_HEIGHT, size[1])
    if fps is not None:
        capture.set(video.CAP_PROP_FPS, fps)
    sends = _fourcc_words(capture.get(video.CAP_PROP_FOURCC))
    if fourcc and sends not in ("", fourcc):
        return CaptureDevice(capture, (f"was asked for {fourcc} and sends {sends}",))
    return CaptureDevice(capture)


def _fourcc_words(value: float) -> str:
    """Return the name that OpenCV's number *value* stands for, empty where it is not known."""
    letters = max(0, int(value)).to_bytes(8, "little")[:4]
    return letters.decode("ascii", "replace").rstrip("\0 ")


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
