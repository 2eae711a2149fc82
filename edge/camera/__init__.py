"""From a text that names a source to frames: cameras, files, folders and the built-in scene."""

from __future__ import annotations

from edge.camera.frame import Frame, Source, remarks_of
from edge.camera.uri import (
    SourceUri,
    between,
    only_options,
    option,
    parse_uri,
    picture_size,
)

__all__ = ["Frame", "Source", "open_source", "remarks_of"]

_FPS = between(1, 240)
_FPS_HINT = "frames per second, 1 to 240"
_SIZE_HINT = "WIDTHxHEIGHT in pixels, as in 1280x720"


def open_source(uri: str) -> Source:
    """Return the source that *uri* names, opened and ready to read.

    A path, ``file:PATH``      a picture (shown as if someone stood still before the camera)
                               or a video
    ``folder:PATH``            pictures in natural order, each a scene of its own for
                               ``hold`` seconds; with ``?fps=25`` they are one film
    ``v4l2:///dev/video0``     a camera through OpenCV; ``0`` alone means the same;
                               options ``size=1280x720`` and ``fps=30``
    ``demo:``                  the built-in scene; options ``size``, ``fps``, ``seed`` and
                               ``scenes=bare,mask,under_nose``

    Raises UsageError for an unknown scheme or option, SourceError for what cannot be opened.
    """
    parts = parse_uri(uri)
    return {"file": _file, "folder": _folder, "v4l2": _camera, "demo": _demo}[parts.scheme](parts)


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


def _camera(uri: SourceUri) -> Source:
    from edge.camera.v4l2 import open_camera

    only_options(uri, "size", "fps")
    size = option(uri, "size", picture_size, (0, 0), _SIZE_HINT)
    fps = option(uri, "fps", _FPS, 0.0, _FPS_HINT)
    return open_camera(uri.target or "/dev/video0", size=size if size[0] else None, fps=fps or None)


def _demo(uri: SourceUri) -> Source:
    from edge.camera.demo import DemoSource

    only_options(uri, "size", "fps", "seed", "scenes")
    scenes = option(uri, "scenes", str, "bare,mask", "words such as bare,mask,under_nose")
    return DemoSource(
        size=option(uri, "size", picture_size, (640, 480), _SIZE_HINT),
        frames_per_second=option(uri, "fps", _FPS, 30.0, _FPS_HINT),
        seed=option(uri, "seed", _seed, 0, "a whole number, 0 or more"),
        scenes=tuple(scenes.split(",")),
    )


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError(text)
    return int(text)
