"""Photographs as a camera that hangs askew would take them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from edge.vision.crop import Image
from edge.vision.letterbox import PADDING
from train.data.records import FaceRecord, PictureRecord
from train.detector.tilt import Floats, Tilt

LEAST_SEEN = 0.6
"""Share of a face inside the turned picture below which it is ignored: it was cut by the turn."""


def tilted(image: Image, record: PictureRecord, angle: float) -> tuple[Image, PictureRecord]:
    """Return *image* (H, W, 3) uint8, of the same size, and *record*, turned by *angle* degrees.

    Clockwise, about the middle; corners become grey.  Faces that the turn cuts are ignored, and
    those that it turns out of the picture are gone.
    """
    height, width = image.shape[:2]
    tilt = Tilt(angle, (width / 2, height / 2))
    turned = cv2.warpAffine(
        image, tilt.matrix(1.0, np.zeros(2, np.float32)), (width, height),
        borderValue=(PADDING, PADDING, PADDING),
    )
    faces = (_tilted_face(face, tilt, width, height) for face in record.faces)
    kept = tuple(face for face in faces if face is not None)
    return np.asarray(turned, np.uint8), replace(record, faces=kept)


def _tilted_face(face: FaceRecord, tilt: Tilt, width: int, height: int) -> FaceRecord | None:
    turn = tilt.regions if face.ignore else tilt.faces
    box = turn(np.array([face.box], np.float32))[0]
    inside = np.clip(box, 0, np.array([width, height, width, height], np.float32))
    seen = _area(inside) / max(_area(box), 1e-6)
    if seen <= 0:
        return None
    landmarks = face.landmarks
    if landmarks is not None:
        points = tilt.points(np.array(landmarks, np.float32))
        landmarks = tuple((float(x), float(y)) for x, y in points)
    x0, y0, x1, y1 = (float(value) for value in inside)
    return replace(
        face, box=(x0, y0, x1, y1), landmarks=landmarks, ignore=face.ignore or seen < LEAST_SEEN
    )


def _area(box: Floats) -> float:
    return float(np.prod(np.maximum(box[2:] - box[:2], 0)))
