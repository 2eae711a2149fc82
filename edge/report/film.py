"""The annotated video, keeping the source's time whatever frames were dropped."""

from __future__ import annotations

import cv2
import numpy as np

from edge.report.recorder import VideoRecorder, check_recording
from edge.vision.crop import Image

_USUAL_FPS = 25.0
# Longer than this nothing was to be seen (a pause between pictures): no need to show it.
_LONGEST_STILL = 1.0


class Film:
    """Records pictures with the seconds they belong to into *path*.

    The first picture decides the size; others are fitted into it.  Where the source dropped
    frames the last picture is repeated, so that the film runs no faster than life.  Raises
    what :class:`VideoRecorder` raises; what is wrong with *path* at once.
    """

    def __init__(self, path: str, frames_per_second: float | None) -> None:
        check_recording(path)
        self.path = path
        self._fps = frames_per_second or _USUAL_FPS
        self._recorder: VideoRecorder | None = None
        self._due = 0.0

    def write(self, image: Image, seconds: float) -> None:
        """Add *image* (H, W, 3) uint8 BGR, which belongs at *seconds* of the source's time."""
        height, width = image.shape[:2]
        if self._recorder is None:
            self._recorder = VideoRecorder(self.path, self._fps, (width, height))
            self._due = seconds
        behind = seconds - self._due
        if behind > _LONGEST_STILL:
            self._due, behind = seconds, 0.0
        repeats = max(0, 1 + round(behind * self._fps))
        fitted = _fit(image, *self._recorder.size)
        for _ in range(repeats):
            self._recorder.write(fitted)
        self._due += repeats / self._fps

    @property
    def written(self) -> bool:
        """Whether the file is there, finished."""
        return self._recorder is not None and self._recorder.written

    def close(self) -> None:
        """Finish the file; may be called twice."""
        if self._recorder is not None:
            self._recorder.close()


def _fit(image: Image, width: int, height: int) -> Image:
    if image.shape[:2] == (height, width):
        return image
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    canvas = np.zeros((height, width, 3), np.uint8)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    shrunk = cv2.resize(image, inner, interpolation=cv2.INTER_AREA)
    canvas[top : top + inner[1], left : left + inner[0]] = shrunk
    return canvas
