"""What goes into the child processes and comes out of them, as plain values.

Never pickled: a child that a hostile file has taken over can say wrong things, not do them.
Pixels travel as raw RGB, so that the page's process decodes no picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import msgspec

from edge.errors import SourceError

Box = tuple[float, float, float, float]
Probabilities = tuple[float, float, float]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pixels:
    """A picture of *width* x *height*, its *rgb* bytes row by row."""

    width: int
    height: int
    rgb: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """A picture or clip to look at: *data* are its bytes, or *demo* names a built-in scene.

    *detector* and *classifier* are paths of model files, "" for the released ones.
    """

    data: bytes = b""
    demo: str = ""
    detector: str = ""
    classifier: str = ""


@dataclass(frozen=True, slots=True)
class SeenFace:
    """A face: *box* in pixels of what is shown, the detector's *score*, the three labels'
    *probabilities*, and the *crop* that the classifier was given."""

    box: Box
    score: float
    probabilities: Probabilities
    crop: Pixels


@dataclass(frozen=True, slots=True)
class SeenPicture:
    """A picture of *size* pixels as it is *shown*, its *faces*, and the networks' times in ms."""

    size: tuple[int, int]
    shown: Pixels
    faces: tuple[SeenFace, ...]
    detector_ms: float
    classifier_ms: float


@dataclass(frozen=True, slots=True)
class Sight:
    """Person number *person* in frame number *frame*, at *time* seconds.

    *lack* says why the look is no evidence, *probabilities* are there where it is.
    """

    person: int
    frame: int
    time: float
    box: Box
    score: float
    lack: str = ""
    probabilities: Probabilities | None = None


@dataclass(frozen=True, slots=True)
class SeenClip:
    """A clip as it was watched: its *frames* as JPEG of *size*, their *times* in seconds, who
    was seen, and the best *crops* by person.  *priors* belong to the classifier; *remarks* are
    for the visitor."""

    size: tuple[int, int]
    frames: tuple[bytes, ...]
    times: tuple[float, ...]
    sights: tuple[Sight, ...]
    crops: dict[int, Pixels]
    priors: Probabilities
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Drawn:
    """A person as drawn in one frame; see ``edge.report.overlay.PersonView``."""

    person: int
    box: Box
    verdict: str
    confidence: float
    evidence: float
    lack: str = ""


@dataclass(frozen=True, slots=True)
class FilmAsked:
    """Frames (JPEG) with who is drawn on each and the gate's state, to become a film.

    *folder* is a folder of the caller's for the encoder, which writes nowhere else.
    """

    frames: tuple[bytes, ...]
    drawn: tuple[tuple[Drawn, ...], ...]
    states: tuple[str, ...]
    frames_per_second: float
    folder: str


@dataclass(frozen=True, slots=True)
class CropsAsked:
    """Faces in *files* with their *boxes*, to be cut out *side* pixels large."""

    files: tuple[str, ...]
    boxes: tuple[Box, ...]
    side: int = 160


@dataclass(frozen=True, slots=True)
class Crops:
    """The faces that were asked for; None where the picture is broken."""

    crops: tuple[Pixels | None, ...]


def packed(message: object) -> bytes:
    """Return *message*, a value of this module, as bytes."""
    return msgspec.msgpack.encode(message)


def unpacked(content: bytes, kind: type[T]) -> T:
    """Return the value of *kind* in *content*.

    Raises SourceError when it is none, which only a child that went astray can bring about.
    """
    try:
        return msgspec.msgpack.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise SourceError(f"the child process answered nonsense ({error})") from error


def whole(pixels: Pixels) -> Pixels:
    """Return *pixels*, or raise SourceError where they are not as many as they claim."""
    if len(pixels.rgb) != pixels.width * pixels.height * 3 or not pixels.rgb:
        raise SourceError("the child process answered with half a picture")
    return pixels
