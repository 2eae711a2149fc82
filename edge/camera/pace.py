"""Playing a file at its own speed, as a camera would deliver it."""

from __future__ import annotations

import time
from collections.abc import Callable

from edge.camera.fault import Fault
from edge.camera.frame import Frame, Source, remarks_of

_LONGEST_WAIT = 1.0  # seconds
_LONGEST_CATCHING_UP = 0.25  # seconds


class PacedSource:
    """*source*, with each frame held back until its time has come.

    A frame that is already late by more than *patience* seconds is dropped, as a camera would
    drop it, so a slow machine looks at fewer frames instead of at the past.  Where even
    reading is slower than the film, the film runs slower: dropping alone would never end.
    *clock* and *sleep* are for tests.
    """

    def __init__(
        self,
        source: Source,
        *,
        patience: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._source = source
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._offset: float | None = None
        self.name = source.name
        self.frames_per_second = source.frames_per_second
        self.live = source.live

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the source wants told at the end."""
        return remarks_of(self._source)

    def read(self, timeout: float) -> Frame | Fault | None:
        """Return the next frame that is not late, when its time comes; None after the last.

        Late frames are dropped for a quarter of a second at most.
        """
        began = self._clock()
        while True:
            frame = self._source.read(timeout)
            if not isinstance(frame, Frame):
                return frame
            if self._offset is None:
                self._offset = self._clock() - frame.timestamp
            ahead = frame.timestamp + self._offset - self._clock()
            if ahead > 0:
                # Scenes of a folder are seconds apart in its time; nobody waits for a pause.
                self._sleep(min(ahead, _LONGEST_WAIT))
                self._offset -= max(0.0, ahead - _LONGEST_WAIT)
                return frame
            if ahead >= -self._patience:
                return frame
            if self._clock() - began >= _LONGEST_CATCHING_UP:
                self._offset -= ahead
                return frame

    def close(self) -> None:
        self._source.close()
