"""From an address to a source: the options of each scheme, and how they are read.

Each opener imports its own module: a device without a camera library, or a program that only
reads files, never loads what it does not use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from edge.camera.frame import Source
from edge.camera.plugins import Wish
from edge.camera.uri import (
    SourceUri,
    between,
    camera_number,
    only_options,
    option,
    picture_size,
    truth,
    whole,
)

_FPS = between(1, 240)
_FPS_HINT = "frames per second, 1 to 240"
_SIZE_HINT = "WIDTHxHEIGHT in pixels, as in 1280x720"
_YES_NO = "1 or 0"


@dataclass(frozen=True, slots=True)
class ReadingOpener:
    """An opener that first reads the whole address, and can do just that.

    *read* returns what opens the source; it raises UsageError for what no camera would make right.
    """

    read: Callable[[SourceUri, Wish], Callable[[], Source]]

    def __call__(self, uri: SourceUri, wish: Wish) -> Source:
        """Open the source that *uri* names."""
        return self.read(uri, wish)()

    def check(self, uri: SourceUri) -> None:
        """Raise UsageError for what is wrong with *uri* itself; nothing is opened."""
        self.read(uri, Wish())


@ReadingOpener
def file(uri: SourceUri, wish: Wish) -> Callable[[], Source]:
    """Open a picture or a video."""
    del wish
    from edge.camera.files import open_file

    only_options(uri, "hold")
    hold = option(uri, "hold", between(0, 3600), 1.5, "seconds, 0 to 3600")
    return partial(open_file, uri.target, hold=hold)


@ReadingOpener
def folder(uri: SourceUri, wish: Wish) -> Callable[[], Source]:
    """Open a folder of pictures."""
    del wish
    from edge.camera.folder import FolderSource

    only_options(uri, "fps", "hold")
    fps = option(uri, "fps", _FPS, 0.0, _FPS_HINT)
    hold = option(uri, "hold", between(0, 3600), 1.5, "seconds, 0 to 3600")
    return partial(FolderSource, uri.target, film_fps=fps or None, hold=hold)


@ReadingOpener
def demo(uri: SourceUri, wish: Wish) -> Callable[[], Source]:
    """Open the built-in scene."""
    del wish
    from edge.camera.demo import DemoSource, check_demo

    only_options(uri, "size", "fps", "seed", "scenes")
    words = option(uri, "scenes", str, "bare,mask", "words such as bare,mask,under_nose")
    size = option(uri, "size", picture_size, (640, 480), _SIZE_HINT)
    fps = option(uri, "fps", _FPS, 30.0, _FPS_HINT)
    seed = option(uri, "seed", whole(0, 2**63 - 1), 0, "a whole number, 0 or more")
    scenes = tuple(words.split(","))
    check_demo(size, fps, scenes)
    return partial(
        DemoSource, size=size, frames_per_second=fps, seed=seed, scenes=scenes
    )


@ReadingOpener
def v4l2(uri: SourceUri, wish: Wish) -> Callable[[], Source]:
    """Open a camera with a /dev/video node."""
    from edge.camera.v4l2 import FOURCC_HINT, four_characters, v4l2_source

    only_options(uri, "size", "fps", "fourcc")
    size = option(uri, "size", picture_size, (0, 0), _SIZE_HINT)
    fps = option(uri, "fps", _FPS, 0.0, _FPS_HINT)
    return partial(
        v4l2_source,
        uri.target or "/dev/video0",
        size=size if size[0] else None,
        fps=fps or None,
        fourcc=option(uri, "fourcc", four_characters, "", FOURCC_HINT),
        patient=wish.patient,
    )


@ReadingOpener
def picamera2(uri: SourceUri, wish: Wish) -> Callable[[], Source]:
    """Open a Raspberry Pi's camera."""
    from edge.camera.pi import LORES_HINT, lores_size, picamera2_source, small_size
    from edge.camera.pi_controls import OPTIONS, read_controls

    only_options(uri, "size", "lores", "fps", "hflip", "vflip", *OPTIONS)
    size = option(uri, "size", picture_size, (1280, 720), _SIZE_HINT)
    fps = option(uri, "fps", _FPS, 30.0, _FPS_HINT)
    pixels = wish.small_pixels
    lores = option(
        uri, "lores", lambda text: lores_size(text, size, pixels), small_size(size, pixels),
        LORES_HINT,
    )
    return partial(
        picamera2_source,
        camera_number(uri),
        size=size,
        lores=lores,
        fps=fps,
        hflip=option(uri, "hflip", truth, False, _YES_NO),
        vflip=option(uri, "vflip", truth, False, _YES_NO),
        controls=read_controls(uri, fps),
        patient=wish.patient,
    )


@ReadingOpener
def csi(uri: SourceUri, wish: Wish) -> Callable[[], Source]:
    """Open a Jetson's camera."""
    from edge.camera.csi import csi_source

    only_options(uri, "size", "fps", "flip")
    return partial(
        csi_source,
        camera_number(uri),
        size=option(uri, "size", picture_size, (1280, 720), _SIZE_HINT),
        fps=option(uri, "fps", _FPS, 30.0, _FPS_HINT),
        flip=option(uri, "flip", whole(0, 7), 0, "nvvidconv's flip-method, 0 to 7"),
        patient=wish.patient,
    )


@ReadingOpener
def rtsp(uri: SourceUri, wish: Wish) -> Callable[[], Source]:
    """Open a network camera."""
    from edge.camera.rtsp import rtsp_source, shown_url

    shown_url(uri.target)
    return partial(rtsp_source, uri.target, patient=wish.patient)


@ReadingOpener
def faulty(uri: SourceUri, wish: Wish) -> Callable[[], Source]:
    """Open a camera that fails by a script."""
    from edge.camera import open_source
    from edge.camera.scripted import SCRIPT_HINT, TOUR, faulty_source, parse_script

    only_options(uri, "script")
    script = option(uri, "script", parse_script, TOUR, SCRIPT_HINT)
    inner = "demo:" if uri.target in ("", "demo", "demo:") else uri.target
    return partial(
        faulty_source, uri.text, lambda: open_source(inner), script, patient=wish.patient
    )
