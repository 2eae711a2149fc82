"""A thread that empties a camera and keeps only its newest picture."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import cv2
import numpy as np

from edge.camera.frame import Frame
from edge.errors import SourceError


class Capture(Protocol):
    """What the thread needs of ``cv2.VideoCapture``."""

    def read(self) -> Any:
        """Return (True, picture), or (False, anything) when there is none."""

    def release(self) -> Any: ...


class CameraSource:
    """A camera whose newest picture waits to be read; older ones are dropped, never queued.

    Reading a camera slower than it delivers fills its driver's queue, and the gate would look
    at people who left seconds ago.  So a thread reads it all the time.  The thread alone
    touches *capture*, also to release it: releasing while a read hangs crashes OpenCV.

    *name* is put into messages, with *advice* on what to check.  *clock* gives the timestamps
    in seconds; it may not be the wall clock.
    """

    live = True

    def __init__(
        self,
        capture: Capture,
        name: str,
        *,
        frames_per_second: float | None = None,
        advice: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.frames_per_second = frames_per_second
        self._capture = capture
        self._advice = advice
        self._clock = clock
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._lost: str | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._keep_newest, name=f"capture {name}")
        # A read that hangs in the driver must not keep the program from ending.
        self._thread.daemon = True
        self._thread.start()

    def read(self, timeout: float) -> Frame | None:
        """Return a picture not returned before; None once the source is closed.

        Raises SourceError, naming the camera and what to check, when none came within
        *timeout* seconds or the camera went away.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._newest is not None or self._lost or self._stopping, timeout
            )
            frame, self._newest = self._newest, None
            if frame is not None:
                return frame
            if self._stopping:
                return None
            if self._lost:
                raise SourceError(f"{self.name}: {self._lost}; {self._advice}")
            raise SourceError(
                f"{self.name}: no picture came within {timeout:g} s; {self._advice}"
            )

    def close(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(timeout=2)

    def _keep_newest(self) -> None:
        sequence = 0
        failures = 0
        try:
            while not self._stopping:
                try:
                    ok, image = self._capture.read()
                except cv2.error:
                    ok, image = False, None
                if not ok or image is None or image.size == 0:
                    # One torn picture is no lost camera; a camera pulled out fails every time.
                    failures += 1
                    if failures >= 10:
                        self._lose("delivers no pictures any more")
                        return
                    time.sleep(0.02)
                    continue
                failures = 0
                if image.ndim == 2:
                    image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
                frame = Frame(np.ascontiguousarray(image, np.uint8), self._clock(), sequence)
                sequence += 1
                with self._changed:
                    self._newest = frame
                    self._changed.notify_all()
        except Exception as error:  # a thread's exception would otherwise only stop the pictures
            self._lose(f"the capture thread failed ({type(error).__name__}: {error})")
        finally:
            self._capture.release()

    def _lose(self, why: str) -> None:
        with self._changed:
            self._lost = why
            self._changed.notify_all()
