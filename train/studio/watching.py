"""In the child: a clip to who was seen in it, when, and what every look said.

The same stages as at the door, but every look is classified, so that the page can go through
the decision again with other settings and without the pictures.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from edge.camera.demo import DemoSource
from edge.errors import SourceError
from edge.vision.crop import Image, crop_face
from train.evaluate.following import Follower, follower
from train.studio.messages import Asked, Pixels, SeenClip, Sight, packed, unpacked
from train.studio.seeing import model_of, pixels_of, shrunk

MOST_SECONDS = 60.0
MOST_FRAMES = 600
MOST_PIXELS = 4096 * 2304
RATE = 12.5
"""Frames looked at in a second of the clip: what a Raspberry Pi 4 manages."""

SHOWN_SIDE = 640
_SEEN_SIDE = 1280
_MOST_PEOPLE = 40
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 82]
_CROP_SIDE = 112


def watch_clip(request: bytes) -> bytes:
    """Answer an ``Asked`` with a ``SeenClip``; raises SourceError or ModelError in words."""
    asked = unpacked(request, Asked)
    remarks: list[str] = []
    frames = demo_frames() if asked.demo else clip_frames(asked.data, remarks)
    watcher = Watcher(follower(
        model_of("face-detector", asked.detector), model_of("mask-classifier", asked.classifier)
    ))
    for number, (image, seconds) in enumerate(frames):
        watcher.see(image, seconds, number)
    if not watcher.frames:
        raise SourceError("not one frame of it can be decoded; the clip is damaged")
    return packed(watcher.seen(watcher.follower.decision.priors, tuple(remarks)))


@dataclass
class Watcher:
    """Follows people through a clip and keeps every look at them."""

    follower: Follower
    frames: list[bytes] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    sights: dict[int, list[Sight]] = field(default_factory=dict)
    people: dict[int, int] = field(default_factory=dict)
    crops: dict[int, tuple[float, Pixels]] = field(default_factory=dict)
    size: tuple[int, int] = (0, 0)

    def see(self, image: Image, seconds: float, number: int) -> None:
        """Look at frame *number*, *image* (H, W, 3) BGR, taken at *seconds*."""
        shown = shrunk(image, SHOWN_SIDE)
        if not self.frames:
            self.size = (shown.shape[1], shown.shape[0])
        image = shrunk(image, _SEEN_SIDE)
        scale = shown.shape[1] / image.shape[1]
        self.frames.append(cv2.imencode(".jpg", shown, _JPEG)[1].tobytes())
        self.times.append(seconds)
        for look in self.follower.look(image, seconds):
            track = look.track
            if track.confirmed and len(self.people) < _MOST_PEOPLE:
                self.people.setdefault(track.id, len(self.people) + 1)
            if look.said is not None:
                self._keep_crop(track.id, image, look.box)
            shown_box = tuple(value * scale for value in track.box)
            self.sights.setdefault(track.id, []).append(
                Sight(track.id, number, seconds, shown_box, track.score, look.lack, look.said)
            )

    def seen(
        self, given_priors: tuple[float, float, float], remarks: tuple[str, ...]
    ) -> SeenClip:
        """Return everything that was seen, of confirmed people."""
        sights = [
            replace(sight, person=self.people[track])
            for track, looks in self.sights.items() if track in self.people
            for sight in looks
        ]
        crops = {
            self.people[track]: crop
            for track, (_, crop) in self.crops.items() if track in self.people
        }
        return SeenClip(
            self.size, tuple(self.frames), tuple(self.times),
            tuple(sorted(sights, key=lambda s: (s.frame, s.person))), crops, given_priors, remarks,
        )

    def _keep_crop(self, track: int, image: Image, box: np.ndarray) -> None:
        """Keep the face where it is largest: that is where a person sees most of it."""
        area = float((box[2] - box[0]) * (box[3] - box[1]))
        if area > self.crops.get(track, (0.0, None))[0]:
            margin = self.follower.classifier.model.card.crop_margin or 0.0
            cut = crop_face(image, box, margin=margin, size=_CROP_SIDE)
            self.crops[track] = (area, pixels_of(cut))


def demo_frames() -> Iterator[tuple[Image, float]]:
    """Yield the built-in scene: somebody comes bare-faced, and comes back masked."""
    source = DemoSource(frames_per_second=RATE)
    while (frame := source.read(1.0)) is not None:
        yield frame.image, frame.timestamp


def clip_frames(data: bytes, remarks: list[str]) -> Iterator[tuple[Image, float]]:
    """Yield (H, W, 3) BGR pictures and their seconds from the clip in *data*.

    At most :data:`RATE` a second, :data:`MOST_SECONDS` and :data:`MOST_FRAMES`; what is left out
    is said in *remarks*.  Raises SourceError for what is no clip, or too large a one.
    """
    if not _is_clip(data):
        raise SourceError("it is no clip that is allowed here; bring an MP4, MOV, WebM, MKV or AVI")
    # The request lies in memory as standard input; behind it is the clip once more, by itself.
    place = f"/proc/self/fd/{_memory_file(data)}"
    capture = cv2.VideoCapture(place, cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise SourceError("it cannot be opened; the clip is damaged, or of a codec not known here")
    try:
        width, height = (
            capture.get(n) for n in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        )
        if not 0 < width * height <= MOST_PIXELS:
            raise SourceError(f"its frames are {width:.0f} x {height:.0f}; at most 4096 x 2304")
        rate = capture.get(cv2.CAP_PROP_FPS)
        rate = rate if math.isfinite(rate) and 1 <= rate <= 240 else 25.0
        step = max(1, round(rate / RATE))
        number = taken = 0
        while capture.grab():
            seconds = number / rate
            if seconds > MOST_SECONDS or taken >= MOST_FRAMES:
                remarks.append(f"only the first {seconds:.0f} seconds were watched")
                return
            if number % step == 0:
                ok, image = capture.retrieve()
                if ok and image is not None and image.ndim == 3:
                    taken += 1
                    yield np.ascontiguousarray(image, np.uint8), seconds
            number += 1
        promised = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        if promised > 0 and number < 0.9 * promised:
            remarks.append(
                f"only {number} of the {promised:.0f} frames that it announces can be decoded: "
                "it is damaged or cut off"
            )
    finally:
        capture.release()


def _is_clip(data: bytes) -> bool:
    start = data[:16]
    return (
        start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
        or start.startswith(b"\x1aE\xdf\xa3")
        or (start.startswith(b"RIFF") and start[8:12] == b"AVI ")
    )


def _memory_file(data: bytes) -> int:
    import os

    number = os.memfd_create("clip")
    left = memoryview(data)
    while left:
        left = left[os.write(number, left) :]
    os.lseek(number, 0, os.SEEK_SET)
    return number
