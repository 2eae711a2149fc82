"""A folder of pictures as a source."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from edge.camera.frame import Frame
from edge.camera.probe import path_kind
from edge.errors import SourceError
from edge.vision.crop import Image
from edge.vision.picture import PICTURE_SUFFIXES, read_picture

# A picture that is its own scene is shown at this rate: enough looks for a verdict, and no more
# work than that takes.
_SCENE_FPS = 10.0
# The pause in the source's time between two scenes; longer than a tracker remembers anyone.
_PAUSE_SECONDS = 5.0


class FolderSource:
    """Pictures in natural order (``2.jpg`` before ``10.jpg``), subfolders not looked into.

    By default each picture is a scene of its own, shown for *hold* seconds (0: one frame), as
    if someone stood still before the camera, with a pause in the source's time after it: people
    in one picture are never taken for those in the next.  With *film_fps* the pictures are the
    frames of one film.

    A picture that cannot be read is skipped and named in *remarks* (the first few; all are
    counted).  Raises SourceError for a missing or empty folder, and when no picture of it can
    be read.
    """

    live = False

    def __init__(
        self,
        folder: str | Path,
        pictures: Sequence[Path] | None = None,
        *,
        film_fps: float | None = None,
        hold: float = 1.5,
        name: str | None = None,
    ) -> None:
        self.name = name or str(folder)
        self.frames_per_second: float | None = film_fps or _SCENE_FPS
        self._pictures = list(pictures if pictures is not None else list_pictures(folder))
        self._film = film_fps is not None
        self._shows = 1 if self._film else max(1, round(hold * _SCENE_FPS) + 1)
        self._next = 0
        self._image: Image | None = None
        self._shown = 0
        self._scene = -1
        self._sequence = 0
        self._broken: list[str] = []

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was skipped: one line per picture for the first five, then a count."""
        lines = [f"skipped {line}" for line in self._broken[:5]]
        if len(self._broken) > 5:
            lines.append(f"skipped {len(self._broken) - 5} more pictures that cannot be read")
        return tuple(lines)

    def read(self, timeout: float) -> Frame | None:
        """Return the next frame, None after the last; a folder needs no *timeout*."""
        if self._image is None or self._shown >= self._shows:
            self._image = self._load_next()
            self._shown = 0
            self._scene += 1
        if self._image is None:
            if self._sequence == 0 and self._broken:
                count = len(self._broken)
                raise SourceError(
                    f"{self.name}: none of its {count} pictures can be read; "
                    f"the first: {self._broken[0]}"
                )
            return None
        assert self.frames_per_second is not None
        if self._film:
            timestamp = self._sequence / self.frames_per_second
        else:
            scene = self._shows / _SCENE_FPS + _PAUSE_SECONDS
            timestamp = self._scene * scene + self._shown / _SCENE_FPS
        frame = Frame(
            self._image, timestamp, self._sequence, self._pictures[self._next - 1].name
        )
        self._shown += 1
        self._sequence += 1
        return frame

    def close(self) -> None:
        self._next = len(self._pictures)
        self._image = None

    def _load_next(self) -> Image | None:
        while self._next < len(self._pictures):
            path = self._pictures[self._next]
            self._next += 1
            try:
                return read_picture(path)
            except SourceError as error:
                self._broken.append(str(error))
        return None


def list_pictures(folder: str | Path) -> list[Path]:
    """Return the picture files in *folder* in natural order.

    Raises SourceError when there is no such folder, or no picture in it.
    """
    folder = Path(folder)
    if path_kind(folder) != "folder":
        raise SourceError(f"{folder}: no such folder; check the name given to --source")
    try:
        found = [
            p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES and p.is_file()
        ]
    except OSError as error:
        raise SourceError(f"{folder}: cannot be listed ({error.strerror or error})") from None
    if not found:
        kinds = ", ".join(sorted(suffix[1:] for suffix in PICTURE_SUFFIXES))
        raise SourceError(f"{folder}: holds no pictures; put some there, of the kinds {kinds}")
    return sorted(found, key=_natural)


def _natural(path: Path) -> tuple[tuple[int, int, str], ...]:
    parts = re.split(r"(\d+)", path.name.lower())
    return tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts if p)
