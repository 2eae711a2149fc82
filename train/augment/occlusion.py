"""What people hold before their mouth: hands, cups, phones, microphones, scarves.

None of these is a mask.  A classifier that never saw them calls every covered mouth masked.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]

KINDS = ("hand", "cup", "phone", "microphone", "scarf")
# Hands are by far the commonest thing before a mouth (MAFA).
ODDS = (0.5, 0.14, 0.14, 0.1, 0.12)


def occlude(
    image: Image,
    box: Sequence[float],
    rng: np.random.Generator,
    landmarks: Points | None = None,
    kind: str | None = None,
) -> Image:
    """Return a copy of *image* (H, W, 3) BGR uint8 with something before the mouth in *box*.

    *box* is ``x0, y0, x1, y1`` of a bare face in pixels; with *landmarks* (5, 2) the mouth is
    known, without it is guessed.  *kind* is one of :data:`KINDS`, drawn with *rng* by default.

    Raises ValueError when *kind* is not one of them.
    """
    kind = kind or str(rng.choice(KINDS, p=ODDS))
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; allowed are {', '.join(KINDS)}")
    x0, y0, x1, y1 = (float(value) for value in box)
    size = max(x1 - x0, y1 - y0)
    if landmarks is not None:
        mouth = landmarks[3:5].mean(axis=0)
    else:
        mouth = np.array([(x0 + x1) / 2, y0 + 0.78 * (y1 - y0)], np.float32)
    cover = np.zeros(image.shape[:2], np.uint8)
    if kind == "hand":
        color = _skin(image, box, rng)
        _draw_hand(cover, mouth, size, rng)
    elif kind == "scarf":
        color = _cloth(rng)
        _draw_scarf(cover, mouth, (x0, x1), size, rng)
    else:
        color = _thing(kind, rng)
        _draw_thing(cover, kind, mouth, size, rng)
    return _put(image, cover, color, size, rng, texture=kind == "scarf")


def _skin(image: Image, box: Sequence[float], rng: np.random.Generator) -> Points:
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    # Between eyes and mouth a bare face is skin.
    rows = slice(*np.clip([int(y0 + 0.45 * (y1 - y0)), int(y0 + 0.7 * (y1 - y0)) + 1], 0, height))
    columns = slice(*np.clip([int(x0 + 0.3 * (x1 - x0)), int(x0 + 0.7 * (x1 - x0)) + 1], 0, width))
    patch = image[rows, columns].reshape(-1, 3)
    tone = np.median(patch, axis=0) if len(patch) else np.array([120.0, 150.0, 190.0])
    return np.asarray(tone * rng.uniform(0.82, 1.15) + rng.normal(0, 5, 3), np.float32)


def _cloth(rng: np.random.Generator) -> Points:
    return np.asarray(rng.uniform(15, 235, 3), np.float32)


def _thing(kind: str, rng: np.random.Generator) -> Points:
    if kind == "cup" and rng.random() < 0.6:
        return np.asarray(np.full(3, rng.uniform(190, 245)) + rng.normal(0, 6, 3), np.float32)
    if kind in ("phone", "microphone") and rng.random() < 0.75:
        return np.asarray(np.full(3, rng.uniform(8, 60)) + rng.normal(0, 4, 3), np.float32)
    return _cloth(rng)


def _polygon(cover: Image, points: Points) -> None:
    cv2.fillPoly(cover, [np.round(points).astype(np.int32)], 255, cv2.LINE_AA)


def _turned(points: Points, angle: float, centre: Points) -> Points:
    turn = np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32
    )
    return np.asarray(points @ turn.T + centre, np.float32)


def _draw_hand(cover: Image, mouth: Points, size: float, rng: np.random.Generator) -> None:
    # A palm below or beside the mouth and two to four fingers over it.
    angle = rng.uniform(-1.3, 1.3)
    palm = _turned(
        np.array([[0.0, rng.uniform(0.15, 0.35) * size]], np.float32), angle, mouth
    )[0]
    axes = (rng.uniform(0.17, 0.26) * size, rng.uniform(0.2, 0.3) * size)
    cv2.ellipse(
        cover, (round(float(palm[0])), round(float(palm[1]))), (round(axes[0]), round(axes[1])),
        float(np.degrees(angle)), 0, 360, 255, -1, cv2.LINE_AA,
    )
    thickness = max(2, round(rng.uniform(0.075, 0.105) * size))
    length = rng.uniform(0.2, 0.5) * size
    for finger in np.linspace(-0.17, 0.17, int(rng.integers(2, 5))) * size:
        spread = finger * rng.uniform(1.0, 1.4)
        ends = np.array([[finger, 0.2 * size], [spread, 0.2 * size - length]], np.float32)
        start, tip = np.round(_turned(ends, angle, mouth)).astype(int).tolist()
        cv2.line(cover, start, tip, 255, thickness, cv2.LINE_AA)


def _draw_thing(
    cover: Image, kind: str, mouth: Points, size: float, rng: np.random.Generator
) -> None:
    angle = rng.uniform(-0.35, 0.35)
    if kind == "cup":
        top, bottom = rng.uniform(0.17, 0.24) * size, rng.uniform(0.12, 0.18) * size
        height = rng.uniform(0.4, 0.7) * size
        start = -rng.uniform(0.02, 0.15) * size
        shape = [[-top, start], [top, start], [bottom, start + height], [-bottom, start + height]]
        _polygon(cover, _turned(np.array(shape, np.float32), angle, mouth))
        return
    if kind == "phone":
        half, height = rng.uniform(0.13, 0.2) * size, rng.uniform(0.5, 0.8) * size
        angle += rng.choice([0.0, 1.2, -1.2])
        start = -rng.uniform(0.1, 0.45) * height
        shape = [[-half, start], [half, start], [half, start + height], [-half, start + height]]
        _polygon(cover, _turned(np.array(shape, np.float32), angle, mouth))
        return
    centre = (round(float(mouth[0])), round(float(mouth[1] + rng.uniform(0.0, 0.2) * size)))
    cv2.circle(cover, centre, round(rng.uniform(0.08, 0.16) * size), 255, -1, cv2.LINE_AA)
    start = np.asarray(centre, np.float32)
    stick = _turned(np.array([[0.0, size]], np.float32), angle * 2, start)[0]
    end = (round(float(stick[0])), round(float(stick[1])))
    cv2.line(cover, centre, end, 255, max(2, round(0.08 * size)), cv2.LINE_AA)


def _draw_scarf(
    cover: Image,
    mouth: Points,
    sides: tuple[float, float],
    size: float,
    rng: np.random.Generator,
) -> None:
    # Wide, below the nose and beyond the jaw on both sides, which no mask is.
    steps = np.linspace(0, 1, 9)
    left, right = sides[0] - 0.35 * size, sides[1] + 0.35 * size
    top = float(mouth[1]) + rng.uniform(-0.04, 0.12) * size
    sag = rng.uniform(0.0, 0.1) * size
    upper = top + sag * np.sin(np.pi * steps) + rng.normal(0, 0.012 * size, len(steps))
    upper += rng.uniform(-0.12, 0.12) * size * (steps - 0.5)
    x = left + (right - left) * steps
    lower = np.full(len(steps), top + rng.uniform(0.5, 0.9) * size)
    _polygon(
        cover,
        np.concatenate(
            [np.stack([x, upper], 1), np.stack([x[::-1], lower], 1)]
        ).astype(np.float32),
    )


def _put(
    image: Image, cover: Image, color: Points, size: float, rng: np.random.Generator, *,
    texture: bool,
) -> Image:
    # Light falls on it from one side, and it is as sharp as the picture.
    height, width = cover.shape
    angle = rng.uniform(0, 2 * np.pi)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    light = 1 + np.float32(rng.uniform(0.05, 0.3)) * (
        x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
    )
    if texture:
        period = np.float32(rng.uniform(0.04, 0.15) * size)
        along = (x if rng.random() < 0.5 else y) * np.float32(max(height, width) / 2)
        light = light + np.float32(rng.uniform(0.05, 0.25)) * np.sin(along * (2 * np.pi) / period)
    depth = cv2.GaussianBlur(cover, (0, 0), max(0.6, 0.035 * size)).astype(np.float32) / 255
    # Rounded things darken towards their edge.
    light = light * (0.55 + 0.45 * depth)
    soft = cv2.GaussianBlur(cover, (0, 0), max(0.4, 0.006 * size)).astype(np.float32)[..., None]
    soft *= np.float32(1 / 255)
    grain = rng.standard_normal((height, width, 1), dtype=np.float32) * np.float32(3)
    thing = color * light[..., None] + grain
    return np.asarray(np.clip(image * (1 - soft) + thing * soft, 0, 255), np.uint8)
