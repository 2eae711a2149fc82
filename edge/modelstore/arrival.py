"""Which files in a watched folder are finished copies: by looking again, not by trusting names.

``cp`` and ``scp`` write under the final name, bit by bit; ``rsync``, browsers and desktops write
under another one and rename.  So names of the second sort are passed over, and a file of the
first sort is finished when it has not changed for a while.  One that cannot be read as a model
then is given more time before it is called bad: a link may stall.
"""

from __future__ import annotations

import errno
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.cardfields import printable
from edge.errors import ModelError

SUFFIX = ".tflite"
# A stick full of pictures must not keep the board busy.
MOST_LOOKED_AT = 2000
MOST_AT_ONCE = 16
# A copy over Wi-Fi that is interrupted mostly goes on within that time.
PATIENCE = 30.0  # seconds
# Between tries of a good file that the store could not take; each costs a copy and a trial.
FIRST_PAUSE = 10.0  # seconds
LONGEST_PAUSE = 600.0  # seconds


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file that looks finished: its *path*, its *shown* name, and what it *looks* like.

    *settled* is for how many seconds it has not changed.
    """

    path: Path
    shown: str
    looks: str
    settled: float


class Inbox:
    """Watches *folder* for finished copies.

    A file counts as finished when it was the same for *settle* seconds.  *seen* are files that
    were dealt with before, by shown name, and what they looked like then.
    """

    def __init__(
        self, folder: Path, settle: float = 2.0, seen: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.seen = dict(seen or {})
        self._settle = settle
        self._since: dict[str, tuple[str, float]] = {}
        self._doubted: dict[str, str] = {}
        # What it looked like, when it comes back, and after how long a pause.
        self._put_off: dict[str, tuple[str, float, float]] = {}

    def poll(self, now: float) -> list[Arrival]:
        """Return the finished files that were not dealt with yet, at *now* seconds of any clock.

        What is in the folder is never changed.  A folder that cannot be read, such as that of a
        stick that is not there, holds nothing.
        """
        found = self._listed()
        self._since = {
            name: self._since[name]
            if name in self._since and self._since[name][0] == looks
            else (looks, now)
            for name, (_, looks) in found.items()
        }
        self._doubted = {n: looks for n, looks in self._doubted.items() if n in found}
        self._put_off = {n: about for n, about in self._put_off.items() if n in found}
        # A stick may be away for a while; it must not be dealt with anew when it comes back.
        if found:
            self.seen = {n: looks for n, looks in self.seen.items() if n in found}
        ready = [
            Arrival(path, name, looks, now - self._since[name][1])
            for name, (path, looks) in found.items()
            if self.seen.get(name) != looks
            and now - self._since[name][1] >= self._least(name, looks)
            and now >= self._back_at(name, looks)
        ]
        return ready[:MOST_AT_ONCE]

    def done(self, arrival: Arrival) -> None:
        """Remember that *arrival* was dealt with, until the file changes."""
        self.seen[arrival.shown] = arrival.looks

    def wait_for(self, arrival: Arrival) -> None:
        """Give *arrival* all the time there is before it comes back: it may not be whole yet."""
        self._doubted[arrival.shown] = arrival.looks

    def put_off(self, arrival: Arrival, now: float) -> bool:
        """Let *arrival* come back after a pause from *now*; return whether this is the first.

        Each pause is twice the one before, up to ten minutes.
        """
        looks, _, pause = self._put_off.get(arrival.shown, ("", 0.0, 0.0))
        first = looks != arrival.looks
        pause = FIRST_PAUSE if first else min(2 * pause, LONGEST_PAUSE)
        self._put_off[arrival.shown] = (arrival.looks, now + pause, pause)
        return first

    def _back_at(self, name: str, looks: str) -> float:
        about = self._put_off.get(name)
        return about[1] if about is not None and about[0] == looks else -math.inf

    def _least(self, name: str, looks: str) -> float:
        return PATIENCE if self._doubted.get(name) == looks else self._settle

    def _listed(self) -> dict[str, tuple[Path, str]]:
        found: dict[str, tuple[Path, str]] = {}
        try:
            with os.scandir(self.folder) as entries:
                for count, entry in enumerate(entries):
                    if count >= MOST_LOOKED_AT:
                        break
                    if not is_wanted(entry.name):
                        continue
                    try:
                        about = entry.stat(follow_symlinks=False)
                    except OSError:
                        # Gone by now; those after it in the list are still there.
                        continue
                    if stat.S_ISDIR(about.st_mode):
                        continue
                    looks = f"{about.st_size}-{about.st_mtime_ns}"
                    found[shown_name(entry.name)] = (Path(entry.path), looks)
        except OSError:
            return found
        return found


def is_wanted(name: str) -> bool:
    """Return whether a file *name* is one that a finished copy has.

    Temporary names are not: those with a leading dot (rsync) or tilde, or another ending, such
    as ``.part`` and ``.filepart`` (browsers, WinSCP), ``.tmp`` and a trailing tilde.
    """
    return name.lower().endswith(SUFFIX) and name[0] not in ".~#"


def shown_name(name: str) -> str:
    """Return *name* fit for a journal: one line, of printable characters, not endlessly long."""
    # Long names keep apart: of 255 characters at most, so this cuts only what was blown up.
    return printable(name, 300)


def unreadable(shown: str, error: OSError) -> ModelError:
    """Return the reason for which the file *shown* could not be read, and what to do about it."""
    if error.errno == errno.ELOOP:
        return ModelError(f"{shown} is a link, which is not followed; copy the model file itself")
    what = {
        errno.ENOENT: "check its name",
        errno.EACCES: "let the gate's user read it, such as with chmod a+r",
    }.get(error.errno or 0, "copy it again, or from another stick")
    return ModelError(f"cannot read {shown}: {error.strerror or error}; {what}")
