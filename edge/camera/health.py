"""Whether a camera is well, from what it delivers and when.

No effects and no clock of its own: everything here takes *now*, so that a test can walk it
through an hour of trouble in no time.
"""

from __future__ import annotations

import threading
import zlib
from collections import deque
from dataclasses import dataclass, fields

import numpy as np

from edge.camera.fault import Fault, FaultName
from edge.camera.frame import same_scene
from edge.errors import MaskgateError, UsageError
from edge.vision.crop import Image

# A covered lens gives 0, or 16 where the driver leaves video black as it is, and little noise.
# A dark shop at night is as dark, but the sensor's gain is then at its highest, and the noise
# is above this.  Set by what sensors do in general; no camera was measured for it.
_BLACK_MEAN = 20.0  # of 255
_BLACK_SPREAD = 2.5  # standard deviation in the noisiest channel, of 255
# A picture smaller than this either way holds nobody's face.
_SMALLEST = 16  # pixels
# A driver that has lost its camera may hand out its few buffers in turn for ever.
_REMEMBERED = 8  # pictures


@dataclass(frozen=True, slots=True)
class Tolerance:
    """For how many seconds each kind of trouble is no fault yet, 0.05 to 3600.

    Shorter faults a camera for a hiccup; longer leaves the gate blind without saying so.
    *frozen* must be longer than a video encoder repeats a still scene exactly, which for a
    network camera may be many seconds and for a webcam is a few frames.

    Raises UsageError for a value outside the range.
    """

    unplugged: float = 0.5
    stalled: float = 3.0
    frozen: float = 5.0
    black: float = 3.0
    wrong_size: float = 1.0
    garbage: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0.05 <= value <= 3600:
                raise UsageError(
                    f"tolerance {field.name} is {value} seconds; allowed: 0.05 to 3600"
                )

    @property
    def longest(self) -> float:
        """The longest of them: so long without a good picture is a fault whatever the reason."""
        return max(float(getattr(self, field.name)) for field in fields(self))

    def of(self, name: FaultName) -> float:
        """Return the seconds for the fault *name*."""
        return float(getattr(self, name.replace(" ", "_")))


@dataclass(frozen=True, slots=True)
class Glance:
    """What a few thousand pixels tell about a picture.

    *fingerprint* differs as soon as one of those pixels does, which the noise of any real
    sensor sees to.  *mean* and *spread* (the standard deviation in the noisiest channel) are
    of 255.  *plain* when all of them have one colour.
    """

    fingerprint: int
    mean: float
    spread: float
    plain: bool

    @property
    def black(self) -> bool:
        return self.mean <= _BLACK_MEAN and self.spread <= _BLACK_SPREAD


def glance_at(image: Image) -> Glance:
    """Return a glance at *image* (H, W, 3) uint8; its cost does not grow with the picture."""
    height, width = image.shape[:2]
    few = np.ascontiguousarray(image[:: max(1, height // 48), :: max(1, width // 64)])
    return Glance(
        fingerprint=zlib.crc32(few.tobytes()),
        mean=float(few.mean()),
        spread=float(few.std(axis=(0, 1)).max()),
        plain=bool((few == few[0, 0]).all()),
    )


# (width, height) of a picture, and of the small one beside it if there is one.
Sizes = tuple[tuple[int, int], tuple[int, int] | None]


class Health:
    """What is known about the camera *name*; *fault* is None while it is well.

    *advice* says what to check when nothing better is known.  The thread that reads the camera
    tells what came of it, another asks whether it has been silent for too long; both may do so
    at any time.
    """

    def __init__(self, name: str, advice: str, tolerance: Tolerance) -> None:
        self.name = name
        self.fault: Fault | None = None
        self.must_reopen = False
        self._advice = advice
        self._tolerance = tolerance
        self._lock = threading.Lock()
        self._since: dict[FaultName, float] = {}
        self._recent: deque[int] = deque(maxlen=_REMEMBERED)
        self._size: Sizes | None = None
        # When something that could be a picture came last, None while the camera is closed.
        self._heard_at: float | None = None
        self._opened = False

    def opening(self, now: float) -> None:
        """Note that the camera is being opened; what went wrong before it counts no more.

        The fault stays until a picture proves it over, and so do the pictures seen last.
        """
        with self._lock:
            self._since.clear()
            self._size = None
            self._heard_at = now
            self._opened = self.must_reopen = False

    def opened(self, now: float) -> None:
        """Note that the camera is open."""
        with self._lock:
            self._heard_at = now
            self._opened = True

    def not_opened(self, error: Exception, now: float) -> None:
        """Note that the camera cannot be opened, a fault at once.

        What maskgate raised on purpose is told as it is; the rest is a driver's own words.
        """
        detail = str(error)
        if not isinstance(error, MaskgateError):
            driver = f"{type(error).__name__}: {error}"
            detail = f"{self.name}: cannot be opened ({driver}); {self._advice}"
        with self._lock:
            self._heard_at = None
            self._set("unplugged", detail, now, now)

    def closed(self) -> None:
        """Note that the camera is closed: silence means nothing until it is opened again."""
        with self._lock:
            self._heard_at = None

    def failed(self, why: str, now: float) -> None:
        """Note that a read gave nothing: *why*."""
        with self._lock:
            self._trouble("unplugged", f"{why}; {self._advice}", now)
            # Some drivers give up a read by themselves after many seconds: that was the stall.
            self._silent(now)

    def picture(self, image: object, now: float, small: object = None) -> bool:
        """Note what a read gave; return whether it is a picture worth looking at.

        *small* is the same picture with fewer pixels, None from a camera that gives none.

        A repeated or a black picture is not, even before it becomes a fault: it is no news
        about anyone.
        """
        with self._lock:
            self._heard_at = now
            found = self._examine(image, small)
            if found is not None:
                self._trouble(*found, now)
                return False
            self._since.clear()
            self.fault = None
            self.must_reopen = False
            return True

    def check(self, now: float) -> None:
        """See whether the camera has been silent for too long."""
        with self._lock:
            self._silent(now)

    def _examine(self, image: object, small: object) -> tuple[FaultName, str] | None:
        """Return the name of the trouble with a picture and its description; None for none."""
        what = _no_picture(image) or (_no_picture(small) if small is not None else "")
        if what or not isinstance(image, np.ndarray):
            return "garbage", f"delivers {what}, no picture; {self._advice}"
        size = _size(image), _size(small) if isinstance(small, np.ndarray) else None
        if self._size not in (None, size):
            assert self._size is not None
            ours, theirs = _size_words(self._size), _size_words(size)
            return "wrong size", f"delivers {theirs} pixels after {ours}; {self._advice}"
        if size[1] is not None and not same_scene(size[0], size[1]):
            return "wrong size", f"delivers {_size_words(size)} pixels, two scenes; {self._advice}"
        glance = glance_at(image)
        if glance.black:
            return "black", "the picture is black; uncover the lens, or switch on a light"
        if glance.plain:
            return "garbage", f"every pixel has the same colour; {self._advice}"
        # Only from a picture that may be shown, or one freak would make all others wrong.
        self._size = size
        if glance.fingerprint in self._recent:
            return "frozen", f"delivers the same picture again and again; {self._advice}"
        self._recent.append(glance.fingerprint)
        return None

    def _trouble(self, name: FaultName, what: str, now: float) -> None:
        since = self._since.setdefault(name, now)
        begun = min(self._since.values())
        # Troubles that take turns must not each start the wait anew.
        if now - since >= self._tolerance.of(name):
            self._set(name, f"{self.name}: {what}", since, now)
        elif now - begun >= self._tolerance.longest:
            self._set(name, f"{self.name}: {what}", begun, now)

    def _silent(self, now: float) -> None:
        limit = self._tolerance.stalled
        if self._heard_at is None or now - self._heard_at < limit:
            return
        # A network camera that is off takes long to refuse: that is the old fault, not a new one.
        if self.fault is None or self._opened:
            what = f"no picture for {limit:g} s; {self._advice}"
            self._set("stalled", f"{self.name}: {what}", self._heard_at, now)

    def _set(self, name: FaultName, detail: str, since: float, now: float) -> None:
        if self.fault is not None and self.fault.name == name:
            since = self.fault.since
        self.fault = Fault(name, detail, since, now)
        # Whoever uncovers the lens should not have to wait for the next opening.
        self.must_reopen = name != "black"


def _size(image: Image) -> tuple[int, int]:
    return image.shape[1], image.shape[0]


def _size_words(size: Sizes) -> str:
    return " with ".join(f"{width}x{height}" for width, height in filter(None, size))


def _no_picture(image: object) -> str:
    """Return what *image* is instead of a picture in words; empty for a picture."""
    if not isinstance(image, np.ndarray):
        return f"an object of type {type(image).__name__}"
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        return f"{image.dtype} values of shape {image.shape}"
    if min(image.shape[:2]) < _SMALLEST:
        return f"{image.shape[1]}x{image.shape[0]} pixels"
    return ""
