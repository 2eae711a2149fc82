"""One picture from a source, and what every source can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

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
    *live* is true when frames are lost unless they are read in time, as from a camera.
    """

    @property
    def name(self) -> str: ...

    @property
    def frames_per_second(self) -> float | None: ...

    @property
    def live(self) -> bool: ...

    def read(self, timeout: float) -> Frame | None:
        """Return the next frame (a camera: the newest), or None when there are no more.

        Raises SourceError when nothing came within *timeout* seconds, or nothing can.
        """

    def close(self) -> None:
        """Give the device or the file back; may be called twice."""


def remarks_of(source: Source) -> tuple[str, ...]:
    """Return what *source* wants told at the end of a run: what it skipped or could not read."""
    return tuple(getattr(source, "remarks", ()))
