"""A video file that appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path
from types import TracebackType
from typing import final

import cv2

from edge.errors import OutputError, UsageError
from edge.vision.crop import Image

_CODECS = {".mp4": "mp4v", ".avi": "MJPG"}
# OpenCV drops frames in silence when the disk fills, so the space is looked at now and then.
_CHECK_EVERY = 30
_SPACE_NEEDED = 16 * 1024 * 1024


@final
class VideoRecorder:
    """Writes BGR frames to *path* as video, .mp4 (MPEG-4) or .avi (Motion JPEG).

    *frames_per_second* is 1 to 240; *size* is (width, height) in pixels and every frame must
    have it.  The video grows in a hidden file beside *path* and takes its name when closed,
    so an interrupted program that leaves through ``with`` still ends with a playable file,
    and one that is killed leaves an earlier recording as it was.

    Raises UsageError for an unknown extension, rate or size, OutputError when the folder is
    missing or not writable, the codec is missing, or the disk is full.
    """

    def __init__(
        self, path: str | os.PathLike[str], frames_per_second: float, size: tuple[int, int]
    ) -> None:
        self.path = Path(path)
        self.size = (int(size[0]), int(size[1]))
        self.frames = 0
        self.written = False
        check_recording(self.path)
        codec = _CODECS[self.path.suffix.lower()]
        if not 1 <= frames_per_second <= 240:
            raise UsageError(
                f"cannot record at {frames_per_second} frames per second; use 1 to 240"
            )
        if min(self.size) < 2:
            raise UsageError(f"cannot record frames of {size[0]}x{size[1]} pixels; use 2x2 or more")
        self._temporary = _temporary_beside(self.path)
        try:
            self._check_space()
            self._writer = cv2.VideoWriter(
                str(self._temporary), cv2.VideoWriter.fourcc(*codec),
                float(frames_per_second), self.size,
            )
            if not self._writer.isOpened():
                raise OutputError(
                    f"cannot record {self.path}: this OpenCV {cv2.__version__} has no {codec} "
                    f"encoder; record to {'.avi' if codec == 'mp4v' else '.mp4'} instead"
                )
        except BaseException:
            self._temporary.unlink(missing_ok=True)
            raise
        self._open = True

    def write(self, image: Image) -> None:
        """Append *image* (height, width, 3) uint8 BGR.

        Raises OutputError when it has another size, the recording is closed, or the disk is
        nearly full; what was recorded until then is kept when the recorder closes.
        """
        if not self._open:
            raise OutputError(f"cannot add a frame to {self.path}: the recording is closed")
        width, height = self.size
        if image.shape != (height, width, 3) or image.dtype != "uint8":
            raise OutputError(
                f"cannot add a frame of shape {image.shape} {image.dtype} to {self.path}; it "
                f"takes ({height}, {width}, 3) uint8. Resize it, or record to a new file"
            )
        if self.frames % _CHECK_EVERY == 0:
            self._check_space()
        self._writer.write(image)
        self.frames += 1

    def close(self) -> None:
        """Finish the video and give it its name; may be called twice.

        A recording without frames leaves nothing behind.  Raises OutputError when the file
        cannot be finished.
        """
        if not self._open:
            return
        self._open = False
        self._writer.release()
        try:
            if self.frames == 0:
                self._temporary.unlink(missing_ok=True)
                return
            with self._temporary.open("rb") as written:
                if os.fstat(written.fileno()).st_size == 0:
                    raise OSError("the encoder wrote nothing")
                os.fsync(written.fileno())
            self._temporary.replace(self.path)
            self.written = True
            _sync_folder(self.path.parent)
        except OSError as error:
            self._temporary.unlink(missing_ok=True)
            raise OutputError(
                f"cannot finish the recording {self.path}: {error}; check the disk and its space"
            ) from error

    def __enter__(self) -> VideoRecorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _check_space(self) -> None:
        try:
            free = shutil.disk_usage(self.path.parent).free
        except OSError as error:
            raise OutputError(
                f"cannot record {self.path}: {error.strerror or error}; check the disk"
            ) from error
        if free < _SPACE_NEEDED:
            raise OutputError(
                f"cannot record {self.path}: {free // 2**20} MiB are free in "
                f"{self.path.parent} and {_SPACE_NEEDED // 2**20} MiB are needed; make room, or "
                "record elsewhere"
            )


def check_recording(path: str | os.PathLike[str]) -> None:
    """Raise what :class:`VideoRecorder` would for *path*, without making a file.

    UsageError for its extension; OutputError when its folder is missing or may not be written,
    or *path* is itself a folder.
    """
    path = Path(path)
    if path.suffix.lower() not in _CODECS:
        raise UsageError(
            f"cannot record to {path}: its extension is {path.suffix!r}; "
            f"use one of {', '.join(_CODECS)}"
        )
    folder = path.parent
    try:
        missing, is_folder = not folder.is_dir(), path.is_dir()
    except OSError as error:
        raise OutputError(
            f"cannot record {path}: {error.strerror or error}; name another file"
        ) from error
    if missing:
        raise OutputError(
            f"cannot record {path}: the folder {folder} does not exist; create it, or name another"
        )
    if is_folder:
        raise OutputError(f"cannot record {path}: it is a folder; name a file")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(
            f"cannot record {path}: Permission denied; make {folder} writable, or name another "
            "folder"
        )


def _temporary_beside(path: Path) -> Path:
    folder = path.parent
    # OpenCV chooses the container by extension, so the temporary name keeps it.
    temporary = folder / f".{path.stem}-{secrets.token_hex(4)}{path.suffix}"
    try:
        # Made here, because OpenCV says neither why it cannot write nor that it replaced a file.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise OutputError(
            f"cannot record {path}: {error.strerror or error}; make {folder} writable, or name "
            "another folder"
        ) from error
    return temporary


def _sync_folder(folder: Path) -> None:
    # Some file systems refuse to sync a folder; the file itself is safe by then.
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
