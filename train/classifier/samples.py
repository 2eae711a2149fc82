"""One face as the network is fed it: cut as a detector would, seen as a cheap camera sees."""

from __future__ import annotations

import cv2
import numpy as np

from edge.modelfile import LABELS
from edge.vision.crop import Image, crop_face
from edge.vision.mask_painting import paint_mask, random_style
from train.augment.camera import cheap_camera
from train.augment.occlusion import Points, occlude
from train.classifier.config import AugmentationConfig
from train.data.lookalikes import NO_FACE
from train.data.records import Box, FaceRecord, landmarks_array

WITH, WITHOUT, INCORRECT = range(3)
# What is drawn: a face of a class, or a place that is none.
KINDS = (*LABELS, NO_FACE)
# Below this the eyes are a few pixels apart and a painted mask would be a smear.
PAINTABLE_SIDE = 24
LEAST_PAINTED = 0.05
# Noise and blur on top of a face of few pixels leave nothing to learn from.
FAR_CAMERA = 0.6


def plain_sample(image: Image, record: FaceRecord, *, margin: float, size: int) -> Image:
    """Return the face of *record* cut from *image* as it is, (size, size, 3) BGR uint8."""
    return crop_face(image, record.box, margin=margin, size=size)


def augmented_sample(
    image: Image,
    record: FaceRecord,
    augmentation: AugmentationConfig,
    rng: np.random.Generator,
    *,
    margin: float,
    size: int,
) -> tuple[Image, int]:
    """Return a changed face of *record*, (size, size, 3) BGR uint8, and its place in ``KINDS``.

    The kind changes only when a mask is painted on a bare face.  *image* is not written to.
    """
    label = KINDS.index(record.label)
    landmarks = landmarks_array(record)
    if label == WITHOUT:
        image, label = _dressed(image, record.box, landmarks, augmentation, rng)
    box = jittered_box(record.box, augmentation, rng)
    if not _in_sight(box, image):
        # Of a face cut by the frame little is in the picture, and a large jitter misses that.
        box = record.box
    if rng.random() < augmentation.rotate:
        image = _rotated(image, box, rng.uniform(-1, 1) * augmentation.rotate_degrees)
    seen = size
    if rng.random() < augmentation.far:
        # A face far away has few pixels before noise and JPEG come, not after.
        face = np.exp(rng.uniform(*np.log(augmentation.far_pixels)))
        seen = min(size, max(8, round(face * (1 + 2 * margin))))
    crop = crop_face(image, box, margin=margin, size=seen)
    if rng.random() < augmentation.flip:
        crop = np.ascontiguousarray(crop[:, ::-1])
    if rng.random() < augmentation.camera:
        strength = augmentation.camera_strength * (FAR_CAMERA if seen < size else 1.0)
        crop = cheap_camera(crop, rng, strength)
    if seen != size:
        crop = np.asarray(cv2.resize(crop, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)
    return crop, label


def jittered_box(box: Box, augmentation: AugmentationConfig, rng: np.random.Generator) -> Box:
    """Return *box* moved and scaled as a detector misses it, some boxes twice as badly."""
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    reach = 2.0 if rng.random() < augmentation.loose else 1.0
    shift_x, shift_y = rng.uniform(-1, 1, 2) * augmentation.shift * reach
    scale = np.exp(rng.uniform(-1, 1) * augmentation.scale * reach)
    middle_x = (x0 + x1) / 2 + shift_x * width
    middle_y = (y0 + y1) / 2 + shift_y * height
    half_x, half_y = width * scale / 2, height * scale / 2
    return middle_x - half_x, middle_y - half_y, middle_x + half_x, middle_y + half_y


def _in_sight(box: Box, image: Image) -> bool:
    height, width = image.shape[:2]
    return box[0] < width and box[1] < height and box[2] > 0 and box[3] > 0


def _dressed(
    image: Image,
    box: Box,
    landmarks: Points | None,
    augmentation: AugmentationConfig,
    rng: np.random.Generator,
) -> tuple[Image, int]:
    choice = rng.random()
    paintable = max(box[2] - box[0], box[3] - box[1]) >= PAINTABLE_SIDE
    if landmarks is not None and paintable and choice < augmentation.painted:
        wrong = rng.random() < augmentation.painted_wrong
        wear = str(rng.choice(["under_nose", "chin"])) if wrong else "right"
        style = random_style(rng, wear)
        # A scarf below the nose is clothing, not a mask worn wrongly.
        while wrong and style.kind in ("scarf", "bandana"):
            style = random_style(rng, wear)
        painted = paint_mask(image, landmarks, style, rng)
        # Turned far away or cut by the frame, a face may have no mask to show.
        changed = np.count_nonzero((painted != image).any(axis=-1))
        if changed < LEAST_PAINTED * (box[2] - box[0]) * (box[3] - box[1]):
            return image, WITHOUT
        return painted, INCORRECT if wrong else WITH
    if choice > 1 - augmentation.occluded:
        return occlude(image, box, rng, landmarks), WITHOUT
    return image, WITHOUT


def _rotated(image: Image, box: Box, degrees: float) -> Image:
    height, width = image.shape[:2]
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    turn = cv2.getRotationMatrix2D(middle, degrees, 1.0)
    return np.asarray(
        cv2.warpAffine(
            image, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ),
        np.uint8,
    )
