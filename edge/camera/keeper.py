"""Keeping one camera open: one step at a time, with longer and longer pauses between tries."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from edge.camera.health import Health
from edge.vision.crop import Image

# So long after a read that gave nothing new; a broken driver returns at once, and again.
_BREATH = 0.01  # seconds
# A camera that has been well for so long starts with the shortest pause again.
_SETTLED = 10.0  # seconds

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pair:
    """What a camera with two streams gives: a picture, and the same one with fewer pixels.

    Both are whatever the driver made of them; nobody has looked at them yet.
    """

    image: Any
    small: Any


@dataclass(frozen=True, slots=True)
class Taken:
    """A picture worth looking at, when it came, in seconds, and a smaller one if there is one."""

    image: Image
    at: float
    small: Image | None = None


class Device(Protocol):
    """An open camera.  Only the thread that opened it touches it, also to close it: closing a
    camera while a read hangs crashes OpenCV."""

    @property
    def frames_per_second(self) -> float | None:
        """The rate it promises, None where it is not known."""

    def read(self) -> Any:
        """Wait for the next picture and return it, (H, W, 3) uint8 BGR; None when it fails.

        A :class:`Pair` of such pictures from a camera that gives two.  May hang, and may raise
        what it likes.
        """

    def close(self) -> None: ...


class Backoff:
    """Pauses between tries: *first* seconds, doubled each time, never above *longest*."""

    def __init__(self, first: float = 0.5, longest: float = 30.0) -> None:
        self._first = first
        self._longest = longest
        self._next = first

    def next(self) -> float:
        """Return the seconds to wait before the next try."""
        pause, self._next = self._next, min(self._longest, 2 * self._next)
        return min(pause, self._longest)

    def reset(self) -> None:
        """Start with the shortest pause again."""
        self._next = self._first


class Keeper:
    """Opens a camera by *open_device*, reads it, and opens it again when *health* says so.

    It never gives up.  *blocked_since* is when the call into the driver began that has not
    come back, None between calls.  Once *abandoned* is set, what still comes back counts no
    more.  *remarks* is what the camera that was opened last wants told.  *clock* gives seconds,
    *pause* waits so many of them.
    """

    def __init__(
        self,
        open_device: Callable[[], Device],
        health: Health,
        backoff: Backoff,
        clock: Callable[[], float],
        pause: Callable[[float], object],
    ) -> None:
        self.blocked_since: float | None = None
        self.abandoned = False
        self.was_open = False
        self.frames_per_second: float | None = None
        self.remarks: tuple[str, ...] = ()
        self._open_device = open_device
        self._health = health
        self._backoff = backoff
        self._clock = clock
        self._pause = pause
        self._device: Device | None = None
        self._well_since: float | None = None

    def step(self) -> Taken | None:
        """Do one thing that may take long: pause and open, or read.

        Returns a picture worth looking at, or None.
        """
        if self._device is None:
            self._open()
            return None
        why = "delivers no pictures"
        try:
            given = self._calling(self._device.read)
        except Exception as error:  # drivers raise what they like
            given, why = None, f"cannot be read ({type(error).__name__}: {error})"
        if self.abandoned:
            return None
        now = self._clock()
        image, small = (given.image, given.small) if isinstance(given, Pair) else (given, None)
        if image is None:
            self._health.failed(why, now)
        elif self._health.picture(image, now, small):
            self._settle(now)
            return Taken(image, now, small)
        if self._health.must_reopen:
            self.close()
        else:
            self._pause(_BREATH)
        return None

    def close(self) -> None:
        """Give the camera back, if it is open."""
        device, self._device = self._device, None
        if device is None:
            return
        # What fails while a broken camera is closed tells nothing that is not known.
        with suppress(Exception):
            self._calling(device.close)
        if not self.abandoned:
            self._health.closed()

    def _open(self) -> None:
        if self._health.fault is not None:
            self._pause(self._backoff.next())
        if self.abandoned:
            return
        self._well_since = None
        self._health.opening(self._clock())
        try:
            self._device = self._calling(self._open_device)
        except Exception as error:  # drivers raise what they like
            if not self.abandoned:
                self._health.not_opened(error, self._clock())
            return
        self.frames_per_second = self._device.frames_per_second
        self.remarks = tuple(getattr(self._device, "remarks", ()))
        self.was_open = True
        if not self.abandoned:
            self._health.opened(self._clock())

    def _settle(self, now: float) -> None:
        if self._well_since is None:
            self._well_since = now
        elif now - self._well_since >= _SETTLED:
            self._backoff.reset()

    def _calling(self, driver: Callable[[], T]) -> T:
        self.blocked_since = self._clock()
        try:
            return driver()
        finally:
            self.blocked_since = None
