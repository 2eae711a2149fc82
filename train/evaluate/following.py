"""People followed through pictures as the gate follows them, and every one of their looks judged.

The gate asks the classifier only while it needs to; here it is asked of every face that counts,
so that the decision can be gone through again with other settings.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from edge.config import default_config
from edge.gate import tracker
from edge.gate.decision import DecisionSettings
from edge.gate.evidence import box_lacks, look_lacks
from edge.gate.scene_cut import Thumbnail, is_cut, thumbnail
from edge.gate.tracker import Track, TrackerSettings, Tracks
from edge.modelfile import ModelFile
from edge.networks import gate_settings
from edge.vision.classifier import MaskClassifier
from edge.vision.crop import Image
from edge.vision.detector import FaceDetector
from edge.vision.geometry import Boxes


@dataclass(frozen=True, slots=True)
class Look:
    """One *track* in one picture: what it *lack*s as evidence, or what the classifier *said*.

    *box* (4,) is the face as the detector found it now, in pixels.
    """

    track: Track
    box: Boxes
    lack: str
    said: tuple[float, float, float] | None


@dataclass
class Follower:
    """Follows people from picture to picture, with *classifier* asked at every look."""

    detector: FaceDetector
    classifier: MaskClassifier
    tracking: TrackerSettings
    decision: DecisionSettings
    _tracks: Tracks = field(default_factory=Tracks)
    _before: Thumbnail | None = None

    def look(self, image: Image, seconds: float) -> list[Look]:
        """Return a look for everybody whose face is in *image* (H, W, 3) BGR of *seconds*."""
        now, before = thumbnail(image), self._before
        self._before = now
        if before is not None and is_cut(before, now):
            self._tracks = replace(self._tracks, tracks=())
        found = self.detector.detect(image)
        self._tracks = tracker.update(
            self._tracks, found.boxes, found.scores, seconds, self.tracking
        )
        return [
            self._look(image, track, found.boxes[track.face], found.landmarks[track.face])
            for track in self._tracks.tracks if track.face is not None
        ]

    def _look(self, image: Image, track: Track, box: Boxes, landmarks: np.ndarray) -> Look:
        height, width = image.shape[:2]
        lack = box_lacks(
            track.box, min(track.score, track.usual_score), width, height, self.decision
        ) or look_lacks(image, track.box, landmarks, self.decision)
        said = None
        if not lack:
            mask, bare, wrong = self.classifier.probabilities(image, box[None])[0].tolist()
            said = (mask, bare, wrong)
        return Look(track, box, lack, said)


def follower(detector: ModelFile, classifier: ModelFile) -> Follower:
    """Return a follower with the settings of a gate that nobody configured, for both models."""
    settings = gate_settings(detector, classifier, default_config())
    return Follower(
        FaceDetector(detector, score_threshold=settings.tracker.keep_score),
        MaskClassifier(classifier),
        settings.tracker,
        settings.decision,
    )
