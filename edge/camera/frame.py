"""One picture from a source, and what every source can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edge.camera.fault import Fault
from edge.vision.crop import Image


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture and when it was taken.

    *image* is (H, W, 3) uint8 in BGR order.  *timestamp* is in seconds on a clock that never
    goes back: the monotonic clock for a camera, the film's own time for a file.  *sequence*
    counts the frames the source has seen, from 0; a gap in it means that frames were dropped.
    *name* is the picture's file name where it came out of a folder, else empty.
    """

    image: Image
    timestamp: float
    sequence: int
    name: str = ""


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


def remarks_of(source: Source) -> tuple[str, ...]:
    """Return what *source* wants told at the end of a run: what it skipped or could not read."""
    return tuple(getattr(source, "remarks", ()))
