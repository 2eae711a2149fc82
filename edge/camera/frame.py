"""One picture from a source, and what every source can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edge.camera.fault import Fault
from edge.vision.crop import Image

# Hardware rounds the small picture's sides; more than this, and faces in it are stretched.
_SAME_SHAPE = 0.1


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture and when it was taken.

    *image* is (H, W, 3) uint8 in BGR order.  *timestamp* is in seconds on a clock that never
    goes back: the monotonic clock for a camera, the film's own time for a file.  *sequence*
    counts the frames the source has seen, from 0; a gap in it means that frames were dropped.
    *name* is the picture's file name where it came out of a folder, else empty.

    *small* is the same scene at the same moment with fewer pixels, where the camera's hardware
    makes one: a detector that shrinks pictures anyway then has nothing to shrink.  Its
    proportions are those of *image* within a tenth; what is found in it is told in pixels of
    *image*.
    """

    image: Image
    timestamp: float
    sequence: int
    name: str = ""
    small: Image | None = None


class Source(Protocol):
    """Where frames come from: a camera, a file, a folder, or the built-in demo scene.

    *name* is what a person calls it.  *frames_per_second* is None where it is not known.
    *live* is true of a camera: its frames are lost unless they are read in time, and it has
    no end.
    """

    @property
    def name(self) -> str: ...

    @property
    def frames_per_second(self) -> float | None: ...

    @property
    def live(self) -> bool: ...

    def read(self, timeout: float) -> Frame | Fault | None:
        """Return the next frame (of a camera: the newest), within *timeout* seconds.

        None from a file means that there are no more; from a live source, that nothing has
        come yet and that it is too early to call that a fault: ask again.  Only a live source
        returns a :class:`Fault`, at once when it begins and then after *timeout* for as long
        as it lasts; the next frame says that it is over.

        Raises SourceError when a file cannot be read.  A live source raises nothing.
        """

    def close(self) -> None:
        """Give the device or the file back, in bounded time; may be called twice."""


def same_scene(size: tuple[int, int], small: tuple[int, int]) -> bool:
    """Return whether a picture of the (width, height) *small* may show what one of *size* does.

    It is no larger either way, and of the same proportions within a tenth.
    """
    across, down = small[0] / size[0], small[1] / size[1]
    return max(across, down) <= 1 and abs(across / down - 1) <= _SAME_SHAPE


def remarks_of(source: Source) -> tuple[str, ...]:
    """Return what *source* wants told at the end of a run: what it skipped or could not read."""
    return tuple(getattr(source, "remarks", ()))
