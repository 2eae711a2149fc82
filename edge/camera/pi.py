"""A camera on a Raspberry Pi's ribbon cable, through picamera2."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge.camera.frame import same_scene
from edge.camera.keeper import Pair
from edge.camera.pi_controls import Control, offered
from edge.camera.steady import SteadySource
from edge.camera.uri import picture_size
from edge.errors import SourceError

_ADVICE = "check the ribbon cable at both ends, and that 'rpicam-hello' shows a picture"
# As long as silence is tolerated: a read that gives up means that the camera has stalled.
_WAIT = 3.0  # seconds

LORES_HINT = (
    "auto, none, or WIDTHxHEIGHT in even numbers of pixels, no larger than size and of its "
    "proportions"
)


def picamera2_source(
    number: int,
    *,
    size: tuple[int, int] = (1280, 720),
    lores: tuple[int, int] | None = None,
    fps: float = 30.0,
    hflip: bool = False,
    vflip: bool = False,
    controls: Mapping[str, Control] | None = None,
    patient: bool = False,
    load: Callable[[str], Any] = importlib.import_module,
) -> SteadySource:
    """Return camera *number* at *size* pixels and *fps*, mirrored or upside down if asked for.

    With *lores* (width, height) each frame has a second, small picture of that size, scaled by
    the camera's hardware.  *controls* are set by libcamera's names; one that the camera does
    not have is a remark.  *load* imports picamera2 and libcamera.  Raises SourceError when they
    are not there, and unless *patient* when the camera cannot be opened.
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
    microseconds = round(1e6 / fps)
    options = {
        # libcamera names the bytes from the last to the first: this is BGR in memory.
        "main": {"size": size, "format": "RGB888"},
        # The one format that the scaler of every Raspberry Pi has.
        "lores": {"size": lores, "format": "YUV420"} if lores is not None else None,
        "transform": libcamera.Transform(hflip=int(hflip), vflip=int(vflip)),
        # What OpenCV takes all YUV for: BT.601 of limited range.  Unless told, picamera2 takes
        # BT.709 for large pictures, and faces would come out in other colours.
        "colour_space": libcamera.ColorSpace.Smpte170m(),
        # Nothing that was taken before it was asked for.
        "queue": False,
    }
    wanted = {"FrameDurationLimits": (microseconds, microseconds)}
    return SteadySource(
        partial(PiDevice, picamera2.Picamera2, number, options, wanted, controls or {}, fps),
        name, advice=_ADVICE, patient=patient,
    )


class PiDevice:
    """Camera *number*, opened with *camera_class*, which is ``picamera2.Picamera2``.

    *options* are those of ``create_video_configuration``; *timing* are the controls that every
    camera has, *controls* those that it may lack.  *remarks* says which it lacks.  Raises
    SourceError when there is no such camera, and whatever picamera2 raises when it cannot be
    started.
    """

    def __init__(
        self,
        camera_class: Any,
        number: int,
        options: Mapping[str, Any],
        timing: Mapping[str, Any],
        controls: Mapping[str, Control],
        fps: float,
    ) -> None:
        found = len(camera_class.global_camera_info())
        if number >= found:
            raise SourceError(f"picamera2://{number}: no such camera, {found} found; {_ADVICE}")
        self.frames_per_second: float | None = fps
        self._small_size: tuple[int, int] | None = None
        self._camera = camera_class(number)
        try:
            # One that it lacks would be an error, and no picture at all.
            taken, self.remarks = offered(controls, self._camera.camera_controls)
            configuration = self._camera.create_video_configuration(
                **options, controls={**timing, **taken}
            )
            self._camera.configure(configuration)
            if options["lores"] is not None:
                # What it was asked for, rounded as the hardware needs it.
                width, height = self._camera.stream_configuration("lores")["size"]
                self._small_size = int(width), int(height)
            self._camera.start()
        except Exception:
            self._camera.close()
            raise

    def read(self) -> Any:
        """Return the next picture, (H, W, 3) uint8 BGR, or a pair of them; raises when late."""
        request = self._camera.capture_request(wait=_WAIT)
        try:
            # Both from one request: both of one moment.  Copies, for the buffers go back.
            image = request.make_array("main")
            yuv = request.make_array("lores") if self._small_size is not None else None
        finally:
            # There are six buffers; a camera that gets none back stops.
            request.release()
        if self._small_size is None:
            return image
        return Pair(image, small_picture(yuv, self._small_size))

    def close(self) -> None:
        # A read that ran out of time still waits in picamera2's queue, and stopping would queue
        # up behind it for ever.  Older releases cannot cancel.
        cancel = getattr(self._camera, "cancel_all_and_flush", None)
        if cancel is not None:
            cancel()
        self._camera.stop()
        self._camera.close()


def small_picture(yuv: Any, size: tuple[int, int]) -> Any:
    """Return *yuv*, planar YUV 4:2:0, as BGR: (H, W, 3) uint8 for *size* = (W, H).

    *yuv* is (1.5 x rows, stride) uint8; what its rows have beyond the width is padding.  Where
    it does not hold *size* the picture comes out as large as it is, and what is no such array
    comes back as it is: the camera's health has names for both.
    """
    if not _is_planar(yuv):
        return yuv
    width, height = size
    rows, columns = yuv.shape[0] * 2 // 3, yuv.shape[1]
    picture: npt.NDArray[np.uint8] = np.asarray(
        cv2.cvtColor(yuv, cv2.COLOR_YUV2BGR_I420), np.uint8
    )
    if rows == height and columns > width:
        return np.ascontiguousarray(picture[:, :width])
    return picture


def _is_planar(yuv: Any) -> bool:
    return (
        isinstance(yuv, np.ndarray)
        and yuv.dtype == np.uint8
        and yuv.ndim == 2
        and yuv.shape[0] % 3 == 0
        and yuv.shape[1] % 2 == 0
        and yuv.size > 0
    )


def small_size(size: tuple[int, int], pixels: int) -> tuple[int, int] | None:
    """Return the (width, height) at which a detector of *pixels* looks at pictures of *size*.

    None where that is no smaller.  Even numbers, as YUV 4:2:0 needs them.
    """
    from edge.vision.letterbox import fitted_size, input_shape

    width, height = fitted_size(size, *input_shape(*size, pixels))
    if width >= size[0] or height >= size[1]:
        return None
    return width + width % 2, height + height % 2


def lores_size(text: str, size: tuple[int, int], pixels: int) -> tuple[int, int] | None:
    """Return the small picture's (width, height) that the option ``lores`` asks for.

    ``auto`` is :func:`small_size`, ``none`` None.  Raises ValueError for what is unfit.
    """
    if text.lower() == "auto":
        return small_size(size, pixels)
    if text.lower() == "none":
        return None
    width, height = picture_size(text)
    if width % 2 or height % 2 or not same_scene(size, (width, height)):
        raise ValueError(text)
    return width, height
