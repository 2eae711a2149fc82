"""A video file, or one picture, as a source."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from edge.camera.folder import FolderSource
from edge.camera.frame import Frame, Source
from edge.camera.probe import path_kind
from edge.errors import SourceError
from edge.vision.picture import PICTURE_SUFFIXES, read_picture

# What a video without a usable frame rate is taken to have.
_USUAL_FPS = 25.0


def open_file(path: str | Path, *, hold: float = 1.5) -> Source:
    """Return a source for the picture or video at *path*.

    A picture is shown for *hold* seconds, as if someone stood still before the camera:
    maskgate judges nobody by a single look.  Raises SourceError with what is wrong.
    """
    path = Path(path)
    kind = path_kind(path)
    if kind == "absent":
        raise SourceError(f"{path}: no such file; check the name given to --source")
    if kind == "folder":
        return FolderSource(path, hold=hold)
    if kind == "other":
        raise SourceError(f"{path}: is no ordinary file; a camera is named v4l2://{path}")
    if not os.access(path, os.R_OK):
        raise SourceError(f"{path}: may not be read by this user; check its permissions")
    if path.stat().st_size == 0:
        raise SourceError(f"{path}: is empty; copy the file again")
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return _picture(path, hold)
    try:
        return VideoSource(path)
    except SourceError as no_video:
        # A file without a suffix may well be a picture.
        try:
            return _picture(path, hold)
        except SourceError:
            raise no_video from None


def _picture(path: Path, hold: float) -> Source:
    read_picture(path)
    return FolderSource(path.parent, [path], hold=hold, name=str(path))


class VideoSource:
    """A video file, every frame once and in order, with the film's own time.

    *remarks* says so when the file ended early.  Raises SourceError when the file is no video
    that OpenCV can read, or holds no frame.
    """

    live = False

    def __init__(self, path: str | Path) -> None:
        self.name = str(path)
        self.remarks: tuple[str, ...] = ()
        self._capture: cv2.VideoCapture | None = cv2.VideoCapture(self.name)
        if not self._capture.isOpened():
            self.close()
            raise SourceError(
                f"{path}: is no picture or video that OpenCV can read, or it is cut off; "
                "try to play it, copy it again, or convert it to mp4 (H.264)"
            )
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.frames_per_second: float | None = fps if 1 <= fps <= 240 else _USUAL_FPS
        self._promised = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self._sequence = 0
        self._first = self._grab()
        if self._first is None:
            self.close()
            raise SourceError(f"{path}: is a video without a frame that can be decoded")

    def read(self, timeout: float) -> Frame | None:
        """Return the next frame, None after the last; a file needs no *timeout*."""
        image, self._first = self._first, None
        if image is None:
            image = self._grab()
        if image is None:
            self._note_early_end()
            return None
        assert self.frames_per_second is not None
        frame = Frame(image, self._sequence / self.frames_per_second, self._sequence)
        self._sequence += 1
        return frame

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _grab(self) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None:
        if self._capture is None:
            return None
        ok, image = self._capture.read()
        if not ok or image is None or image.size == 0:
            return None
        if image.ndim == 2:
            image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        return np.ascontiguousarray(image, np.uint8)

    def _note_early_end(self) -> None:
        # Containers count a few frames that no decoder returns; a tenth missing is a fault.
        if self._promised > 0 and self._sequence < 0.9 * self._promised:
            self.remarks = (
                f"{self.name}: only {self._sequence} of the {self._promised} frames it "
                "announces could be decoded; the file is damaged or cut off",
            )
