"""Pictures with a known number of faces, without a photograph of anybody's customers.

The demo's portrait stands in a grid before the demo's shop door.  Where scikit-image, which
ships the portrait, is not installed, faces are painted and the detector's answer scripted: the
network does the same work, and only the decoding of so many boxes is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from edge.camera.backdrop import draw_backdrop
from edge.camera.frame import Frame
from edge.errors import SourceError
from edge.vision.crop import Image, resized
from edge.vision.detector import Faces
from edge.vision.letterbox import fitted_size, input_shape
from edge.watch import Detector

SceneKind = Literal["portrait", "painted"]
MOST_FACES = 8
# Two rows of four; a face is 60 of 480 pixels high, someone about 2 m away.
_COLUMNS, _ROWS = 4, 2
_FACE_SHARE = 0.125
# The head and shoulders of the standing person are this much taller than the face.
_BUST = 2.3
_SWAY = 0.006
# Few pictures: on a board of 512 MiB they would crowd out what is measured.
_STEPS = 8


@dataclass(frozen=True, slots=True)
class Scene:
    """Frames that repeat for ever: *pictures* (H, W, 3) uint8, and where the faces are in them.

    *boxes* holds (faces, 4) float32 in pixels for each picture.  *small* are the same pictures
    with fewer pixels, as a camera's hardware gives them; empty for a camera that does not.
    """

    kind: SceneKind
    faces: int
    pictures: tuple[Image, ...]
    boxes: tuple[npt.NDArray[np.float32], ...]
    small: tuple[Image, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """The (width, height) of the pictures in pixels."""
        height, width = self.pictures[0].shape[:2]
        return width, height


class ScriptedDetector:
    """Lets *detector* work on each picture, and answers with the painted faces all the same."""

    def __init__(self, detector: Detector, scene: Scene) -> None:
        self._detector = detector
        self._boxes = scene.boxes
        self._next = 0

    def detect(self, image: Image, small: Image | None = None) -> Faces:
        """Return the faces painted in *image*, the next of the scene's pictures."""
        self._detector.detect(image, small)
        boxes = self._boxes[self._next % len(self._boxes)]
        self._next += 1
        return Faces(boxes, np.full(len(boxes), 0.95, np.float32), _landmarks(boxes))


class SceneSource:
    """*scene* as a source that never ends: frame n is stamped n / 30 s.

    Every frame is a copy, as a camera's is, so that no cache knows it.
    """

    name = "bench"
    live = False
    frames_per_second: float | None = 30.0

    def __init__(self, scene: Scene) -> None:
        self._pictures = scene.pictures
        self._small = scene.small
        self._next = 0

    def read(self, timeout: float) -> Frame | None:
        """Return the next frame at once."""
        del timeout
        number = self._next
        self._next += 1
        place = number % len(self._pictures)
        small = self._small[place].copy() if self._small else None
        return Frame(self._pictures[place].copy(), number / 30, number, small=small)

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""


def make_scene(faces: int, size: tuple[int, int] = (640, 480), steps: int = _STEPS) -> Scene:
    """Return a scene of *faces* (0 to 8) people in pictures of *size* = (width, height).

    Every second one wears a mask.  They sway a little, so that the tracker has work to do.
    """
    backdrop = draw_backdrop(size, np.random.default_rng(0))
    try:
        busts = _portrait_busts(size[1]) if faces else []
        kind: SceneKind = "portrait"
    except SourceError:
        busts, kind = _painted_busts(size[1]), "painted"
    pictures, boxes = [], []
    for step in range(steps):
        picture = backdrop.copy()
        places = [_place(number, step / steps, size, busts) for number in range(faces)]
        for number, (left, top) in enumerate(places):
            _paste(picture, busts[number % 2].image, left, top)
        pictures.append(picture)
        found = [busts[n % 2].face + np.tile(place, 2) for n, place in enumerate(places)]
        boxes.append(np.asarray(found, np.float32).reshape(-1, 4))
    return Scene(kind, faces, tuple(pictures), tuple(boxes))


def with_small(scene: Scene, pixels: int) -> Scene:
    """Return *scene* from a camera that also gives a picture of at most *pixels* pixels."""
    across, down = input_shape(*scene.size, pixels)
    width, height = fitted_size(scene.size, across, down)
    return replace(scene, small=tuple(resized(one, width, height) for one in scene.pictures))


@dataclass(frozen=True, slots=True)
class _Bust:
    """A head with shoulders, (H, W, 4) uint8 premultiplied BGRA, and the *face* box in it."""

    image: Image
    face: npt.NDArray[np.float32]


def _portrait_busts(height: int) -> list[_Bust]:
    from edge.camera.portrait import FACE_BOX, sprites

    scale = _FACE_SHARE * height / float(FACE_BOX[3] - FACE_BOX[1])
    busts = []
    for sprite in sprites(("bare", "mask")).values():
        upper = sprite[: round(_BUST * float(FACE_BOX[3])) // 2 * 2, :512]
        left, right = 110, 345
        cut = np.ascontiguousarray(upper[: int(FACE_BOX[3]) + 60, left:right])
        small = cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        face = (FACE_BOX - np.array([left, 0, left, 0], np.float32)) * np.float32(scale)
        busts.append(_Bust(np.asarray(small, np.uint8), np.asarray(face, np.float32)))
    return busts


def _painted_busts(height: int) -> list[_Bust]:
    side = round(_FACE_SHARE * height)
    rng = np.random.default_rng(1)
    busts = []
    for mask in (False, True):
        image = np.zeros((round(1.3 * side), round(1.2 * side), 4), np.uint8)
        middle = (image.shape[1] // 2, image.shape[0] // 2)
        cv2.ellipse(image, middle, (side // 2, round(0.6 * side)), 0, 0, 360,
                    (130, 160, 205, 255), -1)
        for offset in (-side // 5, side // 5):
            cv2.circle(image, (middle[0] + offset, middle[1] - side // 8), max(2, side // 14),
                       (40, 40, 50, 255), -1)
        mouth = (middle[0] - side // 4, middle[1] + side // 6)
        end = (middle[0] + side // 4, middle[1] + side // 3)
        cv2.rectangle(image, mouth, end, (230, 200, 150, 255) if mask else (80, 80, 170, 255), -1)
        # Skin has pores; a face without any detail would be refused as blurred.
        grain = rng.integers(-12, 13, (*image.shape[:2], 1))
        shown = np.clip(image[:, :, :3].astype(np.int16) + grain, 0, 255)
        image[:, :, :3] = np.where(image[:, :, 3:] > 0, shown, 0).astype(np.uint8)
        face = np.array([middle[0] - side / 2, middle[1] - 0.6 * side,
                         middle[0] + side / 2, middle[1] + 0.6 * side], np.float32)
        busts.append(_Bust(image, face))
    return busts


def _place(
    number: int, share: float, size: tuple[int, int], busts: list[_Bust]
) -> tuple[int, int]:
    """Return the left and top of person *number* at *share* (0 to 1) of the sway."""
    width, height = size
    bust = busts[number % 2].image
    column, row = number % _COLUMNS, number // _COLUMNS
    sway = _SWAY * width
    phase = 2 * np.pi * share + number
    x = (column + 0.5) * width / _COLUMNS - bust.shape[1] / 2 + sway * np.sin(phase)
    y = (row + 0.5) * height / _ROWS - bust.shape[0] / 2 + sway * np.cos(phase) / 2
    low_x, low_y = 2, 2
    high_x, high_y = width - bust.shape[1] - 2, height - bust.shape[0] - 2
    return round(min(max(x, low_x), high_x)), round(min(max(y, low_y), high_y))


def _paste(picture: Image, bust: Image, left: int, top: int) -> None:
    height, width = bust.shape[:2]
    under = picture[top : top + height, left : left + width]
    rest = (255 - bust[:, :, 3:].astype(np.uint16)) * under // 255
    picture[top : top + height, left : left + width] = np.minimum(rest + bust[:, :, :3], 255)


def _landmarks(boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return where eyes, nose and mouth are in a frontal face: (N, 5, 2) for *boxes* (N, 4)."""
    shares = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.78], [0.65, 0.78]], np.float32)
    sides = (boxes[:, 2:] - boxes[:, :2])[:, None, :]
    return np.asarray(boxes[:, None, :2] + shares * sides, np.float32)
