"""From a text that names a source to frames: cameras, files, folders and the built-in scene."""

from __future__ import annotations

from edge.camera.fault import Fault
from edge.camera.frame import Frame, Source, remarks_of
from edge.camera.uri import (
    SourceUri,
    between,
    camera_number,
    only_options,
    option,
    parse_uri,
    picture_size,
    truth,
    whole,
)

__all__ = ["Fault", "Frame", "Source", "open_source", "remarks_of"]

_FPS = between(1, 240)
_FPS_HINT = "frames per second, 1 to 240"
_SIZE_HINT = "WIDTHxHEIGHT in pixels, as in 1280x720"
_YES_NO = "1 or 0"


def open_source(uri: str, *, patient: bool = False) -> Source:
    """Return the source that *uri* names, opened and ready to read.

    A path, ``file:PATH``      a picture (shown as if someone stood still before the camera)
                               or a video
    ``folder:PATH``            pictures in natural order, each a scene of its own for
                               ``hold`` seconds; with ``?fps=25`` they are one film
    ``v4l2:///dev/video0``     a camera through OpenCV; ``0`` alone means the same;
                               options ``size=1280x720`` and ``fps=30``
    ``picamera2://0``          a Raspberry Pi's camera; options ``size``, ``fps``, ``hflip=1``
                               and ``vflip=1``
    ``csi://0``                a Jetson's camera; options ``size``, ``fps`` and ``flip=2``
    ``rtsp://HOST/PATH``       a network camera; the whole URL goes to it as it stands
    ``demo:``                  the built-in scene; options ``size``, ``fps``, ``seed`` and
                               ``scenes=bare,mask,under_nose``
    ``faulty:demo``            the built-in scene, or the pictures or the video at a path, from
                               a camera that fails as ``script=picture:5,hang:8`` says

    A camera that is not there at the start is waited for if *patient*; otherwise it is most
    likely a mistyped name.  Raises UsageError for an unknown scheme or option, SourceError for
    what cannot be opened, and, patient or not, where the software that a camera needs is
    missing.
    """
    parts = parse_uri(uri)
    if parts.scheme in ("file", "folder", "demo"):
        return {"file": _file, "folder": _folder, "demo": _demo}[parts.scheme](parts)
    openers = {
        "v4l2": _v4l2, "picamera2": _picamera2, "csi": _csi, "rtsp": _rtsp, "faulty": _faulty,
    }
    return openers[parts.scheme](parts, patient)


# Each opener imports its own module: a device without a camera library, or a program that
# only reads files, never loads what it does not use.
def _file(uri: SourceUri) -> Source:
    from edge.camera.files import open_file

    only_options(uri, "hold")
    hold = option(uri, "hold", between(0, 3600), 1.5, "seconds, 0 to 3600")
    return open_file(uri.target, hold=hold)


def _folder(uri: SourceUri) -> Source:
    from edge.camera.folder import FolderSource

    only_options(uri, "fps", "hold")
    fps = option(uri, "fps", _FPS, 0.0, _FPS_HINT)
    hold = option(uri, "hold", between(0, 3600), 1.5, "seconds, 0 to 3600")
    return FolderSource(uri.target, film_fps=fps or None, hold=hold)


def _v4l2(uri: SourceUri, patient: bool) -> Source:
    from edge.camera.v4l2 import v4l2_source

    only_options(uri, "size", "fps")
    size = option(uri, "size", picture_size, (0, 0), _SIZE_HINT)
    fps = option(uri, "fps", _FPS, 0.0, _FPS_HINT)
    return v4l2_source(
        uri.target or "/dev/video0",
        size=size if size[0] else None,
        fps=fps or None,
        patient=patient,
    )


def _picamera2(uri: SourceUri, patient: bool) -> Source:
    from edge.camera.pi import picamera2_source

    only_options(uri, "size", "fps", "hflip", "vflip")
    return picamera2_source(
        camera_number(uri),
        size=option(uri, "size", picture_size, (1280, 720), _SIZE_HINT),
        fps=option(uri, "fps", _FPS, 30.0, _FPS_HINT),
        hflip=option(uri, "hflip", truth, False, _YES_NO),
        vflip=option(uri, "vflip", truth, False, _YES_NO),
        patient=patient,
    )


def _csi(uri: SourceUri, patient: bool) -> Source:
    from edge.camera.csi import csi_source

    only_options(uri, "size", "fps", "flip")
    return csi_source(
        camera_number(uri),
        size=option(uri, "size", picture_size, (1280, 720), _SIZE_HINT),
        fps=option(uri, "fps", _FPS, 30.0, _FPS_HINT),
        flip=option(uri, "flip", whole(0, 7), 0, "nvvidconv's flip-method, 0 to 7"),
        patient=patient,
    )


def _rtsp(uri: SourceUri, patient: bool) -> Source:
    from edge.camera.rtsp import rtsp_source

    return rtsp_source(uri.target, patient=patient)


def _faulty(uri: SourceUri, patient: bool) -> Source:
    from edge.camera.scripted import SCRIPT_HINT, TOUR, faulty_source, parse_script

    only_options(uri, "script")
    script = option(uri, "script", parse_script, TOUR, SCRIPT_HINT)
    inner = "demo:" if uri.target in ("", "demo", "demo:") else uri.target
    return faulty_source(uri.text, lambda: open_source(inner), script, patient=patient)


def _demo(uri: SourceUri) -> Source:
    from edge.camera.demo import DemoSource

    only_options(uri, "size", "fps", "seed", "scenes")
    scenes = option(uri, "scenes", str, "bare,mask", "words such as bare,mask,under_nose")
    return DemoSource(
        size=option(uri, "size", picture_size, (640, 480), _SIZE_HINT),
        frames_per_second=option(uri, "fps", _FPS, 30.0, _FPS_HINT),
        seed=option(uri, "seed", whole(0, 2**63 - 1), 0, "a whole number, 0 or more"),
        scenes=tuple(scenes.split(",")),
    )
