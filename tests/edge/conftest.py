"""Painted people, networks that see paint, and pins that remember."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import gpiozero
import numpy as np
import pytest
from gpiozero.pins.mock import MockFactory

from edge.camera.frame import Frame
from edge.vision.detector import Faces

# A person is a square of one of these colours, B, G, R, on grey.
COLORS = {"mask": (220, 60, 0), "no_mask": (0, 0, 220), "incorrect": (0, 210, 230)}


def paint(*people: tuple[str, int, int, int], size: tuple[int, int] = (320, 240)) -> np.ndarray:
    """Return a picture of *people*: verdict, left, top and side of each."""
    image = np.full((size[1], size[0], 3), 90, np.uint8)
    for verdict, left, top, side in people:
        image[top : top + side, left : left + side] = COLORS[verdict]
    return image


class PaintDetector:
    """Finds the colourful squares, each with *score*."""

    def __init__(self, score: float = 0.9) -> None:
        self.score = score

    def detect(self, image: np.ndarray) -> Faces:
        colourful = image.max(axis=2).astype(int) - image.min(axis=2) > 80
        count, _, stats, _ = cv2.connectedComponentsWithStats(colourful.astype(np.uint8))
        found = [s for s in stats[1:count] if s[cv2.CC_STAT_AREA] > 60]
        boxes = np.array([[x, y, x + w, y + h] for x, y, w, h, _ in found], np.float32)
        scores = np.full(len(found), self.score, np.float32)
        return Faces(boxes.reshape(-1, 4), scores, np.zeros((len(found), 5, 2), np.float32))


class PaintClassifier:
    """Says which colour a square has, *sure* of it; counts the faces it was asked about."""

    def __init__(self, sure: float = 0.98) -> None:
        self.sure = sure
        self.asked = 0
        self.runtime = "paint"

    def probabilities(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        self.asked += len(boxes)
        answers = np.full((len(boxes), 3), (1 - self.sure) / 2, np.float32)
        for row, (x0, y0, x1, y1) in enumerate(boxes):
            middle = image[int((y0 + y1) / 2), int((x0 + x1) / 2)].astype(int)
            far = [np.abs(middle - color).sum() for color in COLORS.values()]
            answers[row, int(np.argmin(far))] = self.sure
        return answers


@dataclass
class ListSource:
    """Gives *pictures* one after another; an exception among them is raised."""

    pictures: list
    frames_per_second: float = 30.0
    name: str = "list"
    live: bool = False
    closed: bool = False
    given: int = 0

    def read(self, timeout: float) -> Frame | None:
        if self.given >= len(self.pictures):
            return None
        picture = self.pictures[self.given]
        if isinstance(picture, BaseException):
            raise picture
        frame = Frame(picture, 100 + self.given / self.frames_per_second, self.given)
        self.given += 1
        return frame

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def painted() -> Callable[..., np.ndarray]:
    return paint


@pytest.fixture
def detector() -> PaintDetector:
    return PaintDetector()


@pytest.fixture
def classifier() -> PaintClassifier:
    return PaintClassifier()


@pytest.fixture
def source_of() -> type[ListSource]:
    return ListSource


@pytest.fixture
def mock_pins() -> Iterator[MockFactory]:
    """gpiozero's mock pins as its default, and what was there before put back."""
    before = gpiozero.Device.pin_factory
    gpiozero.Device.pin_factory = MockFactory()
    try:
        yield gpiozero.Device.pin_factory
    finally:
        gpiozero.Device.pin_factory.reset()
        gpiozero.Device.pin_factory = before


@pytest.fixture
def write_film(tmp_path) -> Callable[..., str]:
    """Write pictures to a small video file and return its path."""

    def write(pictures: list[np.ndarray], fps: float = 25.0, name: str = "film.avi") -> str:
        path = str(tmp_path / name)
        height, width = pictures[0].shape[:2]
        writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), fps, (width, height))
        for picture in pictures:
            writer.write(picture)
        writer.release()
        return path

    return write
