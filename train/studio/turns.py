"""Turns: one of several threads and processes at a time."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.errors import OutputError

_ASKED_EVERY = 0.05


@contextmanager
def turn(lock: Path, seconds: float, busy: str) -> Iterator[None]:
    """Hold the file *lock*, which is made where there is none, while the block runs.

    Threads wait for each other as processes do.  Raises OutputError, with the words *busy*, when
    the turn has not come after *seconds*, and where the file cannot be made or held.
    """
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("wb")
    except OSError as error:
        raise OutputError(
            f"{lock}: cannot be written ({error.strerror or error}); make room, or let this user "
            "write in that folder"
        ) from error
    # A lock belongs to what open() returned, so that two threads do not share theirs.
    with file:
        until = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise OutputError(busy) from None
                time.sleep(_ASKED_EVERY)
            except OSError as error:
                raise OutputError(
                    f"{lock}: cannot be locked ({error.strerror or error}); use a disk of this "
                    "machine"
                ) from error
        yield
