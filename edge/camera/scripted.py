"""A camera that fails on purpose, by a script, and remembers what was done to it."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal, get_args

import cv2
import numpy as np

from edge.camera.frame import Frame, Source
from edge.camera.steady import SteadySource
from edge.errors import SourceError, UsageError
from edge.vision.crop import Image

Behaviour = Literal["picture", "hang", "freeze", "black", "unplug", "wrong size", "garbage"]
Script = Sequence[tuple[float, Behaviour]]

TOUR: tuple[tuple[float, Behaviour], ...] = (
    (8, "picture"), (6, "hang"),
    (8, "picture"), (8, "freeze"),
    (8, "picture"), (6, "black"),
    (8, "picture"), (6, "unplug"),
    (8, "picture"), (4, "wrong size"),
    (8, "picture"), (4, "garbage"),
    (math.inf, "picture"),
)
"""Every behaviour once, each long enough to become a fault, with time to recover between."""

SCRIPT_HINT = (
    "BEHAVIOUR:SECONDS,... of picture, hang, freeze, black, unplug, wrong-size and garbage, "
    "as in picture:5,hang:8"
)
_LONGEST_SLEEP = 60.0  # seconds; a hang may last for ever, and no clock takes that
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Done:
    """What was done to a scripted camera: opened, refused, read, or closed, and when."""

    seconds: float
    what: Literal["opened", "refused", "read", "closed"]


class ScriptedCamera:
    """A camera that behaves as *script* says: (seconds, behaviour) one after another.

    picture     gives the next of *pictures*, with a little noise, as every real sensor has it
    hang        a read does not come back before this is over
    freeze      gives the last picture again and again
    black       gives the dark, with the noise of a covered lens
    unplug      reads fail and opening is refused; who held it must open it again afterwards
    wrong size  gives pictures of half the size
    garbage     gives what is no picture, of three kinds in turn

    The script starts when the camera is first opened, and its last behaviour lasts for ever.
    *pictures* gives picture number n, (H, W, 3) uint8; textured ones by default.  *clock* and
    *sleep* may be a test's own.  *done* is what was done to it, the newest.
    """

    def __init__(
        self,
        script: Script,
        pictures: Callable[[int], Image] | None = None,
        *,
        frames_per_second: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        if not script:
            raise UsageError("the script is empty; give (seconds, behaviour) at least once")
        self.frames_per_second = frames_per_second
        self.clock = clock
        self.sleep = sleep
        self.done: deque[Done] = deque(maxlen=_REMEMBERED)
        self._ends = [*accumulate(seconds for seconds, _ in script)]
        self._behaviours = [behaviour for _, behaviour in script]
        self._pictures = pictures or _texture
        self._began: float | None = None
        self._shown = 0
        self._last: Image | None = None

    def open(self) -> ScriptedDevice:
        """Open it.  Raises SourceError while it is unplugged."""
        if self._began is None:
            self._began = self.clock()
        part = self.part()
        refused = self._behaviours[part] == "unplug"
        self.note("refused" if refused else "opened")
        if refused:
            raise SourceError("faulty: no such camera; its script has it unplugged")
        return ScriptedDevice(self, part)

    def part(self) -> int:
        """Return the index of the part of the script that is being played."""
        seconds = self.seconds()
        last = len(self._ends) - 1
        return next((i for i, end in enumerate(self._ends[:last]) if seconds < end), last)

    def seconds(self) -> float:
        """Return how long the script has been played."""
        return 0.0 if self._began is None else self.clock() - self._began

    def until_end(self, part: int) -> float:
        """Return the seconds until *part* is over; the last one never is."""
        last = part == len(self._ends) - 1
        return math.inf if last else self._ends[part] - self.seconds()

    def unplugged_since(self, part: int) -> bool:
        """Return whether it was unplugged between *part* and now."""
        return "unplug" in self._behaviours[part : self.part() + 1]

    def note(self, what: Literal["opened", "refused", "read", "closed"]) -> None:
        self.done.append(Done(self.seconds(), what))

    def answer(self) -> Any:
        """Return what a read gives in this part of the script, which is not a hang."""
        behaviour = self._behaviours[self.part()]
        if behaviour == "freeze" and self._last is not None:
            return self._last.copy()
        self._shown += 1
        image = _noisy(self._pictures(self._shown - 1), self._shown)
        if behaviour == "black":
            return image & 1
        if behaviour == "wrong size":
            return np.ascontiguousarray(image[::2, ::2])
        if behaviour == "garbage":
            green = np.full_like(image, (0, 135, 0))
            return (np.empty((0, 0, 3), np.uint8), image.astype(np.float32), green)[
                self._shown % 3
            ]
        self._last = image
        return image

    def hanging(self) -> bool:
        """Return whether a read does not come back now."""
        return self._behaviours[self.part()] == "hang"


class ScriptedDevice:
    """A handle on *camera*, opened in *part* of its script."""

    def __init__(self, camera: ScriptedCamera, part: int) -> None:
        self.frames_per_second: float | None = camera.frames_per_second
        self._camera = camera
        self._part = part

    def read(self) -> Any:
        """Wait for the next picture and return what the script has in store; None is a failure."""
        camera = self._camera
        camera.note("read")
        camera.sleep(1 / camera.frames_per_second)
        while camera.hanging():
            camera.sleep(min(_LONGEST_SLEEP, max(1e-6, camera.until_end(camera.part()))))
        return None if camera.unplugged_since(self._part) else camera.answer()

    def close(self) -> None:
        self._camera.note("closed")


def parse_script(text: str) -> tuple[tuple[float, Behaviour], ...]:
    """Return the script in *text*, ``picture:5,hang:8``; ValueError for anything else."""
    names: tuple[Behaviour, ...] = get_args(Behaviour)
    known = {name.replace(" ", "-"): name for name in names}
    script = []
    for part in text.split(","):
        name, _, seconds = part.partition(":")
        if name not in known or not 0 < float(seconds) <= 86_400:
            raise ValueError(text)
        script.append((float(seconds), known[name]))
    return tuple(script)


def faulty_source(
    name: str, open_inner: Callable[[], Source], script: Script, *, patient: bool = False
) -> SteadySource:
    """Return a live camera that shows the frames of a file again and again, and fails by *script*.

    *open_inner* opens the file, folder or demo.  Raises UsageError when that is a camera, and
    what it raises.
    """
    frames = _Endless(open_inner)
    camera = ScriptedCamera(script, frames.picture, frames_per_second=frames.rate)
    return SteadySource(
        camera.open, name, advice="see the script in its name", patient=patient
    )


class _Endless:
    """The pictures of a file, from the start again after the end, all of the first one's size."""

    def __init__(self, open_inner: Callable[[], Source]) -> None:
        self._open = open_inner
        self._source = open_inner()
        if self._source.live:
            self._source.close()
            raise UsageError(
                f"faulty: {self._source.name} is a camera; name demo, a file or a folder"
            )
        self.rate = self._source.frames_per_second or 30.0
        self._size: tuple[int, int] | None = None

    def picture(self, number: int) -> Image:
        frame = self._source.read(1.0)
        if frame is None:
            self._source.close()
            self._source = self._open()
            frame = self._source.read(1.0)
        if not isinstance(frame, Frame):
            raise SourceError(f"{self._source.name}: has no pictures")
        image = frame.image
        self._size = self._size or (image.shape[1], image.shape[0])
        if (image.shape[1], image.shape[0]) != self._size:
            image = np.asarray(cv2.resize(image, self._size), np.uint8)
        return image


def _texture(number: int) -> Image:
    """Return a picture with something on it, (48, 64, 3) uint8, the same for every *number*."""
    del number
    y, x = np.mgrid[0:48, 0:64]
    plane = (60 + 2 * x + y).astype(np.uint8)
    return np.dstack([plane, plane[::-1], plane[:, ::-1]])


def _noisy(image: Image, number: int) -> Image:
    """Return *image* with its lowest bits turned as *number* says, no two numbers alike."""
    bits = np.random.default_rng(0).integers(0, 2, 4096 + image.size % 4096, np.uint8)
    noise = np.resize(np.roll(bits, 17 * number), image.size).reshape(image.shape)
    return np.asarray(image ^ noise, np.uint8)
