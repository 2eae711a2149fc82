"""What a detector training shows a person: curves, precision-recall, the worst mistakes.

The mistakes show people: they stay in the training's folder and are never committed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.vision.crop import Image, crop_face
from edge.vision.detector import Faces
from edge.vision.geometry import areas, overlap_areas
from train.data.records import PictureRecord
from train.report.detection import (
    Matches,
    detection_average_precision,
    match_picture,
    ranked_precision_recall,
)
from train.report.pictures import COLORS, contact_sheet, draw_losses, open_figure, save_figure

SHARES = {"all": 0.0, "gate range": 0.04, "close": 0.08}
MISTAKES = 40


@dataclass(frozen=True, slots=True)
class _Mistake:
    tile: Image
    weight: float
    text: str


def draw_detector_report(
    out: Path,
    history: Sequence[dict[str, float]],
    detect: Callable[[Image], Faces],
    pictures: Sequence[PictureRecord],
    images: dict[Path, Image],
) -> None:
    """Write ``curves.png``, ``precision_recall.png`` and ``worst_mistakes.png`` into *out*.

    *detect* answers down to a low score; *pictures* are the validation split.
    """
    draw_losses(out / "curves.png", history)
    found = [(record, images[record.path], detect(images[record.path])) for record in pictures]
    figure, axes = open_figure()
    for color, (name, share) in zip(COLORS, SHARES.items(), strict=True):
        matches = [_matches(record, image, faces, share) for record, image, faces in found]
        precision, recall = ranked_precision_recall(matches)
        area = detection_average_precision(matches)
        axes.plot(recall, precision, color=color, label=f"{name}: AP50 {area:.3f}")
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")
    axes.grid(alpha=0.3)
    axes.legend()
    save_figure(figure, out / "precision_recall.png")
    wrong: list[_Mistake] = []
    missed: list[_Mistake] = []
    for record, image, faces in found:
        wrong += _false_positives(record, image, faces)
        missed += _misses(record, image, faces)
    worst = [
        sorted(side, key=lambda mistake: -mistake.weight)[: MISTAKES // 2]
        for side in (wrong, missed)
    ]
    contact_sheet(
        out / "worst_mistakes.png", [(m.tile, [m.text]) for side in worst for m in side]
    )


def _truth(record: PictureRecord) -> tuple[np.ndarray, np.ndarray]:
    boxes = np.array([face.box for face in record.faces], np.float32).reshape(-1, 4)
    return boxes, np.array([face.ignore for face in record.faces], bool)


def _matches(record: PictureRecord, image: Image, faces: Faces, share: float) -> Matches:
    boxes, crowd = _truth(record)
    return match_picture(faces.boxes, faces.scores, boxes, crowd, share * max(image.shape[:2]))


def _false_positives(record: PictureRecord, image: Image, faces: Faces) -> list[_Mistake]:
    boxes, _ = _truth(record)
    touched = overlap_areas(faces.boxes, boxes) / np.maximum(areas(faces.boxes)[:, None], 1e-6)
    strange = touched.max(axis=1, initial=0.0) < 0.2
    return [
        _Mistake(
            crop_face(image, faces.boxes[i], margin=0.5, size=128),
            float(faces.scores[i]),
            f"{record.source} no face {faces.scores[i]:.2f}",
        )
        for i in np.flatnonzero(strange)
    ]


def _misses(record: PictureRecord, image: Image, faces: Faces) -> list[_Mistake]:
    matches = _matches(record, image, faces, 0.04)
    mistakes = []
    for score, place in zip(matches.found, matches.truth, strict=True):
        if score < 0.3:
            face = record.faces[place]
            side = max(face.box[2] - face.box[0], face.box[3] - face.box[1])
            mistakes.append(
                _Mistake(
                    cv2.copyMakeBorder(
                        crop_face(image, face.box, margin=0.5, size=124),
                        2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(0, 0, 255),
                    ),
                    side / max(image.shape[:2]),
                    f"{face.label.split('_')[0]} missed {max(score, 0):.2f}",
                )
            )
    return mistakes
