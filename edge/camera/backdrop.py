"""The demo's stage: a drawn shop entrance seen from the counter."""

from __future__ import annotations

import cv2
import numpy as np

from edge.vision.crop import Image

# The doorway as shares of the picture: left, top, right, bottom.
DOORWAY = (0.26, 0.10, 0.74, 0.93)


def draw_backdrop(size: tuple[int, int], rng: np.random.Generator) -> Image:
    """Return a shop entrance, (height, width, 3) uint8 BGR for *size* = (width, height)."""
    width, height = size
    image = np.empty((height, width, 3), np.uint8)
    image[:] = (168, 186, 196)
    left, top, right, bottom = _doorway_pixels(size)
    horizon = bottom

    # Floor tiles run to the middle of the horizon.
    image[horizon:] = (96, 108, 118)
    for k in np.linspace(-3, 4, 22):
        _floor_line(image, (width // 2, round(0.45 * height)), (round(width * k), height), horizon)
    _rect(image, (0, horizon - round(0.02 * height)), (width, horizon), (120, 130, 138))

    # Through the glass: a bright street, blurred because the camera is focused near.
    street = np.empty((bottom - top, right - left, 3), np.uint8)
    tall, wide = street.shape[:2]
    sky = np.linspace(0, 1, tall, dtype=np.float32)[:, None, None]
    street[:] = np.array([214, 206, 196]) * (1 - sky) + np.array([150, 158, 162]) * sky
    houses = ((0.02, 0.30, 0.74, 150), (0.36, 0.22, 0.58, 176), (0.64, 0.34, 0.80, 140))
    for x, w, h, shade in houses:
        corner = (round(x * wide), round((0.84 - h) * tall))
        _rect(street, corner, (round((x + w) * wide), round(0.84 * tall)),
              (shade, shade - 6, shade - 14))
        for row in np.arange(0.86 - h, 0.72, 0.11):
            for column in np.arange(x + 0.03, x + w - 0.05, 0.08):
                spot = (round(column * wide), round(row * tall))
                _rect(street, spot, (spot[0] + wide // 26, spot[1] + tall // 22),
                      (shade - 50, shade - 52, shade - 56))
    _rect(street, (0, round(0.84 * tall)), (wide, tall), (128, 132, 134))
    image[top:bottom, left:right] = cv2.GaussianBlur(street, (0, 0), max(1.0, width / 130))

    frame = max(3, round(0.016 * width))
    for corner, end in (
        ((left - frame, top - frame), (right + frame, top)),
        ((left - frame, top), (left, bottom)), ((right, top), (right + frame, bottom)),
    ):
        _rect(image, corner, end, (74, 72, 70))
        _rect(image, corner, (corner[0] + max(1, frame // 3), end[1]), (112, 110, 108))
    _poster(image, round(0.06 * width), round(0.22 * height), round(0.14 * width), (90, 140, 70))
    _shelves(image, round(0.82 * width), round(0.20 * height), width, horizon, rng)

    # A lamp above the counter: brighter in the middle, as a cheap lens shows it.
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    distance = np.hypot((x / width - 0.5) * 1.1, (y / height - 0.35) * 0.9)
    lit = image * (1.06 - 0.42 * distance**2 * 2)[:, :, None]
    texture = cv2.GaussianBlur(rng.normal(0, 6, (height, width, 1)).astype(np.float32), (0, 0), 2)
    lit += texture[:, :, None]
    soft = cv2.GaussianBlur(np.clip(lit, 0, 255).astype(np.uint8), (0, 0), max(0.6, width / 700))
    return np.asarray(soft, np.uint8)


def _doorway_pixels(size: tuple[int, int]) -> tuple[int, int, int, int]:
    width, height = size
    left, top, right, bottom = DOORWAY
    return round(left * width), round(top * height), round(right * width), round(bottom * height)


def _poster(image: Image, x: int, y: int, wide: int, color: tuple[int, int, int]) -> None:
    tall = round(wide * 1.4)
    _rect(image, (x, y), (x + wide, y + tall), (226, 230, 232))
    _rect(image, (x + wide // 10, y + wide // 10), (x + wide * 9 // 10, y + tall // 2), color)
    for k in range(4):
        low = y + tall // 2 + (k + 1) * tall // 11
        _rect(image, (x + wide // 8, low), (x + wide * (7 - k % 2) // 8, low + max(1, tall // 40)),
              (90, 90, 90))


def _shelves(
    image: Image, left: int, top: int, right: int, bottom: int, rng: np.random.Generator
) -> None:
    _rect(image, (left, top), (right, bottom), (84, 98, 110))
    step = max(8, (bottom - top) // 5)
    for low in range(top + step, bottom + 1, step):
        x = left + 3
        while x < right - 4:
            wide = int(rng.integers(step // 5 + 2, step // 3 + 4))
            tall = int(rng.integers(step // 2, step - 4)) if step > 12 else 4
            color = tuple(int(c) for c in rng.integers(50, 205, 3))
            _rect(image, (x, low - tall), (min(x + wide, right), low - 2), color)
            x += wide + 2
        _rect(image, (left, low - 2), (right, low), (140, 152, 160))


def _rect(
    image: Image, corner: tuple[int, int], end: tuple[int, int], color: tuple[int, ...]
) -> None:
    cv2.rectangle(image, corner, (end[0] - 1, end[1] - 1), color, -1)


def _floor_line(image: Image, start: tuple[int, int], end: tuple[int, int], below: int) -> None:
    if below < image.shape[0]:
        floor = image[below:]
        ends = (start[0], start[1] - below), (end[0], end[1] - below)
        cv2.line(floor, ends[0], ends[1], (82, 92, 102), 1, cv2.LINE_AA)
