"""Where faces hang that never move, kept in a file from one start of the gate to the next."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edge.alerts.aside import Troubles
from edge.files import regular, write_whole
from edge.gate.fixtures import MOST_PLACES, Fixtures, Place, ShareBox

_FORMAT = 1
_MOST_BYTES = 100_000
# How long a place has been without its face is written down this often, besides at the end.
_AGE_SECONDS = 3600.0


def fixtures_file(environ: Mapping[str, str]) -> Path | None:
    """Return ``fixtures.json`` in the first of $STATE_DIRECTORY; None where that names none."""
    folder = environ.get("STATE_DIRECTORY", "").split(":")[0]
    return Path(folder) / "fixtures.json" if folder else None


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
        self._waiting: str | None = None
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
        # What has just moved off was a person.
        ages = {p.box: max(0.0, now - p.seen) for p in fixtures.places if p.left is None}
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
        places = [
            {"box": list(box), "unseen_seconds": round(age, 1)} for box, age in self._ages.items()
        ]
        tree = {"format": _FORMAT, "camera": self._camera, "places": places}
        with self._changed:
            # Only the newest counts: one waits at most.
            self._waiting = json.dumps(tree, indent=1) + "\n"
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
                content = opened.read(_MOST_BYTES + 1)
            if len(content) > _MOST_BYTES:
                raise ValueError(f"it has more than {_MOST_BYTES} bytes")
            tree = json.loads(content)
            ages = _ages(tree)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            why = getattr(error, "strerror", None) or str(error)
            self._troubles.wrong(f"{file} cannot be read ({why}); what never moves is learnt anew")
            return {}
        return ages if tree["camera"] == self._camera else {}


def _ages(tree: Any) -> dict[ShareBox, float]:
    """Return box -> seconds since it was seen of a file's *tree*; raises ValueError."""
    if not isinstance(tree, dict) or tree.get("format") != _FORMAT:
        raise ValueError(f"it is not of format {_FORMAT}")
    places = tree.get("places")
    if not isinstance(tree.get("camera"), str) or not isinstance(places, list):
        raise ValueError("it has no camera or no places")
    if len(places) > MOST_PLACES:
        raise ValueError(f"it has {len(places)} places; at most {MOST_PLACES} are known")
    ages: dict[ShareBox, float] = {}
    for place in places:
        numbers = [*place["box"], place["unseen_seconds"]] if _is_place(place) else []
        if len(numbers) != 5 or not all(_is_number(number) for number in numbers):
            raise ValueError(f"a place is {place!r:.80}; a box and unseen_seconds are needed")
        x0, y0, x1, y1, age = map(float, numbers)
        if not (x0 < x1 and y0 < y1 and age >= 0):
            raise ValueError(f"a place is {place!r:.80}; its box has no area, or was not seen yet")
        ages[x0, y0, x1, y1] = age
    return ages


def _is_place(place: object) -> bool:
    return (
        isinstance(place, dict)
        and isinstance(place.get("box"), list)
        and "unseen_seconds" in place
    )


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    # A share of a picture, or seconds of a day: whatever is far larger, or NaN, is none.
    return abs(value) <= 1e6
