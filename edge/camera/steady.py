"""A camera that never ends and never blocks: a thread keeps its newest picture."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from edge.camera.fault import Fault
from edge.camera.frame import Frame
from edge.camera.health import Health, Tolerance
from edge.camera.keeper import Backoff, Device, Keeper, Taken
from edge.errors import SourceError

# Longer than a driver that will come back takes: OpenCV gives up a V4L2 read after 10 seconds,
# and we let it try a network camera for as long.
_HUNG = 15.0  # seconds
# Threads at once, with those whose driver never came back.  More would not help: a driver that
# swallows three handles is mended by a new process, which a watchdog starts.
_MOST_THREADS = 3
_LOOK = 0.25  # seconds between looks at the clock while waiting


class SteadySource:
    """A camera whose newest picture waits to be read; older ones are *dropped*, never queued.

    Reading a camera slower than it delivers fills its driver's queue, and the gate would look
    at people who left seconds ago.  So a thread reads it all the time.  When the camera fails
    the source says so by a :class:`Fault`, and the thread opens it again and again, with
    pauses from *backoff*, for as long as it takes.  A driver that has hung for *hung_seconds*
    is left to itself, with its thread, and the camera opened anew beside it.

    *open_device* opens the camera, in the thread; *name* and *advice* (what to check) are put
    into messages.  Unless *patient*, a camera that cannot be opened at the start is not waited
    for: raises SourceError.  Closing waits *closing_seconds* for the driver.  *clock* gives the
    timestamps in seconds; it may not be the wall clock.  *pause* waits between tries, and is
    for tests.
    """

    live = True

    def __init__(
        self,
        open_device: Callable[[], Device],
        name: str,
        *,
        advice: str = "check the cable and the power supply",
        patient: bool = False,
        tolerance: Tolerance | None = None,
        backoff: Backoff | None = None,
        hung_seconds: float = _HUNG,
        closing_seconds: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self.name = name
        self.dropped = 0
        self._open_device = open_device
        self._advice = advice
        self._hung = hung_seconds
        self._closing = closing_seconds
        self._clock = clock
        self._stopping = threading.Event()
        self._pause = pause or self._stopping.wait
        self._health = Health(name, advice, tolerance or Tolerance())
        self._backoff = backoff or Backoff()
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._sequence = 0
        self._told: Fault | None = None
        self._bug: Exception | None = None
        self._left = 0
        self._threads: list[threading.Thread] = []
        self._keeper = self._start()
        if not patient:
            try:
                self._await_opening()
            except BaseException:  # whoever stops the program here has no source to close
                self.close()
                raise

    @property
    def frames_per_second(self) -> float | None:
        """What the camera promises, None where it does not, or is not open yet."""
        return self._keeper.frames_per_second

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the camera could not do as asked, and whether its driver let go at the end."""
        told = tuple(f"{self.name}: {remark}" for remark in self._keeper.remarks)
        if not self._left:
            return told
        handles = "one handle is" if self._left == 1 else f"{self._left} handles are"
        return (
            *told,
            f"{self.name}: its driver did not come back within {self._closing:g} s; "
            f"{handles} left open",
        )

    def read(self, timeout: float) -> Frame | Fault | None:
        """Return the newest picture if it was not returned before, waiting up to *timeout* s.

        Returns a fault at once when it begins, and after *timeout* seconds while it lasts;
        None when nothing came and nothing is wrong yet, or the source is closed.
        """
        left = timeout
        with self._changed:
            while not self._stopping.is_set():
                news = self._news()
                if news is not None:
                    return news
                if left <= 0:
                    fault = self._health.fault
                    return fault and replace(fault, timestamp=self._clock())
                self._changed.wait_for(self._has_news, min(left, _LOOK))
                left -= _LOOK
            return None

    def close(self) -> None:
        """Stop; returns within *closing_seconds*, if need be without the driver's consent."""
        self._stopping.set()
        with self._changed:
            self._keeper.abandoned = True
            self._changed.notify_all()
        until = time.monotonic() + self._closing
        for thread in self._threads:
            thread.join(timeout=max(0.0, until - time.monotonic()))
        self._left = sum(thread.is_alive() for thread in self._threads)

    def _start(self) -> Keeper:
        keeper = Keeper(self._open_device, self._health, self._backoff, self._clock, self._pause)
        # A read that hangs in the driver must not keep the program from ending.
        thread = threading.Thread(
            target=self._work, args=(keeper,), name=f"capture {self.name}", daemon=True
        )
        self._threads.append(thread)
        thread.start()
        return keeper

    def _work(self, keeper: Keeper) -> None:
        try:
            while not self._stopping.is_set() and not keeper.abandoned:
                taken = keeper.step()
                with self._changed:
                    if taken is not None and not keeper.abandoned:
                        self._put(taken)
                    self._changed.notify_all()
        except Exception as error:  # a bug here, which the reader has to hear of
            with self._changed:
                self._bug = error
                self._changed.notify_all()
        finally:
            keeper.close()

    def _put(self, taken: Taken) -> None:
        self.dropped += self._newest is not None
        self._newest = Frame(taken.image, taken.at, self._sequence, small=taken.small)
        self._sequence += 1

    def _has_news(self) -> bool:
        """Whether a reader that waits has something to wake up for."""
        return (
            self._newest is not None
            or self._bug is not None
            or self._stopping.is_set()
            or not _same(self._health.fault, self._told)
        )

    def _news(self) -> Frame | Fault | None:
        """Return a frame, or a fault that was not told before."""
        if self._bug is not None:
            raise self._bug
        now = self._clock()
        self._health.check(now)
        self._replace_hung(now)
        fault = self._health.fault
        if fault is not None:
            # A picture from before the fault is as old as whoever is on it.
            self.dropped += self._newest is not None
            self._newest = None
            if _same(fault, self._told):
                return None
            self._told = fault
            return replace(fault, timestamp=now)
        self._told = None
        frame, self._newest = self._newest, None
        return frame

    def _replace_hung(self, now: float) -> None:
        since = self._keeper.blocked_since
        if since is None or now - since < self._hung or self._stopping.is_set():
            return
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        if len(self._threads) < _MOST_THREADS:
            self._keeper.abandoned = True
            self._keeper = self._start()

    def _await_opening(self) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._keeper.was_open or self._health.fault or self._bug, self._hung
            )
        fault = self._health.fault
        if self._bug is None and fault is None and self._keeper.was_open:
            return
        if self._bug is not None:
            raise self._bug
        if fault is not None:
            raise SourceError(fault.detail)
        raise SourceError(
            f"{self.name}: did not open within {self._hung:g} s; {self._advice}"
        )


def _same(one: Fault | None, other: Fault | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.name, one.since) == (other.name, other.since)
