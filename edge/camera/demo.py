"""The embedded default source: a person walks up to a shop's counter, bare-faced, then masked.

Every frame is a function of its number and the seed, so a test can ask the scene what is true
at a time and compare it with what the networks said.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.camera.backdrop import DOORWAY, draw_backdrop
from edge.camera.frame import Frame
from edge.camera.portrait import FACE_BOX, SCENES, sprites
from edge.errors import UsageError
from edge.vision.crop import Image

NOBODY = "nobody"

# One visit, in seconds since it began, and where the person is then: metres from the camera
# and metres to its right.  The doorway stands at _DOOR; behind it only the opening shows.
_TIMES = (0.0, 0.9, 3.4, 4.5, 5.4)
_DISTANCES = (3.30, 3.05, 0.84, 0.82, 0.90)
_SIDEWAYS = (-1.30, -0.05, 0.03, 0.02, 1.05)
_DOOR = 3.0
_VISIT = 5.4
_PAUSE = 1.5
_OPENING = 0.8
_STANDS = (3.4, 4.5)
# The portrait's face is 0.15 m wide, and a common webcam sees about 53 degrees, so its focal
# length equals the picture's width: 5 % of the width at 3 m, 19 % at 0.8 m.
_FACE_WIDTH = 0.15
_EYE_LEVEL = 0.45
_STEPS_PER_SECOND = 1.9
_NOISE_MIDDLE = 24


@dataclass(frozen=True, slots=True)
class DemoTruth:
    """What the demo shows at a time.

    ``state`` is "nobody" or the scene ("bare", "mask", "under_nose"); ``box`` (4,) float32 is
    the face's box in pixels, inside the picture, and None when there is nobody.
    """

    state: str
    box: npt.NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class _Pose:
    scene: str
    distance: float
    scale: float
    matrix: npt.NDArray[np.float64]
    behind_door: bool


class DemoSource:
    """A moving scene of one visit for each of *scenes*, made on the fly.

    *size* is (width, height) in pixels, each 64 to 4096; *scenes* are words from
    ``portrait.SCENES``; *seconds* ends the scene earlier or repeats it until then.  Time is
    virtual and starts at 0: frame n is stamped n / *frames_per_second*.

    Raises UsageError for a value outside these, SourceError when scikit-image is missing.
    """

    name = "demo:"
    live = False

    def __init__(
        self,
        size: tuple[int, int] = (640, 480),
        frames_per_second: float = 30.0,
        seed: int = 0,
        scenes: tuple[str, ...] = ("bare", "mask"),
        seconds: float | None = None,
    ) -> None:
        scenes = tuple(scenes)
        check_demo(size, frames_per_second, scenes, seconds)
        self.size = (int(size[0]), int(size[1]))
        self.frames_per_second: float | None = float(frames_per_second)
        self.scenes = scenes
        self.duration = programme_seconds(scenes) if seconds is None else float(seconds)
        self._rate = float(frames_per_second)
        self._seed = seed
        self._next = 0
        self._closed = False
        self._levels = {name: _pyramid(sprite) for name, sprite in sprites(scenes).items()}
        rng = np.random.default_rng(seed)
        self._backdrop = draw_backdrop(self.size, rng)
        # One sheet of grain, shown from a new corner each frame, costs less than new grain.
        sheet = rng.normal(_NOISE_MIDDLE, 2.2, (self.size[1] + 64, self.size[0] + 64, 3))
        self._grain = np.clip(np.round(sheet), 0, 255).astype(np.uint8)

    def read(self, timeout: float) -> Frame | None:
        """Return the next frame at once, or None after the last; *timeout* is never used up."""
        del timeout
        sequence = self._next
        timestamp = sequence / self._rate
        if self._closed or timestamp >= self.duration - 1e-9:
            return None
        self._next += 1
        return Frame(self.picture(sequence), timestamp, sequence)

    def close(self) -> None:
        """End the scene; the next read gives None."""
        self._closed = True

    def truth(self, timestamp: float) -> DemoTruth:
        """Return what is to be seen at *timestamp*, seconds since the start."""
        return demo_truth(timestamp, self.size, self.scenes)

    def picture(self, sequence: int) -> Image:
        """Return frame number *sequence*, (height, width, 3) uint8 BGR."""
        width, height = self.size
        timestamp = sequence / self._rate
        pose = _pose(timestamp, self.size, self.scenes)
        picture = self._backdrop.copy()
        if pose is not None:
            self._draw_person(picture, pose)
        rng = np.random.default_rng((self._seed, sequence))
        x, y = (int(v) for v in rng.integers(0, 64, 2))
        grain = self._grain[y : y + height, x : x + width]
        # Mains light and automatic exposure make every cheap camera breathe a little.
        gain = 1.0 + 0.012 * np.sin(2 * np.pi * 0.9 * timestamp) + 0.006 * float(rng.normal())
        flickering = cv2.addWeighted(picture, gain, grain, 1.0, -_NOISE_MIDDLE)
        return np.asarray(flickering, np.uint8)

    def _draw_person(self, picture: Image, pose: _Pose) -> None:
        levels = self._levels[pose.scene]
        level = 0
        while level + 1 < len(levels) and pose.scale * 2**level < 0.6:
            level += 1
        sprite = levels[level]
        matrix = pose.matrix.copy()
        matrix[:, :2] *= 2**level
        # Halved pictures have their pixels' middles between the old ones.
        matrix[:, 2] += matrix[:, :2] @ np.full(2, 0.5 - 0.5 / 2**level)
        window = _drawn_window(matrix, sprite.shape, self.size, pose.behind_door)
        if window is None:
            return
        x0, y0, x1, y1 = window
        matrix[:, 2] -= (x0, y0)
        layer = cv2.warpAffine(sprite, matrix, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)
        person = np.ascontiguousarray(layer[:, :, :3])
        # The lamp hangs near the counter, so people brighten as they come.
        light = 1.0 - 0.10 * (pose.distance - 0.8) / 2.5
        person = cv2.convertScaleAbs(person, alpha=light)
        rest = cv2.cvtColor(cv2.bitwise_not(layer[:, :, 3]), cv2.COLOR_GRAY2BGR)
        under = picture[y0:y1, x0:x1]
        picture[y0:y1, x0:x1] = cv2.add(cv2.multiply(under, rest, scale=1 / 255), person)


def programme_seconds(scenes: tuple[str, ...]) -> float:
    """Return how long one run through *scenes* takes: an empty opening, then visit and pause."""
    return _OPENING + len(scenes) * (_VISIT + _PAUSE)


def demo_truth(timestamp: float, size: tuple[int, int], scenes: tuple[str, ...]) -> DemoTruth:
    """Return what the demo of *scenes* shows at *timestamp* in a picture of *size*.

    A face counts once more than half of its box is inside the picture and the doorway.
    """
    pose = _pose(timestamp, size, scenes)
    if pose is None:
        return DemoTruth(NOBODY, None)
    x0, y0, x1, y1 = FACE_BOX
    corners = np.array([[x0, y0, 1], [x1, y0, 1], [x1, y1, 1], [x0, y1, 1]], np.float64)
    points = corners @ pose.matrix.T
    box = np.concatenate([points.min(0), points.max(0)])
    low, high = _view(size, pose.behind_door)
    seen = np.concatenate([np.clip(box[:2], low, high), np.clip(box[2:], low, high)])
    if np.prod(seen[2:] - seen[:2]) <= 0.5 * np.prod(box[2:] - box[:2]):
        return DemoTruth(NOBODY, None)
    return DemoTruth(pose.scene, seen.astype(np.float32))


def _pose(timestamp: float, size: tuple[int, int], scenes: tuple[str, ...]) -> _Pose | None:
    since = timestamp % programme_seconds(scenes) - _OPENING
    visit, within = divmod(since, _VISIT + _PAUSE)
    if since < 0 or visit >= len(scenes) or within >= _VISIT:
        return None
    distance = _smooth(within, _DISTANCES)
    sideways = _smooth(within, _SIDEWAYS)
    # Nobody's head is still while walking: up and down with each step, sideways with every two.
    walking = 1.0 if not _STANDS[0] < within < _STANDS[1] else 0.25
    step = 2 * np.pi * _STEPS_PER_SECOND * within
    sideways += 0.018 * walking * float(np.sin(step / 2))
    lift = 0.014 * walking * float(np.sin(step))
    roll = 0.030 * float(np.sin(step / 2 + 0.6)) * (0.4 + 0.6 * walking)

    width, height = size
    focal = float(width)
    scale = focal * _FACE_WIDTH / distance / float(FACE_BOX[2] - FACE_BOX[0])
    middle = (FACE_BOX[:2] + FACE_BOX[2:]) / 2
    place = np.array(
        [width / 2 + focal * sideways / distance, _EYE_LEVEL * height - focal * lift / distance]
    )
    cos, sin = scale * np.cos(roll), scale * np.sin(roll)
    turn = np.array([[cos, -sin], [sin, cos]])
    matrix = np.column_stack([turn, place - turn @ middle])
    return _Pose(scenes[int(visit)], distance, scale, matrix, distance > _DOOR)


def _smooth(within: float, stations: tuple[float, ...]) -> float:
    k = min(int(np.searchsorted(_TIMES, within, side="right")) - 1, len(_TIMES) - 2)
    share = (within - _TIMES[k]) / (_TIMES[k + 1] - _TIMES[k])
    # Half constant speed, half eased: people neither jump to a speed nor glide.
    eased = 0.5 * share + 0.5 * share * share * (3 - 2 * share)
    return stations[k] + (stations[k + 1] - stations[k]) * eased


def _view(
    size: tuple[int, int], behind_door: bool
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    whole = np.array(size, np.int64)
    if not behind_door:
        return np.zeros(2, np.int64), whole
    return (
        np.round(whole * np.array(DOORWAY[:2])).astype(np.int64),
        np.round(whole * np.array(DOORWAY[2:])).astype(np.int64),
    )


def _drawn_window(
    matrix: npt.NDArray[np.float64], sprite: tuple[int, ...], size: tuple[int, int], behind: bool
) -> tuple[int, int, int, int] | None:
    height, width = sprite[:2]
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], np.float64)
    points = corners @ matrix.T
    low, high = _view(size, behind)
    start = np.clip(np.floor(points.min(0)), low, high).astype(int)
    end = np.clip(np.ceil(points.max(0)), low, high).astype(int)
    if (end - start < 1).any():
        return None
    return int(start[0]), int(start[1]), int(end[0]), int(end[1])


def _pyramid(sprite: Image) -> list[Image]:
    levels = [sprite]
    for _ in range(3):
        last = levels[-1]
        half = (last.shape[1] // 2, last.shape[0] // 2)
        levels.append(np.asarray(cv2.resize(last, half, interpolation=cv2.INTER_AREA), np.uint8))
    return levels


def check_demo(
    size: tuple[int, int], rate: float, scenes: tuple[str, ...], seconds: float | None = None
) -> None:
    """Raise UsageError for what :class:`DemoSource` would not take."""
    if not all(64 <= side <= 4096 for side in size):
        raise UsageError(f"demo: size {size[0]}x{size[1]} is not between 64x64 and 4096x4096")
    if not 1 <= rate <= 240:
        raise UsageError(f"demo: {rate} frames per second is not between 1 and 240")
    if not scenes or any(scene not in SCENES for scene in scenes):
        raise UsageError(f"demo: scenes {list(scenes)} must be one or more of {list(SCENES)}")
    if seconds is not None and not seconds > 0:
        raise UsageError(f"demo: seconds {seconds} is not more than 0")


