"""Where faces hang that never move, kept in a file from one start of the gate to the next."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from edge.alerts.aside import Troubles
from edge.files import given_folder, regular, write_whole
from edge.gate.fixtures import MOST_PLACES, Fixtures, Place, ShareBox

_MOST_BYTES = 100_000
# How long a place has been without its face is written down this often, besides at the end.
_AGE_SECONDS = 3600.0


# A face at the edge may reach out of the picture, but no further than the picture is large.
_Share = Annotated[float, msgspec.Meta(ge=-1, le=2)]


@dataclass(frozen=True, slots=True)
class _KeptPlace:
    box: tuple[_Share, _Share, _Share, _Share]
    unseen_seconds: Annotated[float, msgspec.Meta(ge=0)]

    def __post_init__(self) -> None:
        x0, y0, x1, y1 = self.box
        if not (x0 < x1 and y0 < y1):
            raise ValueError(f"the box {self.box} has no area")


@dataclass(frozen=True, slots=True)
class _File:
    format: Literal[1]
    camera: str
    places: Annotated[list[_KeptPlace], msgspec.Meta(max_length=MOST_PLACES)]


def fixtures_file(environ: Mapping[str, str]) -> Path | None:
    """Return ``fixtures.json`` in the service's state folder; None where there is none."""
    folder = given_folder(environ, "STATE_DIRECTORY")
    return folder / "fixtures.json" if folder else None


class Room:
    """Remembers what never moves before *camera*, a URI, in *file*; None forgets it at the end.

    How long a face has been missing is counted while the gate runs: a poster is known after a
    week in which the shop was shut.  What another camera saw says nothing, and a file that
    cannot be read is told to *problems*, in one line, and written anew.

    :meth:`note` returns at once and never raises: a thread of its own writes, as a card can take
    seconds and be full.
    """

    def __init__(
        self, file: Path | None, camera: str, problems: Callable[[str], None]
    ) -> None:
        self.file = file
        # A camera's URI may hold a password.
        self._camera = hashlib.sha256(camera.encode()).hexdigest()[:16]
        self._troubles = Troubles(problems)
        self._ages = {} if file is None else self._read(file)
        self._noted: frozenset[ShareBox] = frozenset(self._ages)
        self._noted_at: float | None = None
        self._changed = threading.Condition()
        self._waiting: bytes | None = None
        self._closing = False
        self._thread: threading.Thread | None = None
        if file is not None:
            self._thread = threading.Thread(target=self._run, name="room", daemon=True)
            self._thread.start()

    @property
    def fixtures(self) -> Fixtures:
        """What is known, for a run that begins now, at 0 seconds."""
        oldest_first = sorted(self._ages.items(), key=lambda item: -item[1])
        return Fixtures(places=tuple(Place(box, -age) for box, age in oldest_first))

    def note(self, fixtures: Fixtures, now: float) -> None:
        """Remember *fixtures* as they are at *now*, in seconds of the run."""
        if not (fixtures.places or self._noted):
            return
        # What has just moved off was a person, unless a face is seen there again within seconds:
        # who passes by a poster must not have it written down anew.
        ages = {
            p.box: max(0.0, now - p.seen)
            for p in fixtures.places
            if p.left is None or p.box in self._noted
        }
        self._ages = ages
        same = ages.keys() == self._noted
        # The clock begins anew with each run.
        if self._noted_at is None or now < self._noted_at:
            self._noted_at = now
        if same and now - self._noted_at < _AGE_SECONDS:
            return
        self._noted, self._noted_at = frozenset(ages), now
        self._write()

    def close(self, timeout: float = 5.0) -> None:
        """Write down what is known, and how long since it was seen, within *timeout* seconds."""
        if self._thread is None:
            return
        if self._ages:
            self._write()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)

    def _write(self) -> None:
        places = [_KeptPlace(box, round(age, 1)) for box, age in self._ages.items()]
        content = msgspec.json.encode(_File(1, self._camera, places))
        with self._changed:
            # Only the newest counts: one waits at most.
            self._waiting = msgspec.json.format(content, indent=1)
            self._changed.notify_all()

    def _run(self) -> None:
        assert self.file is not None
        while True:
            with self._changed:
                while self._waiting is None and not self._closing:
                    self._changed.wait(_AGE_SECONDS)
                content, self._waiting = self._waiting, None
            if content is None:
                return
            try:
                write_whole(self.file, content)
            except Exception as error:  # a disk fails in more ways than can be listed
                why = getattr(error, "strerror", None) or str(error)
                self._troubles.wrong(
                    f"what never moves cannot be remembered in {self.file} ({why}); a poster "
                    "counts again for a while after the next start"
                )
            else:
                self._troubles.right(f"what never moves is remembered in {self.file} again")

    def _read(self, file: Path) -> dict[ShareBox, float]:
        try:
            with regular(file) as opened:
                content = opened.read(_MOST_BYTES)
            kept = msgspec.json.decode(content, type=_File)
        except FileNotFoundError:
            return {}
        # The second is msgspec's, too, and the third for what is nested too deeply.
        except (OSError, ValueError, RecursionError) as error:
            why = getattr(error, "strerror", None) or str(error)
            self._troubles.wrong(f"{file} cannot be read ({why}); what never moves is learnt anew")
            return {}
        if kept.camera != self._camera:
            return {}
        return {place.box: place.unseen_seconds for place in kept.places}
