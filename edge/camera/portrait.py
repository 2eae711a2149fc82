"""The demo's actor: a person cut out of a public-domain portrait, with and without a mask.

The portrait is NASA's official picture of astronaut Eileen Collins, which scikit-image ships
as ``skimage.data.astronaut`` (512x512); what lies below its lower edge is drawn.
"""

from __future__ import annotations

import importlib

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import SourceError
from edge.vision.crop import Image
from edge.vision.mask_painting import MaskStyle, paint_mask

SCENES = ("bare", "mask", "under_nose")

# All positions below were read off the 512x512 portrait by eye, under a 20-pixel grid.
LANDMARKS = np.array(
    [[203.5, 101.3], [246.5, 103.2], [225.0, 123.0], [204.0, 140.5], [244.0, 141.0]], np.float32
)
FACE_BOX = np.array([180.0, 75.0, 269.0, 178.0], np.float32)
SPRITE_SIZE = (540, 1000)

_HEAD = (
    (185, 148), (182, 133), (176, 130), (171, 119), (161, 110), (156, 100), (154, 85), (153, 70),
    (156, 60), (162, 53), (170, 46), (180, 40), (190, 35), (191, 30), (198, 26), (206, 21),
    (218, 18), (226, 16), (233, 15), (242, 16), (252, 19), (262, 24), (272, 29), (280, 35),
    (287, 41), (292, 50), (296, 58), (299, 70), (301, 83), (301, 93), (299, 103), (295, 112),
    (288, 120), (280, 128), (277, 133), (271, 136), (267, 137), (265, 143), (260, 158), (256, 173),
)
_BODY = (
    (265, 179), (286, 199), (300, 219), (305, 235), (322, 244), (336, 255), (343, 267), (347, 283),
    (354, 295), (358, 315), (364, 331), (363, 347), (374, 347), (399, 344), (421, 345), (441, 351),
    (461, 363), (477, 380), (489, 400), (496, 422), (499, 442), (502, 456), (507, 466), (511, 482),
    (511, 511), (42, 511), (32, 494), (26, 474), (24, 450), (22, 426), (18, 402), (22, 382),
    (24, 362), (26, 335), (36, 315), (42, 295), (48, 275), (56, 259), (66, 247), (79, 235),
    (95, 221), (107, 212), (117, 207), (113, 196), (115, 186), (124, 178), (133, 166), (147, 156),
    (167, 149),
)
# Hair and wall mix within this many pixels of the drawn outline.
_BAND = 4
_STYLES = {
    "mask": MaskStyle("surgical", (232, 196, 150), height=0.7, wrinkles=0.3),
    "under_nose": MaskStyle("surgical", (232, 196, 150), wear="under_nose", wrinkles=0.3),
}


def load_portrait() -> Image:
    """Return the portrait, (512, 512, 3) uint8 BGR.

    Raises SourceError when scikit-image is missing or cannot give the picture.
    """
    install = "install it with: pip install 'maskgate[demo]'"
    try:
        # By name: no version of scikit-image is typed throughout.
        data = importlib.import_module("skimage.data")
    except ImportError as error:
        raise SourceError(
            f"the demo: source needs scikit-image for its portrait ({error}); {install}; "
            "without it 'maskgate doctor --outputs' tries buzzer and light"
        ) from error
    try:
        picture = np.asarray(data.astronaut(), np.uint8)
    except Exception as error:
        raise SourceError(
            f"scikit-image could not read its portrait 'astronaut' ({error}); re{install}"
        ) from error
    if picture.shape != (512, 512, 3):
        raise SourceError(
            f"scikit-image's portrait 'astronaut' has shape {picture.shape} instead of "
            f"(512, 512, 3); re{install}"
        )
    return np.ascontiguousarray(picture[:, :, ::-1])


def matte(portrait: Image) -> npt.NDArray[np.float32]:
    """Return how much of each pixel of *portrait* is the person, (512, 512) float32, 0 to 1.

    A drawn outline says where; within a few pixels of it, each pixel's colour between the
    person's and the wall's says how much.  Unlike GrabCut, every OpenCV gives the same.
    """
    inside = np.zeros(portrait.shape[:2], np.uint8)
    cv2.fillPoly(inside, [np.array(_HEAD + _BODY, np.int32)], 255, cv2.LINE_AA)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _BAND + 1, 2 * _BAND + 1))
    sure = cv2.erode(inside, disc, borderValue=255)
    reach = cv2.dilate(inside, disc)
    colors = portrait.astype(np.float32)
    person = _mean_around(colors, (sure > 127).astype(np.float32))
    wall = _mean_around(colors, (reach < 128).astype(np.float32))
    toward = person - wall
    share = ((colors - wall) * toward).sum(2) / np.maximum((toward**2).sum(2), 1)
    drawn = cv2.GaussianBlur(inside, (0, 0), 1.2).astype(np.float32) / 255
    # Where both sides have one colour the picture says nothing, and the drawing decides; so it
    # does below the head, where a striped flag is no even wall.
    rows = np.arange(portrait.shape[0], dtype=np.float32)[:, None]
    trust = np.clip(np.sqrt((toward**2).sum(2)) / 90 - 0.3, 0, 0.8)
    trust *= np.clip((165 - rows) / 30, 0, 1)
    mixed = drawn + (np.clip(share * 1.3 - 0.15, 0, 1) - drawn) * trust
    mixed[sure > 127] = 1
    mixed[reach < 128] = 0
    return np.asarray(mixed, np.float32)


def sprites(scenes: tuple[str, ...]) -> dict[str, Image]:
    """Return the standing person for each of *scenes*, (1000, 540, 4) uint8 premultiplied BGRA.

    Raises SourceError when scikit-image is missing.
    """
    portrait = load_portrait()
    alpha = matte(portrait)
    wall = _mean_around(portrait.astype(np.float32), (alpha < 0.02).astype(np.float32))
    made = {}
    for scene in dict.fromkeys(scenes):
        picture = portrait
        if scene in _STYLES:
            picture = paint_mask(portrait, LANDMARKS, _STYLES[scene], np.random.default_rng(4))
        # The wall shines through half-covered pixels; without this, hair glows against a dark door.
        person = picture.astype(np.float32) - (1 - alpha)[:, :, None] * wall
        made[scene] = _standing(np.clip(person, 0, 255 * alpha[:, :, None]), alpha)
    return made


def _standing(person: npt.NDArray[np.float32], alpha: npt.NDArray[np.float32]) -> Image:
    width, height = SPRITE_SIZE
    body = _legs(width, height)
    layer = np.dstack([person, 255 * alpha])
    under = body[:512, :512].astype(np.float32)
    body[:512, :512] = np.clip(layer + under * (1 - alpha)[:, :, None] + 0.5, 0, 255)
    return body


def _legs(width: int, height: int) -> Image:
    color = np.empty((height, width, 3), np.uint8)
    cover = np.zeros((height, width), np.uint8)
    legs = [(58, 500), (325, 500), (334, 620), (318, 1000), (222, 1000), (212, 690), (200, 690),
            (190, 1000), (94, 1000), (84, 620)]
    color[:] = (52, 92, 214)
    cv2.fillPoly(cover, [np.array(legs, np.int32)], 255, cv2.LINE_AA)
    for target, value in ((color, (16, 15, 14)), (cover, (255, 255, 255))):
        cv2.ellipse(target, (392, 455), (112, 108), 0, 0, 360, value, -1, cv2.LINE_AA)
    # Creases and rounded legs, so that a detector sees cloth and not a flat sign.
    cells = np.random.default_rng(11).standard_normal((60, 10)).astype(np.float32)
    creases = cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC) * 0.07
    columns = np.arange(width, dtype=np.float32)
    aside = np.minimum(np.abs(columns - 140), np.abs(columns - 272)) / 60
    shaded = color * (1.0 + creases - 0.20 * np.minimum(aside, 1.3)[None] ** 2)[:, :, None]
    soft = cv2.GaussianBlur(cover, (0, 0), 1.2)
    premultiplied = np.clip(shaded, 0, 255) * (soft.astype(np.float32) / 255)[:, :, None]
    return np.ascontiguousarray(np.dstack([premultiplied, soft]).astype(np.uint8))


def _mean_around(
    colors: npt.NDArray[np.float32], weight: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    total = cv2.GaussianBlur(colors * weight[:, :, None], (0, 0), 6)
    share = cv2.GaussianBlur(weight, (0, 0), 6)[:, :, None]
    return np.asarray(total / np.maximum(share, 1e-6), np.float32)
