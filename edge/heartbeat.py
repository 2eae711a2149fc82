"""When to tell the watchdog that the gate is at work, and noticing when its main loop is not.

systemd ends and restarts a service whose watchdog is not petted (``WatchdogSec=``).  Only work
that was done pets it: a timer would go on petting while the gate hangs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edge.errors import UsageError

# systemd advises half of the period; a quarter leaves room for two pets that are lost.
_PETS = 4


@dataclass(frozen=True, slots=True)
class HeartbeatSettings:
    """How long trouble is borne before the gate is restarted.

    *camera_patience_seconds*, 600 by default, 60 to 86400, or 0 for ever: for so long the gate
    waits, in the same process, for a camera that is away or delivers nothing good, while the
    source opens it again and again.  After it the watchdog starts a new process, which mends
    drivers that a new opening does not.  Raised, a hung driver keeps the gate blind for longer;
    lowered, a camera that is simply unplugged restarts the gate more often.

    *hang_seconds*, 5 by default, 1 to 60: after so long without a sign of the main loop the
    outputs show a software fault.  Lowered towards the time of the slowest step, a busy board
    shows faults that are none.  The restart is up to the watchdog (``WatchdogSec=``).

    Raises UsageError for a value out of range.
    """

    camera_patience_seconds: float = 600.0
    hang_seconds: float = 5.0

    def __post_init__(self) -> None:
        patience, hang = self.camera_patience_seconds, self.hang_seconds
        if not (patience == 0 or 60 <= patience <= 86400):
            raise UsageError(
                f"camera_patience_seconds is {patience}; allowed: 60 to 86400, or 0 for ever"
            )
        if not 1 <= hang <= 60:
            raise UsageError(f"hang_seconds is {hang}; allowed: 1 to 60")


class Heartbeat:
    """Says after each turn of the main loop whether to pet the watchdog now.

    *watchdog* is the watchdog's period in seconds, None for none, which is never petted; it is
    petted four times in it at most.  *now* is always in seconds on one clock that never goes
    back.  The first turn counts as the beginning.

    Frames pet for as long as they come.  Trouble, which is a camera at fault or waited for,
    pets until it has lasted for the patience in *settings*; the next frame ends it.
    """

    def __init__(
        self, settings: HeartbeatSettings | None = None, watchdog: float | None = None
    ) -> None:
        self._patience = (settings or HeartbeatSettings()).camera_patience_seconds
        self._between = None if watchdog is None else watchdog / _PETS
        self._trouble: float | None = None
        self._petted: float | None = None
        self._given_up = False

    @property
    def given_up(self) -> bool:
        """Whether trouble has outlasted the patience: a restart by the watchdog is wanted."""
        return self._given_up

    def frame(self, now: float) -> bool:
        """Return whether to pet after a fresh frame was processed, outputs and all."""
        self._trouble, self._given_up = None, False
        return self._pet(now)

    def fault(self, now: float, *, seen: bool = False) -> bool:
        """Return whether to pet while the camera is at a fault.

        *seen* is true of a fault in pictures that do come and are looked at, a covered lens: no
        new process uncovers it, so that it pets as a frame does.
        """
        return self.frame(now) if seen else self._troubled(now)

    def waiting(self, now: float) -> bool:
        """Return whether to pet while nothing has come yet and it is too early for a fault."""
        return self._troubled(now)

    def _troubled(self, now: float) -> bool:
        self._trouble = now if self._trouble is None else self._trouble
        # For ever is a matter of settings; the watchdog's absence changes nothing about it.
        self._given_up = self._patience > 0 and now - self._trouble > self._patience
        return not self._given_up and self._pet(now)

    def _pet(self, now: float) -> bool:
        if self._between is None:
            return False
        if self._petted is not None and now - self._petted < self._between:
            return False
        self._petted = now
        return True


class Pulse:
    """Tells by the signs of a main loop, and by looks at them, when it hangs and when not.

    It hangs when the last sign is more than *limit* seconds old.  *now* is in seconds on one
    clock that never goes back.  Whoever looks may have been held up too, by a process that was
    stopped or a processor that had no time; after such a gap the main loop gets a new chance.
    """

    def __init__(self, limit: float, now: float) -> None:
        self._limit = limit
        self._alive = now
        self._looked = now
        self._hung = False

    @property
    def hung(self) -> bool:
        """Whether it hung at the last look."""
        return self._hung

    def alive(self, now: float) -> None:
        """Note a sign of the main loop."""
        self._alive = now

    def look(self, now: float) -> Literal["", "hangs", "is back"]:
        """Return what is new: that the main loop hangs, that it is back, or nothing."""
        late = now - self._looked > self._limit
        self._looked = now
        if late:
            # The sign that would have come in the gap had no chance to.
            self._alive = max(self._alive, now) if not self._hung else self._alive
            return ""
        hangs = now - self._alive > self._limit
        if hangs == self._hung:
            return ""
        self._hung = hangs
        return "hangs" if hangs else "is back"


class Guard:
    """A thread that says once when the main loop hangs, and once when it is back.

    The main loop calls :meth:`alive` in every turn.  When it has not for *limit* seconds, *on_hang*
    is called in the guard's thread; *on_return* after the next sign.  *while_hung* is called at
    every look in between.  All have to return soon.  What they raise is kept in :attr:`error`, and
    the guard goes on.

    The main loop may get going at the very moment that *on_hang* is at work; so *on_return*
    has to make sure that the outputs show the gate again.  A native library that hangs with
    Python's lock held stops this thread as well; systemd's watchdog ends both.

    *clock* is in seconds and never goes back; *pause* is how long to wait between two looks, a
    tenth of *limit* by default.
    """

    def __init__(
        self,
        on_hang: Callable[[], object],
        on_return: Callable[[], object],
        limit: float = 5.0,
        *,
        while_hung: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        pause: float | None = None,
    ) -> None:
        self.error: Exception | None = None
        self._calls: dict[str, Callable[[], object]] = {
            "hangs": on_hang,
            "is back": on_return,
        }
        self._while_hung = while_hung
        self._clock = clock
        self._pause = limit / 10 if pause is None else pause
        self._pulse = Pulse(limit, clock())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="maskgate-guard", daemon=True)
        self._thread.start()

    def alive(self) -> None:
        """Note a sign of the main loop; returns at once."""
        # One float is stored; the thread that reads it needs no lock for that.
        self._pulse.alive(self._clock())

    def close(self, timeout: float = 2.0) -> bool:
        """End the thread; return whether it ended within *timeout* seconds.  May be called twice.

        A call of *on_hang* that has not returned keeps it; it ends with the process.
        """
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def __enter__(self) -> Guard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._stop.wait(self._pause):
            told = self._pulse.look(self._clock())
            call = self._calls.get(told, self._while_hung if self._pulse.hung else None)
            if call is None or self._stop.is_set():
                continue
            try:
                call()
            except Exception as error:  # the next hang has to be shown all the same
                self.error = error
