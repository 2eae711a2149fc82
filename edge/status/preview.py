"""The picture with people marked in it, for as long as somebody watches and no longer."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import cv2
import numpy as np

from edge.camera.frame import Frame
from edge.errors import OutputError
from edge.gate.tracker import Box, Track
from edge.journal.evidence import whole_frame
from edge.service import annotate
from edge.status.board import STALE_SECONDS
from edge.vision.crop import Image
from edge.watch import Scene, Settings

# Who has not asked for so long watches no more.
WATCHING_SECONDS = 2.0
# Enough to aim a camera by, and few bytes.
_LONGEST_SIDE = 640
_JPEG_QUALITY = 70
# How long the first who watches waits for the gate's next frame, and others for a drawing.
_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class _Taken:
    image: Image
    scene: Scene
    settings: Settings
    rate: float | None
    seen: float
    at: float


class Preview:
    """Draws the newest frame for those who ask, at most *fps* times a second.

    The loop hands frames over only while somebody watches; it copies and draws nothing, which
    whoever asks does.  One frame and one drawing are kept, in memory, and dropped when nobody
    watches any more.  With *hide_faces* whoever is followed is made unrecognisable; who was not
    found is not.  Times are in seconds on one clock that never goes back.
    """

    def __init__(self, fps: float, hide_faces: bool) -> None:
        self.fps = fps
        self.hides_faces = hide_faces
        self._between = 1 / fps
        self._asked: float | None = None
        self._taken: _Taken | None = None
        self._there = threading.Event()
        # Several who watch share a drawing.
        self._drawing = threading.Lock()
        self._drawn: tuple[_Taken, bytes] | None = None

    def watched(self, now: float) -> bool:
        """Return whether somebody watches."""
        asked = self._asked
        return asked is not None and now - asked < WATCHING_SECONDS

    # In the gate's loop.

    def wanted(self, now: float) -> bool:
        """Return whether to hand over the frame that was seen *now*."""
        taken = self._taken
        if not self.watched(now):
            if taken is not None:
                self.drop()
            return False
        return taken is None or now - taken.at >= self._between

    def take(
        self,
        frame: Frame,
        scene: Scene,
        settings: Settings,
        rate: float | None,
        seen: float,
        now: float,
    ) -> None:
        """Keep *frame*, seen *now*, in place of the one before; returns at once.

        *seen* is the same moment in seconds of the source's time.
        """
        self._taken = _Taken(frame.image, scene, settings, rate, seen, now)
        self._there.set()

    def drop(self) -> None:
        """Forget every picture: nobody watches, or there is nothing to see."""
        if self._taken is not None:
            self._there.clear()
            self._taken = None
            self._drawn = None

    # In a visitor's thread.

    def jpeg(self, now: float) -> bytes | None:
        """Return what is seen *now* as a JPEG; None where there is nothing fresh to see.

        Waits a second at most.  Raises OutputError where this OpenCV cannot write JPEG.
        """
        self._asked = now
        if not self._there.wait(_PATIENCE):
            return None
        if not self._drawing.acquire(timeout=_PATIENCE):
            return None
        try:
            taken, drawn = self._taken, self._drawn
            if taken is None or now - taken.at > STALE_SECONDS:
                return None
            if drawn is None or drawn[0] is not taken:
                drawn = (taken, _jpeg(self._draw(taken)))
                # It may have been dropped meanwhile; then this drawing is nobody's any more.
                self._drawn = drawn if self._taken is taken else None
            return drawn[1]
        finally:
            self._drawing.release()

    def _draw(self, taken: _Taken) -> Image:
        image, scene = smaller(taken.image, taken.scene)
        if self.hides_faces:
            image = whole_frame(image, [whereabouts(p.track, taken.seen) for p in scene.people])
        return annotate(image, scene, taken.settings, taken.rate)


def whereabouts(track: Track, now: float) -> Box:
    """Return the box in which the face of *track* is *now*, also when it was not found there.

    It reaches from where the face was found last to where it is by then at its usual speed.
    """
    x0, y0, x1, y1 = track.box
    since = max(0.0, now - track.last_seen)
    across, down = track.velocity[0] * since, track.velocity[1] * since
    return x0 + min(0, across), y0 + min(0, down), x1 + max(0, across), y1 + max(0, down)


def smaller(image: Image, scene: Scene, longest: int = _LONGEST_SIDE) -> tuple[Image, Scene]:
    """Return *image* with a side of *longest* pixels at most, and *scene* in those pixels."""
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return image, scene
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    across, down = size[0] / width, size[1] / height
    people = []
    for person in scene.people:
        x0, y0, x1, y1 = person.track.box
        box = (x0 * across, y0 * down, x1 * across, y1 * down)
        velocity = person.track.velocity[0] * across, person.track.velocity[1] * down
        people.append(
            replace(person, track=replace(person.track, box=box, velocity=velocity))
        )
    return small, replace(scene, people=tuple(people), size=size)


def _jpeg(image: Image) -> bytes:
    done, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise OutputError("this OpenCV cannot write JPEG; install opencv-python-headless")
    return encoded.tobytes()
