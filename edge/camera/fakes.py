"""Stand-ins for cameras and their libraries that record how they were used.

They ship with the package, as gpiozero's mock pins do, so that whoever builds on maskgate can
test without hardware.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
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
from edge.vision.crop import Image

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
                return Frame(taken.image, taken.at, self._sequence - 1, small=taken.small)
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
    a camera says of its frames per second, *sends* of its pixel format.  *calls* are the
    arguments of each ``VideoCapture``, of each "set", and "release".
    """

    def __init__(
        self,
        backends: tuple[int, ...] = (cv2.CAP_FFMPEG, cv2.CAP_GSTREAMER),
        *,
        opens: bool = True,
        rate: float = 25.0,
        sends: str = "",
    ) -> None:
        self.calls: deque[tuple[Any, ...]] = deque(maxlen=_REMEMBERED)
        self.videoio_registry = SimpleNamespace(hasBackend=lambda backend: backend in backends)
        self._opens = opens
        self._rate = rate
        self._sends = sends

    def __getattr__(self, name: str) -> Any:
        """Return OpenCV's own constant *name*."""
        return getattr(cv2, name)

    def VideoCapture(self, *arguments: Any) -> FakeCapture:
        self.calls.append(arguments)
        return FakeCapture(self.calls, self._opens, self._rate, self._sends)


class FakeCapture:
    """What :class:`FakeVideo` opens: pictures of noise, a hundred a second."""

    def __init__(
        self, calls: deque[tuple[Any, ...]], opens: bool, rate: float, sends: str
    ) -> None:
        self._calls = calls
        self._opens = opens
        self._rate = rate
        self._sends = sends
        self._noise = np.random.default_rng(0)

    def isOpened(self) -> bool:
        return self._opens

    def get(self, which: int) -> float:
        fourcc = int.from_bytes(self._sends.encode(), "little")
        return {cv2.CAP_PROP_FPS: self._rate, cv2.CAP_PROP_FOURCC: float(fourcc)}.get(which, 0.0)

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

    They see a red wall, and give it in the order of bytes that the format asked for has; the
    small stream in YUV of limited range, each row padded to a multiple of 64 bytes.  *lacks* are
    controls that the cameras do not have, and *small* may spoil what the small stream gives: it
    gets the array and returns another.

    *calls* are the names of what was called, with the arguments.  *taken* and *released* count
    requests: one that is not released is a buffer lost, and with six lost a real camera stops.
    While *stalled* no picture comes; as in picamera2 a read that gave up then stays in the
    queue, and stopping would wait behind it for ever: here it raises RuntimeError.
    """

    def __init__(
        self,
        cameras: int = 1,
        *,
        lacks: tuple[str, ...] = (),
        small: Callable[[Any], Any] = lambda yuv: yuv,
    ) -> None:
        self.calls: deque[tuple[Any, ...]] = deque(maxlen=_REMEMBERED)
        self.taken = 0
        self.released = 0
        self.stalled = False
        self.small = small
        self.controls = {name: r for name, r in _CONTROLS.items() if name not in lacks}
        self._cameras = cameras

    def load(self, name: str) -> Any:
        """Import *name*, one of the two modules."""
        if name == "libcamera":
            return SimpleNamespace(
                Transform=lambda **turns: ("Transform", turns),
                ColorSpace=SimpleNamespace(Smpte170m=lambda: "Smpte170m"),
            )
        return SimpleNamespace(Picamera2=self)

    def global_camera_info(self) -> list[dict[str, object]]:
        return [{"Num": number} for number in range(self._cameras)]

    def __call__(self, number: int) -> FakePiCamera:
        self.calls.append(("Picamera2", number))
        return FakePiCamera(self)


class FakePiCamera:
    """What :class:`FakePicamera2` opens."""

    def __init__(self, owner: FakePicamera2) -> None:
        self.owner = owner
        self.noise = np.random.default_rng(0)
        self._configuration: dict[str, Any] = {}
        self._waiting = 0

    @property
    def camera_controls(self) -> dict[str, tuple[float, float, float]]:
        return self.owner.controls

    def create_video_configuration(self, **options: Any) -> dict[str, Any]:
        return options

    def configure(self, configuration: dict[str, Any]) -> None:
        self.owner.calls.append(("configure", configuration))
        main, lores = configuration["main"], configuration.get("lores")
        for name in configuration["controls"]:
            if name not in self.owner.controls:
                raise RuntimeError(f"Control {name} is not advertised by libcamera")
        if lores is not None and (np.array(lores["size"]) > main["size"]).any():
            raise RuntimeError("lores stream dimensions may not exceed main stream")
        self._configuration = configuration

    def stream_configuration(self, name: str) -> dict[str, Any]:
        return dict(self._configuration[name])

    def start(self) -> None:
        self.owner.calls.append(("start",))

    def capture_request(self, wait: float) -> FakeRequest:
        self.owner.calls.append(("capture_request", wait))
        time.sleep(0.01)
        if self.owner.stalled:
            self._waiting += 1
            raise TimeoutError
        self.owner.taken += 1
        return FakeRequest(self)

    def cancel_all_and_flush(self) -> None:
        self.owner.calls.append(("cancel_all_and_flush",))
        self._waiting = 0

    def stop(self) -> None:
        if self._waiting:
            raise RuntimeError(f"{self._waiting} reads wait in the queue; stopping would hang")
        self.owner.calls.append(("stop",))

    def close(self) -> None:
        self.owner.calls.append(("close",))


class FakeRequest:
    """One moment of a :class:`FakePiCamera`, in a buffer that has to be given back."""

    def __init__(self, camera: FakePiCamera) -> None:
        self._camera = camera
        self._held = True

    def make_array(self, name: str) -> Any:
        if not self._held:
            raise RuntimeError("the request was released")
        stream = self._camera.stream_configuration(name)
        width, height = stream["size"]
        image = self._camera.noise.integers(0, 30, (height, width, 3), np.uint8)
        if stream["format"] == "YUV420":
            image[:, :, 2] += 200
            return self._camera.owner.small(_padded_yuv(image))
        # libcamera's names run from the last byte to the first.
        image[:, :, {"RGB888": 2, "BGR888": 0}[stream["format"]]] += 200
        return image

    def release(self) -> None:
        if not self._held:
            raise RuntimeError("the request was released twice")
        self._held = False
        self._camera.owner.released += 1


# Least, greatest and usual value of what a Camera Module 3 on a Raspberry Pi 5 offers.
_CONTROLS: dict[str, tuple[float, float, float]] = {
    "FrameDurationLimits": (8_000, 200_000, 33_333),
    "ExposureTime": (26, 112_015, 20_000),
    "AnalogueGain": (1.0, 16.0, 1.0),
    "ExposureValue": (-8.0, 8.0, 0.0),
    "AeMeteringMode": (0, 3, 0),
    "AwbMode": (0, 7, 0),
    "HdrMode": (0, 4, 0),
    "AfMode": (0, 2, 0),
    "AfTrigger": (0, 1, 0),
    "LensPosition": (0.0, 15.0, 1.0),
}


def _padded_yuv(image: Image) -> Image:
    """Return *image* (H, W, 3) BGR as planar YUV 4:2:0, rows padded to 64 bytes with white."""
    wide = np.pad(image, ((0, 0), (0, -image.shape[1] % 64), (0, 0)), constant_values=255)
    return np.asarray(cv2.cvtColor(wide, cv2.COLOR_BGR2YUV_I420), np.uint8)
