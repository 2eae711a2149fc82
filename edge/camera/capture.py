"""What OpenCV opens, as a device that a steady source keeps."""

from __future__ import annotations

from typing import Any, Protocol

import cv2


class Capture(Protocol):
    """What is used of ``cv2.VideoCapture``."""

    def isOpened(self) -> bool: ...

    def get(self, which: int) -> float: ...

    def set(self, which: int, value: float) -> Any: ...

    def read(self) -> Any:
        """Return (True, picture), or (False, anything) when there is none."""

    def release(self) -> Any: ...


class CaptureDevice:
    """An open *capture*; its pictures are colour, in BGR order, whatever the camera is.

    *remarks* are what a person should know of it.
    """

    def __init__(self, capture: Capture, remarks: tuple[str, ...] = ()) -> None:
        self.remarks = remarks
        self._capture = capture
        rate = float(capture.get(cv2.CAP_PROP_FPS))
        self.frames_per_second = rate if 1 <= rate <= 240 else None

    def read(self) -> Any:
        """Return the next picture, (H, W, 3) uint8, or None when OpenCV has none."""
        ok, image = self._capture.read()
        if not ok or image is None or image.size == 0:
            return None
        return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image

    def close(self) -> None:
        self._capture.release()
