"""A camera on a Raspberry Pi's ribbon cable, through picamera2."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from edge.camera.steady import SteadySource
from edge.errors import SourceError

_ADVICE = "check the ribbon cable at both ends, and that 'rpicam-hello' shows a picture"
# As long as silence is tolerated: a read that gives up means that the camera has stalled.
_WAIT = 3.0  # seconds


def picamera2_source(
    number: int,
    *,
    size: tuple[int, int] = (1280, 720),
    fps: float = 30.0,
    hflip: bool = False,
    vflip: bool = False,
    patient: bool = False,
    load: Callable[[str], Any] = importlib.import_module,
) -> SteadySource:
    """Return camera *number* at *size* pixels and *fps*, mirrored or upside down if asked for.

    *load* imports picamera2 and libcamera.  Raises SourceError when they are not there, and
    unless *patient* when the camera cannot be opened.
    """
    name = f"picamera2://{number}"
    try:
        picamera2, libcamera = load("picamera2"), load("libcamera")
    except ImportError as error:
        raise SourceError(
            f"{name}: picamera2 is missing ({error}); 'sudo apt install python3-picamera2', and "
            "use an environment made with --system-site-packages"
        ) from None
    except Exception as error:  # compiled modules that do not fit each other raise anything
        raise SourceError(
            f"{name}: picamera2 cannot be loaded ({type(error).__name__}: {error}); take numpy "
            "and OpenCV from apt where picamera2 is from apt"
        ) from None
    turned = libcamera.Transform(hflip=int(hflip), vflip=int(vflip))
    return SteadySource(
        partial(PiDevice, picamera2.Picamera2, number, size, fps, turned),
        name, advice=_ADVICE, patient=patient,
    )


class PiDevice:
    """Camera *number*, opened with *camera_class*, which is ``picamera2.Picamera2``.

    One stream, scaled by the ISP.  Raises SourceError when there is no such camera, and
    whatever picamera2 raises when it cannot be started.
    """

    def __init__(
        self,
        camera_class: Any,
        number: int,
        size: tuple[int, int],
        fps: float,
        transform: Any,
    ) -> None:
        found = len(camera_class.global_camera_info())
        if number >= found:
            raise SourceError(f"picamera2://{number}: no such camera, {found} found; {_ADVICE}")
        self.frames_per_second: float | None = fps
        self._camera = camera_class(number)
        try:
            microseconds = round(1e6 / fps)
            configuration = self._camera.create_video_configuration(
                # libcamera names the bytes from the last to the first: this is BGR in memory.
                main={"size": size, "format": "RGB888"},
                transform=transform,
                controls={"FrameDurationLimits": (microseconds, microseconds)},
                # Nothing that was taken before it was asked for.
                queue=False,
            )
            self._camera.configure(configuration)
            self._camera.start()
        except Exception:
            self._camera.close()
            raise

    def read(self) -> Any:
        """Return the next picture, (H, W, 3) uint8 BGR.  Raises when none comes in time."""
        return np.ascontiguousarray(self._camera.capture_array("main", wait=_WAIT))

    def close(self) -> None:
        self._camera.stop()
        self._camera.close()
