"""A camera that cannot see, with a name for why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FaultName = Literal["unplugged", "stalled", "frozen", "black", "wrong size", "garbage"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a live source has nothing to show.

    *name* is one of these:

    unplugged   the device is gone, cannot be opened, or refuses every read
    stalled     no picture came for too long
    frozen      the same pictures come again and again
    black       the picture is dark all over: the lens is covered
    wrong size  pictures of another size than the first one since the camera was opened
    garbage     what comes is no picture

    *detail* is a sentence for people that names the camera and what to check.  *since* is when
    the trouble began and *timestamp* when it was still so, both on the clock of the frames.
    Two faults are the same one as long as *name* and *since* are.
    """

    name: FaultName
    detail: str
    since: float
    timestamp: float
