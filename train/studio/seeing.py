"""In the child: a picture's bytes to its faces."""

from __future__ import annotations

import io
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PillowImage

from edge.camera.portrait import FACE_BOX, LANDMARKS, load_portrait
from edge.errors import SourceError
from edge.modelfile import Kind, ModelFile, read_model, released_model
from edge.vision.classifier import MaskClassifier
from edge.vision.crop import Image, crop_face
from edge.vision.detector import FaceDetector
from edge.vision.mask_painting import MaskStyle, paint_mask
from edge.vision.picture import is_cut_off
from train.studio.messages import Asked, Pixels, SeenFace, SeenPicture, packed, unpacked

MOST_PIXELS = 64_000_000
"""A phone's 64 megapixels; 192 MB once decoded."""

SHOWN_SIDE = 1280
LOWEST_SCORE = 0.15
"""Faces from here on come back; the page's slider leaves out more."""

_MOST_FACES = 60
# Formats by their first bytes: a name proves nothing, and fewer decoders are fewer doors.
_KINDS = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "WEBP": (b"RIFF",),
    "BMP": (b"BM",),
}
_BLUE, _BLACK = (232, 196, 150), (58, 48, 44)
DEMOS = {
    "three": ("bare", "mask", "under_nose"), "bare": ("bare",), "mask": ("mask",),
    "under_nose": ("under_nose",),
}
_STYLES = {
    "mask": MaskStyle("surgical", _BLUE, height=0.7, wrinkles=0.3),
    "under_nose": MaskStyle("surgical", _BLACK, wear="under_nose", wrinkles=0.3),
}


def see_picture(request: bytes) -> bytes:
    """Answer an ``Asked`` with a ``SeenPicture``; raises SourceError or ModelError in words."""
    asked = unpacked(request, Asked)
    image = demo_picture(asked.demo) if asked.demo else decoded(asked.data)
    detector = FaceDetector(
        model_of("face-detector", asked.detector), score_threshold=LOWEST_SCORE
    )
    classifier = MaskClassifier(model_of("mask-classifier", asked.classifier))
    # The first picture of a size makes the network allocate, which is no time of its work.
    detector.detect(image)
    started = time.perf_counter()
    found = detector.detect(image)
    found_at = time.perf_counter()
    boxes = found.boxes[:_MOST_FACES]
    answers = classifier.probabilities(image, boxes)
    judged_at = time.perf_counter()
    shown = shrunk(image, SHOWN_SIDE)
    scale = shown.shape[1] / image.shape[1]
    card = classifier.model.card
    faces = tuple(
        SeenFace(
            tuple((box * scale).tolist()), float(score), tuple(answer.tolist()),
            pixels_of(
                crop_face(image, box, margin=card.crop_margin or 0.0, size=card.input.width)
            ),
        )
        for box, score, answer in zip(boxes, found.scores, answers, strict=False)
    )
    height, width = image.shape[:2]
    return packed(
        SeenPicture(
            (width, height), pixels_of(shown), faces,
            1000 * (found_at - started), 1000 * (judged_at - found_at),
        )
    )


def decoded(data: bytes) -> Image:
    """Return the picture in *data*, (H, W, 3) BGR uint8, turned upright by EXIF.

    Raises SourceError, before any pixel is decoded, for a kind that is not allowed and for
    more than :data:`MOST_PIXELS`; and for a picture that is cut off or damaged.
    """
    kind = next((k for k, starts in _KINDS.items() if data.startswith(starts)), None)
    if kind is None or (kind == "WEBP" and data[8:12] != b"WEBP"):
        raise SourceError(
            "it is no picture that is allowed here; bring a JPEG, PNG, WebP or BMP"
        )
    try:
        # Pillow would call it a bomb later than we do, and only warn.
        PillowImage.MAX_IMAGE_PIXELS = None
        with PillowImage.open(io.BytesIO(data), formats=[kind]) as header:
            width, height = header.size
    except (OSError, ValueError, SyntaxError) as error:
        raise SourceError(f"it claims to be a {kind}, but its header is damaged") from error
    if width * height > MOST_PIXELS:
        raise SourceError(
            f"it says it is {width} x {height} pixels; at most {MOST_PIXELS // 10**6} megapixels "
            "are decoded here; bring a smaller one"
        )
    if is_cut_off(data):
        raise SourceError("it is cut off before its end; copy it again")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise SourceError("it is damaged and cannot be decoded; bring another one")
    return np.ascontiguousarray(image, np.uint8)


def demo_picture(name: str) -> Image:
    """Return the built-in picture *name* of :data:`DEMOS`: a portrait, masks painted on it."""
    if name not in DEMOS:
        raise SourceError(f"demo {name!r} is unknown; allowed are {', '.join(DEMOS)}")
    portrait = load_portrait()
    x0, _, x1, _ = FACE_BOX
    middle, half = round((x0 + x1) / 2), 172
    parts = [
        paint_mask(portrait, LANDMARKS, _STYLES[scene]) if scene in _STYLES else portrait
        for scene in DEMOS[name]
    ]
    if len(parts) == 1:
        return parts[0]
    return np.ascontiguousarray(np.hstack([p[:420, middle - half : middle + half] for p in parts]))


def model_of(kind: Kind, path: str) -> ModelFile:
    """Return the model file at *path*, the released one of *kind* where it is empty."""
    return read_model(Path(path) if path else released_model(kind), kind)


def shrunk(image: Image, side: int) -> Image:
    """Return *image* with its longer side *side* pixels at most."""
    longer = max(image.shape[:2])
    if longer <= side:
        return image
    size = tuple(max(1, round(n * side / longer)) for n in (image.shape[1], image.shape[0]))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def pixels_of(image: Image) -> Pixels:
    """Return *image* (H, W, 3) BGR as raw RGB."""
    height, width = image.shape[:2]
    return Pixels(width, height, np.ascontiguousarray(image[:, :, ::-1]).tobytes())
