"""Stand-ins for cameras and their libraries that record how they were used.

They ship with the package, as gpiozero's mock pins do, so that whoever builds on maskgate can
test without hardware.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from edge.camera.fault import Fault
from edge.camera.frame import Frame
from edge.camera.health import Health, Tolerance
from edge.camera.keeper import Backoff, Keeper
from edge.camera.scripted import Script, ScriptedCamera

_REMEMBERED = 1000
_TICK = 0.1  # seconds


class SteppedSource:
    """A scripted camera as a source without a thread and with a clock of its own.

    Time passes only in :meth:`read`, as fast as the processor allows, and a pause between
    tries is over before it returns.  *history* is (seconds, name of the fault or "") for each
    change.  *options* are those of :class:`ScriptedCamera`.  A script must not end in a hang,
    which would never be over.
    """

    name = "scripted"
    live = True

    def __init__(
        self, script: Script, *, tolerance: Tolerance | None = None, **options: Any
    ) -> None:
        self.now = 0.0
        self.history: list[tuple[float, str]] = []
        self.camera = ScriptedCamera(script, clock=self.clock, sleep=self.sleep, **options)
        self.frames_per_second: float | None = self.camera.frames_per_second
        self.health = Health(self.name, "check the cable", tolerance or Tolerance())
        self._keeper = Keeper(self.camera.open, self.health, Backoff(), self.clock, self.sleep)
        self._sequence = 0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let *seconds* pass, looking after the camera as a waiting reader would."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + _TICK)
            self.health.check(self.now)
            self._remember()

    def read(self, timeout: float) -> Frame | Fault | None:
        """Return what :meth:`SteadySource.read` does."""
        until = self.now + timeout
        while True:
            changes = len(self.history)
            taken = self._keeper.step()
            self._remember()
            if taken is not None:
                self._sequence += 1
                return Frame(*taken, self._sequence - 1)
            fault = self.health.fault
            if self.now >= until or (fault is not None and len(self.history) > changes):
                return fault and replace(fault, timestamp=self.now)

    def close(self) -> None:
        self._keeper.close()

    def _remember(self) -> None:
        name = self.health.fault.name if self.health.fault is not None else ""
        if name != (self.history[-1][1] if self.history else ""):
            self.history.append((self.now, name))


class FakeVideo:
    """Stands in for ``cv2`` where a camera is opened through it.

    *backends* are those it was built with, *opens* whether anything can be opened, *rate* what
    a camera says of its frames per second.  *calls* are the arguments of each ``VideoCapture``,
    of each "set", and "release".
    """

    def __init__(
        self,
        backends: tuple[int, ...] = (cv2.CAP_FFMPEG, cv2.CAP_GSTREAMER),
        *,
        opens: bool = True,
        rate: float = 25.0,
    ) -> None:
        self.calls: deque[tuple[Any, ...]] = deque(maxlen=_REMEMBERED)
        self.videoio_registry = SimpleNamespace(hasBackend=lambda backend: backend in backends)
        self._opens = opens
        self._rate = rate

    def __getattr__(self, name: str) -> Any:
        """Return OpenCV's own constant *name*."""
        return getattr(cv2, name)

    def VideoCapture(self, *arguments: Any) -> FakeCapture:
        self.calls.append(arguments)
        return FakeCapture(self.calls, self._opens, self._rate)


class FakeCapture:
    """What :class:`FakeVideo` opens: pictures of noise, a hundred a second."""

    def __init__(self, calls: deque[tuple[Any, ...]], opens: bool, rate: float) -> None:
        self._calls = calls
        self._opens = opens
        self._rate = rate
        self._noise = np.random.default_rng(0)

    def isOpened(self) -> bool:
        return self._opens

    def get(self, which: int) -> float:
        return self._rate if which == cv2.CAP_PROP_FPS else 0.0

    def set(self, which: int, value: float) -> bool:
        self._calls.append(("set", which, value))
        return True

    def read(self) -> tuple[bool, Any]:
        time.sleep(0.01)
        return True, self._noise.integers(0, 256, (48, 64, 3), np.uint8)

    def release(self) -> None:
        self._calls.append(("release",))


class FakePicamera2:
    """Stands in for the modules picamera2 and libcamera, with *cameras* of them plugged in.

    They see a red wall, and give it in the order of bytes that the format asked for has.
    *calls* are the names of what was called, with the arguments.
    """

    def __init__(self, cameras: int = 1) -> None:
        self.calls: deque[tuple[Any, ...]] = deque(maxlen=_REMEMBERED)
        self._cameras = cameras

    def load(self, name: str) -> Any:
        """Import *name*, one of the two modules."""
        if name == "libcamera":
            return SimpleNamespace(Transform=lambda **turns: ("Transform", turns))
        return SimpleNamespace(Picamera2=self)

    def global_camera_info(self) -> list[dict[str, object]]:
        return [{"Num": number} for number in range(self._cameras)]

    def __call__(self, number: int) -> FakePiCamera:
        self.calls.append(("Picamera2", number))
        return FakePiCamera(self.calls)


class FakePiCamera:
    """What :class:`FakePicamera2` opens."""

    def __init__(self, calls: deque[tuple[Any, ...]]) -> None:
        self._calls = calls
        self._main: dict[str, Any] = {}
        self._noise = np.random.default_rng(0)

    def create_video_configuration(self, **options: Any) -> dict[str, Any]:
        return options

    def configure(self, configuration: dict[str, Any]) -> None:
        self._calls.append(("configure", configuration))
        self._main = configuration["main"]

    def start(self) -> None:
        self._calls.append(("start",))

    def capture_array(self, name: str, wait: float) -> Any:
        self._calls.append(("capture_array", name, wait))
        time.sleep(0.01)
        width, height = self._main["size"]
        image = self._noise.integers(0, 30, (height, width, 3), np.uint8)
        # libcamera's names run from the last byte to the first.
        image[:, :, {"RGB888": 2, "BGR888": 0}[self._main["format"]]] += 200
        return image

    def stop(self) -> None:
        self._calls.append(("stop",))

    def close(self) -> None:
        self._calls.append(("close",))
