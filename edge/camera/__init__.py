"""From a text that names a source to frames: cameras, files, folders and the built-in scene."""

from __future__ import annotations

from edge.camera import openers
from edge.camera.fault import Fault
from edge.camera.frame import Frame, Source, remarks_of
from edge.camera.plugins import BUILT_IN, SMALL_PIXELS, Opener, Wish, opener
from edge.camera.uri import parse_uri

__all__ = ["Fault", "Frame", "Source", "check_source", "open_source", "remarks_of"]

# What is no hardware is not for other packages to add.
_NO_CAMERAS: dict[str, Opener] = {
    "file": openers.file, "folder": openers.folder, "demo": openers.demo,
}


def open_source(
    uri: str, *, patient: bool = False, small_pixels: int = SMALL_PIXELS
) -> Source:
    """Return the source that *uri* names, opened and ready to read.

    A path, ``file:PATH``      a picture (shown as if someone stood still before the camera)
                               or a video
    ``folder:PATH``            pictures in natural order, each a scene of its own for
                               ``hold`` seconds; with ``?fps=25`` they are one film
    ``v4l2:///dev/video0``     a camera through OpenCV; ``0`` alone means the same;
                               options ``size=1280x720``, ``fps=30`` and ``fourcc=MJPG``
    ``picamera2://0``          a Raspberry Pi's camera; options ``size``, ``lores``, ``fps``,
                               ``hflip=1``, ``vflip=1``, ``exposure``, ``gain``, ``ev``,
                               ``metering``, ``awb``, ``hdr``, ``af`` and ``lens``
    ``csi://0``                a Jetson's camera; options ``size``, ``fps`` and ``flip=2``
    ``rtsp://HOST/PATH``       a network camera; the whole URL goes to it as it stands
    ``demo:``                  the built-in scene; options ``size``, ``fps``, ``seed`` and
                               ``scenes=bare,mask,under_nose``
    ``faulty:demo``            the built-in scene, or the pictures or the video at a path, from
                               a camera that fails as ``script=picture:5,hang:8`` says

    Other packages may add schemes of cameras; see :mod:`edge.camera.plugins`.

    A camera that is not there at the start is waited for if *patient*; otherwise it is most
    likely a mistyped name.  *small_pixels* is how many pixels the face detector takes: a camera
    whose hardware can scale gives a second picture of at most so many.  Raises UsageError for
    an unknown scheme or option, SourceError for what cannot be opened, and, patient or not,
    where the software that a camera needs is missing.
    """
    parts = parse_uri(uri)
    opens = _NO_CAMERAS.get(parts.scheme) or opener(parts.scheme)
    return opens(parts, Wish(patient, small_pixels))


def check_source(uri: str) -> None:
    """Raise UsageError for what is wrong with *uri* itself, without opening anything.

    What another package's camera allows is known only when it is opened.  Raises SourceError for
    a path in a folder that may not be entered.
    """
    parts = parse_uri(uri)
    opens = _NO_CAMERAS.get(parts.scheme)
    if opens is None and parts.scheme in BUILT_IN:
        opens = opener(parts.scheme)
    if isinstance(opens, openers.ReadingOpener):
        opens.check(parts)
