"""Evidence pictures, for those who switch them on: few, for a short time, in a folder.

Like the journal they are written by a thread of its own, and nothing that goes wrong with them
touches the gate.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import cv2

from edge.files import replaced
from edge.journal.evidence import Box, face_cut, whole_frame
from edge.journal.journal import utc_now
from edge.journal.settings import PictureSettings, picture_folder
from edge.report.events import Event
from edge.vision.crop import Image

# Frames waiting for the disk; each may be several megabytes.
_MOST_WAITING = 4
_PRUNE_SECONDS = 600.0
# A clock that was wrong leaves names from the future, which would never be the oldest.
_AHEAD = timedelta(days=1)
_STAMP = "%Y%m%dT%H%M%S"
_NAME = re.compile(r"(\d{8}T\d{6})\.\d{3}Z-person-\d+-[a-z_]+(-\d+)?\.jpg")


@dataclass(frozen=True, slots=True)
class _Taken:
    name: str
    image: Image
    box: Box
    others: tuple[Box, ...]


class Pictures:
    """Keeps evidence pictures as the settings say; never raises, never waits.

    *problems* is told, once per change, what goes wrong.  *clock* is for what age means.
    Pictures that are left from before are deleted in time even while none are taken.

    Attributes: *folder*, None where there is none; *lost*, how many could not be kept.
    """

    def __init__(
        self,
        settings: PictureSettings,
        problems: Callable[[str], None],
        *,
        clock: Callable[[], datetime] = utc_now,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.folder = picture_folder(settings, environ)
        self.lost = 0
        self._settings = settings
        self._problems = problems
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: deque[_Taken] = deque()
        self._busy = True
        self._closing = False
        self._failure = ""
        self._thread: threading.Thread | None = None
        if self.folder is None:
            if settings.enabled:
                self._tell(
                    "no evidence pictures: [pictures] folder is empty and there is no "
                    "$STATE_DIRECTORY; name a folder"
                )
        elif settings.enabled or self.folder.is_dir():
            self._thread = threading.Thread(target=self._run, name="pictures", daemon=True)
            self._thread.start()

    def take(
        self, event: Event, at: datetime, image: Image, others: Sequence[Box] = ()
    ) -> str:
        """Keep a picture of *event*, if it is one to keep; return its file's name, or "".

        It is one when a person is judged, with one of the verdicts of the settings.  *image*
        is the frame, (H, W, 3) uint8 BGR, without anything drawn on it; it is copied.
        *others* are the boxes of all other faces in it, x0, y0, x1, y1 in pixels.  The file
        is written a moment later; where it cannot be, that is told.
        """
        settings = self._settings
        wanted = settings.enabled and self._thread is not None
        if not wanted or event.event != "person_judged" or event.verdict not in settings.verdicts:
            return ""
        # Without a box nobody knows which face is meant, and who are the others.
        if event.box is None or event.person is None:
            return ""
        stamp = at.astimezone(timezone.utc)
        name = (
            f"{stamp:{_STAMP}}.{stamp.microsecond // 1000:03d}Z"
            f"-person-{event.person}-{event.verdict}.jpg"
        )
        with self._changed:
            full = self._closing or len(self._waiting) >= _MOST_WAITING
            if not full:
                taken = _Taken(name, image.copy(), event.box, tuple(others))
                self._waiting.append(taken)
                self._changed.notify_all()
        if full:
            self.lost += 1
            self._fail(f"{_MOST_WAITING} wait to be written, and this is too slow")
            return ""
        return name

    def flush(self, timeout: float) -> bool:
        """Wait until nothing is left to do; return whether that is so, within *timeout*."""
        if self._thread is None:
            return True
        with self._changed:
            return self._changed.wait_for(lambda: not (self._waiting or self._busy), timeout)

    def close(self, timeout: float = 5.0) -> bool:
        """Write what waits, within *timeout* seconds; may be called twice.

        Returns whether everything was dealt with.
        """
        if self._thread is None:
            return True
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            self._work(None)
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._closing, _PRUNE_SECONDS)
                if self._closing and not self._waiting:
                    return
                self._busy = True
            while self._waiting:
                self._work(self._waiting[0])
                with self._changed:
                    self._waiting.popleft()

    def _work(self, taken: _Taken | None) -> None:
        try:
            assert self.folder is not None
            # Room is made first, so that there are never more than allowed.
            most = self._settings.max_count - (taken is not None)
            prune(self.folder, self._clock(), most=most, days=self._settings.max_days)
            if taken is not None:
                self._store(self.folder, taken)
        except Exception as error:  # a disk fails in more ways than can be listed
            self.lost += taken is not None
            self._fail(str(getattr(error, "strerror", None) or error))
            return
        if taken is not None and self._failure:
            self._failure = ""
            self._tell(f"evidence pictures are kept again in {self.folder}; {self.lost} lost")

    def _store(self, folder: Path, taken: _Taken) -> None:
        settings = self._settings
        others = taken.others if settings.blur_others else ()
        if settings.show == "frame":
            shown: Image | None = whole_frame(taken.image, others)
        else:
            shown = face_cut(taken.image, taken.box, others, settings.margin)
        if shown is None:
            raise ValueError(f"the face of {taken.name} is outside of the picture")
        done, encoded = cv2.imencode(
            ".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, settings.jpeg_quality]
        )
        if not done:
            raise ValueError("this OpenCV cannot write JPEG")
        if not folder.is_dir():
            folder.mkdir(mode=0o700)
        path, number = folder / taken.name, 1
        while path.exists():
            number += 1
            path = folder / f"{taken.name.removesuffix('.jpg')}-{number}.jpg"
        with replaced(path) as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(encoded.tobytes())

    def _fail(self, words: str) -> None:
        if words != self._failure:
            self._failure = words
            self._tell(f"an evidence picture cannot be kept in {self.folder}: {words}")

    def _tell(self, line: str) -> None:
        with contextlib.suppress(Exception):
            self._problems(line)


def prune(folder: Path, now: datetime, *, most: int, days: float) -> None:
    """Delete evidence pictures in *folder* that are older than *days* or beyond the newest *most*.

    Age is told by their names, and what is dated more than a day ahead of *now* counts as
    the oldest.  Halves of pictures that a power cut left go too; other files stay.
    """
    if not folder.is_dir():
        return
    now = now.astimezone(timezone.utc)
    oldest = now - timedelta(days=days)
    pictures = []
    for path in folder.iterdir():
        if path.name.startswith(".") and path.suffix == ".tmp":
            if _NAME.fullmatch(path.name[1:].split(".jpg.")[0] + ".jpg"):
                path.unlink(missing_ok=True)
            continue
        at = taken_at(path.name)
        if at is None:
            continue
        if at < oldest:
            path.unlink(missing_ok=True)
        else:
            pictures.append((at <= now + _AHEAD, path.name, path))
    pictures.sort()
    for _, _, path in pictures[: max(0, len(pictures) - most)]:
        path.unlink(missing_ok=True)


def taken_at(name: str) -> datetime | None:
    """Return when the evidence picture of this file *name* was taken, None if it is none."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    try:
        return datetime.strptime(found[1], _STAMP).replace(tzinfo=timezone.utc)
    except ValueError:
        return None
