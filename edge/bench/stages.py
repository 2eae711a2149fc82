"""Where the time of a frame goes, stage by stage, without a change in what is measured.

The loop's own laps tell stages apart; inside the detector and the classifier, the moment at
which the network itself starts and ends is taken from the runtime's ``invoke``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from edge.report.timing import Stopwatch

STAGES = ("capture", "resize", "detect", "decode", "track", "crop", "classify", "decide", "output")
"""A frame's stages in order.  All but the first are its frame time."""

_DEPTH = 3


class FrameStages(Stopwatch):
    """A stopwatch that keeps every frame apart: *frames* holds seconds by stage for each.

    :meth:`start` begins a frame.  Between the laps of the loop, :meth:`in_network` splits the
    time before, in and after a network.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__(clock)
        self.frames: list[dict[str, float]] = []
        self._now = clock
        self._before = clock()
        self._split = ""

    def start(self) -> None:
        self.frames.append({})
        self._split = ""
        self._before = self._now()

    def lap(self, stage: str) -> float:
        """Add the time since the last lap to *stage*; return it in seconds."""
        if stage == "detect" and self._split == "detect":
            stage = "decode"
        self._split = ""
        return self._add(stage)

    def in_network(self, before: str, name: str, began: float, ended: float) -> None:
        """Note that the network *name* worked from *began* to *ended*, after *before*."""
        if not self.frames:
            return
        frame = self.frames[-1]
        frame[before] = frame.get(before, 0.0) + began - self._before
        frame[name] = frame.get(name, 0.0) + ended - began
        self._before = ended
        self._split = name

    def clear(self) -> None:
        """Forget all frames so far, as after a warm-up."""
        self.frames.clear()

    def _add(self, stage: str) -> float:
        now = self._now()
        took, self._before = now - self._before, now
        if self.frames:
            frame = self.frames[-1]
            frame[stage] = frame.get(stage, 0.0) + took
        return took


@contextmanager
def invokes_noted(
    stages: FrameStages, detector: object, classifier: object
) -> Iterator[bool]:
    """Tell *stages* when the networks in *detector* and *classifier* work, while inside.

    Gives whether both networks were found; if not, resizing and decoding stay part of
    "detect", and cropping part of "classify".
    """
    found = [
        (find_interpreter(owner), before, name)
        for owner, before, name in (
            (detector, "resize", "detect"), (classifier, "crop", "classify"),
        )
    ]
    if any(interpreter is None for interpreter, _, _ in found):
        yield False
        return
    for interpreter, before, name in found:
        interpreter.invoke = _noting(interpreter.invoke, stages, before, name)
    try:
        yield True
    finally:
        for interpreter, _, _ in found:
            del interpreter.invoke


def find_interpreter(owner: object, depth: int = _DEPTH) -> Any:
    """Return the TensorFlow Lite interpreter that *owner* holds, at whatever name, or None."""
    for value in vars(owner).values() if hasattr(owner, "__dict__") else ():
        if hasattr(value, "invoke") and hasattr(value, "get_input_details"):
            return value
        if depth > 0 and type(value).__module__.startswith("edge."):
            found = find_interpreter(value, depth - 1)
            if found is not None:
                return found
    return None


def _noting(
    invoke: Callable[[], None], stages: FrameStages, before: str, name: str
) -> Callable[[], None]:
    def noted() -> None:
        began = time.perf_counter()
        invoke()
        stages.in_network(before, name, began, time.perf_counter())

    return noted
