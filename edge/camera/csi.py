"""A camera on a Jetson's CSI port, through GStreamer in OpenCV."""

from __future__ import annotations

from functools import partial
from typing import Any

import cv2

from edge.camera.capture import CaptureDevice
from edge.camera.steady import SteadySource
from edge.errors import SourceError

_ADVICE = (
    "check the ribbon cable at both ends, and restart the camera's service with "
    "'sudo systemctl restart nvargus-daemon'"
)


def csi_source(
    sensor: int,
    *,
    size: tuple[int, int] = (1280, 720),
    fps: float = 30.0,
    flip: int = 0,
    patient: bool = False,
    video: Any = cv2,
) -> SteadySource:
    """Return CSI camera number *sensor* at *size* pixels and *fps* frames per second.

    *flip* is nvvidconv's ``flip-method``, 0 to 7; 2 turns the picture upside down.  *video* is
    OpenCV.  Raises SourceError when this OpenCV has no GStreamer, and unless *patient* when
    the camera cannot be opened.
    """
    name = f"csi://{sensor}"
    if not video.videoio_registry.hasBackend(video.CAP_GSTREAMER):
        raise SourceError(
            f"{name}: this OpenCV was built without GStreamer, which opencv-python from pip "
            "always is; use JetPack's OpenCV in an environment made with --system-site-packages"
        )
    pipeline = argus_pipeline(sensor, size, fps, flip)
    return SteadySource(
        partial(open_pipeline, pipeline, name, video), name, advice=_ADVICE, patient=patient
    )


def argus_pipeline(sensor: int, size: tuple[int, int], fps: float, flip: int) -> str:
    """Return the GStreamer pipeline from the camera to BGR pictures, the newest only.

    The ISP scales and the hardware converter flips; only the last step, which drops the fourth
    byte of each pixel, costs the processor time.
    """
    width, height = size
    # Argus takes a fraction; thousandths are as exact as any frame rate.
    rate = f"{round(fps * 1000)}/1000"
    return " ! ".join(
        (
            f"nvarguscamerasrc sensor-id={sensor}",
            "video/x-raw(memory:NVMM),format=(string)NV12,"
            f"width=(int){width},height=(int){height},framerate=(fraction){rate}",
            f"nvvidconv flip-method={flip}",
            "video/x-raw,format=(string)BGRx",
            "videoconvert",
            "video/x-raw,format=(string)BGR",
            "appsink drop=true max-buffers=1 sync=false",
        )
    )


def open_pipeline(pipeline: str, name: str, video: Any = cv2) -> CaptureDevice:
    """Start *pipeline* once.  Raises SourceError, naming *name*, when that fails."""
    capture = video.VideoCapture(pipeline, video.CAP_GSTREAMER)
    if not capture.isOpened():
        capture.release()
        raise SourceError(f"{name}: cannot be opened; {_ADVICE}")
    return CaptureDevice(capture)
