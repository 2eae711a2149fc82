"""Masks painted onto bare faces from five landmarks: training material and the demo's actor.

A painted mask follows the face's turn, keeps the light that falls on it, and is as sharp as
the picture around it, because a network learns every other difference instead of the mask.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import UsageError
from edge.vision import mask_shape
from edge.vision.crop import Image

Color = tuple[int, int, int]
Layer = npt.NDArray[np.float32]

KINDS = mask_shape.KINDS
PATTERNS = ("plain", "stripes", "dots", "checks", "print")
WEARS = ("right", "under_nose", "chin")

# Typical fabrics as B, G, R under neutral light, and how often each is drawn.
_COLORS: tuple[tuple[Color, float], ...] = (
    ((238, 238, 236), 0.20), ((228, 190, 140), 0.20), ((34, 32, 32), 0.20),
    ((178, 196, 130), 0.05), ((190, 170, 225), 0.06), ((135, 135, 135), 0.07),
    ((150, 175, 215), 0.05), ((90, 50, 30), 0.06), ((50, 40, 165), 0.04),
)
_KIND_ODDS = {"surgical": 0.42, "cloth": 0.26, "ffp2": 0.18, "bandana": 0.08, "scarf": 0.06}
# Larger faces are painted at this side and enlarged: cloth has no finer detail to lose.
_LARGEST_LAYER = 256
_SUBPIXEL_BITS = 4


@dataclass(frozen=True, slots=True)
class MaskStyle:
    """What a mask looks like and how it is worn.

    ``kind`` is one of KINDS, ``color`` and ``accent`` are B, G, R from 0 to 255 (the accent
    is the pattern's second colour), ``pattern`` one of PATTERNS, ``wear`` one of WEARS.
    ``height`` from 0 to 1 moves the top edge within what ``wear`` allows, ``width`` is a
    factor around 1, ``tilt`` is in radians, ``loops`` draws the bands to the ears and
    ``wrinkles`` from 0 to 1 is how crumpled the cloth is.

    Raises UsageError for a word or a number outside these.
    """

    kind: str = "surgical"
    color: Color = (228, 190, 140)
    pattern: str = "plain"
    wear: str = "right"
    accent: Color = (240, 240, 240)
    height: float = 0.6
    width: float = 1.0
    tilt: float = 0.0
    loops: bool = True
    wrinkles: float = 0.4

    def __post_init__(self) -> None:
        words = (
            ("kind", self.kind, KINDS),
            ("pattern", self.pattern, PATTERNS),
            ("wear", self.wear, WEARS),
        )
        for name, value, allowed in words:
            if value not in allowed:
                raise UsageError(f"mask {name} {value!r} is unknown; use one of {allowed}")
        numbers = (
            ("height", self.height, 0.0, 1.0), ("width", self.width, 0.5, 1.5),
            ("tilt", self.tilt, -0.5, 0.5), ("wrinkles", self.wrinkles, 0.0, 1.0),
        )
        for name, number, low, high in numbers:
            if not low <= number <= high:
                raise UsageError(f"mask {name} {number} is not between {low} and {high}")


def random_style(rng: np.random.Generator, wear: str | None = None) -> MaskStyle:
    """Return a style drawn with *rng*, as varied as a street; *wear* fixes how it is worn.

    Without *wear*, two in three are worn right and the rest is shared evenly.
    """
    kind = _pick(rng, _KIND_ODDS)
    pattern = "plain"
    if kind in ("cloth", "bandana", "scarf") and rng.random() < 0.45:
        pattern = PATTERNS[int(rng.integers(1, len(PATTERNS)))]
    elif rng.random() < 0.05:
        pattern = "print"
    return MaskStyle(
        kind=kind,
        color=_random_color(rng),
        pattern=pattern,
        wear=wear or _pick(rng, {"right": 4 / 6, "under_nose": 1 / 6, "chin": 1 / 6}),
        accent=_random_color(rng),
        height=float(rng.random()),
        width=float(rng.uniform(0.92, 1.08)),
        tilt=float(np.clip(rng.normal(0, 0.035), -0.1, 0.1)),
        loops=kind in ("surgical", "cloth", "ffp2") and bool(rng.random() < 0.75),
        wrinkles=float(rng.random()),
    )


def paint_mask(
    image: Image,
    landmarks: npt.ArrayLike,
    style: MaskStyle,
    rng: np.random.Generator | None = None,
) -> Image:
    """Return a copy of *image* (H, W, 3) uint8 BGR with a mask on the face at *landmarks*.

    *landmarks* (5, 2) are pixels in the order right eye, left eye, nose, mouth right, mouth
    left, and may lie outside the picture.  *rng* draws folds and grain; without one they are
    the same every time.  Landmarks that cannot be a face leave the copy unpainted.

    Raises ValueError when *landmarks* are not five points.
    """
    painted: Image = image.copy()
    frame = mask_shape.face_frame(landmarks)
    if frame is None:
        return painted
    rng = np.random.default_rng(0) if rng is None else rng
    outline = mask_shape.outline(
        frame, style.kind, style.wear, height=style.height, width=style.width, tilt=style.tilt
    )
    loops: list[mask_shape.Points] = []
    if style.loops:
        loops = mask_shape.ear_loops(frame, style.kind, style.wear, height=style.height)
    window = _window(np.concatenate([outline, *loops]), frame, image.shape)
    if window is None:
        return painted
    x0, y0, x1, y1 = window
    under = image[y0:y1, x0:x1]
    scale = min(1.0, _LARGEST_LAYER / max(under.shape[:2]))
    small = _resize(under, scale)
    canvas = _Canvas(frame, np.array([x0, y0], np.float32), scale, small)
    color, alpha, shadow = _layers(canvas, style, outline, loops, rng)
    if scale < 1:
        size = (under.shape[1], under.shape[0])
        color, alpha, shadow = (
            np.asarray(cv2.resize(layer, size), np.float32) for layer in (color, alpha, shadow)
        )
    base = under.astype(np.float32) * (1 - shadow)[:, :, None]
    mixed = base + (color - base) * alpha[:, :, None]
    painted[y0:y1, x0:x1] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
    return painted


@dataclass(frozen=True, slots=True)
class _Canvas:
    frame: mask_shape.FaceFrame
    corner: mask_shape.Points
    scale: float
    under: Image

    def points(self, picture: mask_shape.Points) -> npt.NDArray[np.int32]:
        # OpenCV places a pixel's middle at whole numbers, hence the half.
        local = (picture - self.corner + 0.5) * self.scale - 0.5
        limited = np.clip(local, -4096, 4096)
        return np.asarray(np.round(limited * (1 << _SUBPIXEL_BITS)), np.int32)

    @property
    def eye_distance(self) -> float:
        return float(np.hypot(*self.frame.right)) * self.scale

    def line(self, target: Image, picture: mask_shape.Points, value: int, width: float) -> None:
        thickness = max(1, round(width * self.eye_distance))
        points = [self.points(picture)]
        cv2.polylines(target, points, False, value, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)

    def coordinates(self) -> tuple[Layer, Layer]:
        """Return each pixel's ``x`` and ``v`` on the face, two (h, w) layers."""
        axes = np.stack([self.frame.right, self.frame.down], 1).astype(np.float64) * self.scale
        inverse = np.linalg.inv(axes)
        origin = (self.frame.origin - self.corner) * self.scale
        height, width = self.under.shape[:2]
        columns = (np.arange(width) - origin[0]).astype(np.float32)
        rows = (np.arange(height) - origin[1]).astype(np.float32)[:, None]
        inverse = inverse.astype(np.float32)
        return (
            inverse[0, 0] * columns + inverse[0, 1] * rows,
            inverse[1, 0] * columns + inverse[1, 1] * rows,
        )


def _layers(
    canvas: _Canvas,
    style: MaskStyle,
    outline: mask_shape.Points,
    loops: list[mask_shape.Points],
    rng: np.random.Generator,
) -> tuple[Layer, Layer, Layer]:
    """Return colour (h, w, 3) 0-255, opacity (h, w) 0-1 and cast shadow (h, w) 0-1."""
    shape = canvas.under.shape[:2]
    cover = np.zeros(shape, np.uint8)
    cv2.fillPoly(cover, [canvas.points(outline)], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
    gray = np.asarray(cv2.cvtColor(canvas.under, cv2.COLOR_BGR2GRAY), np.uint8)
    x, v = canvas.coordinates()
    softness = _softness(gray)

    cloth = _fabric(style, x, v, canvas.eye_distance, rng)
    relief = _relief(canvas, style, outline, rng)
    light = _light(gray, cover) * relief
    # Cloth bends away from the viewer towards the cheeks and under the chin.
    turned = x - np.float32(0.35 * canvas.frame.sin_yaw)
    light *= 1.04 - 0.14 * np.minimum(turned * turned, 1.5) - 0.10 * np.clip(v - 1.2, 0, 1)
    exposure = _exposure(canvas.under)
    cloth *= light[:, :, None] * exposure
    saturation = _saturation(canvas.under)
    if saturation < 1:
        gray_cloth = cloth.mean(2, keepdims=True)
        cloth = np.asarray(gray_cloth + (cloth - gray_cloth) * saturation, np.float32)
    alpha = cover
    if loops:
        bands = np.zeros(shape, np.uint8)
        for loop in loops:
            canvas.line(bands, loop, 255, 0.03)
        # A dark mask mostly has dark bands; light bands on it would be a giveaway.
        band = 40.0 if sum(style.color) < 200 else 225.0
        band *= float(np.clip(exposure.mean(), 0.2, 1))
        bands[cover > 0] = 0
        cloth[bands > 0] = band
        # Thin bands let hair and skin through at this size.
        alpha = np.maximum(cover, (bands * 0.7).astype(np.uint8))
    sigma = max(softness, 0.45)
    opacity = cv2.GaussianBlur(alpha, (0, 0), sigma).astype(np.float32) / np.float32(255)
    if softness > 0.9:
        cloth = np.asarray(cv2.GaussianBlur(cloth, (0, 0), softness * 0.7), np.float32)
    grain = _grain(gray) * 0.8
    if grain > 0.3:
        cloth += rng.standard_normal((*shape, 1), np.float32) * np.float32(grain)
    return cloth, opacity, _cast_shadow(canvas, cover)


def _fabric(
    style: MaskStyle, x: Layer, v: Layer, eye_distance: float, rng: np.random.Generator
) -> Layer:
    base = np.array(style.color, np.float32)
    if style.pattern == "plain":
        plain: Layer = np.broadcast_to(base, (*x.shape, 3)).copy()
        return plain
    accent = np.array(style.accent, np.float32)
    # Cloth wraps round the face, so a pattern closes up towards the cheeks.
    around = np.arcsin(np.clip(x * np.float32(0.85), -1, 1))
    period = float(rng.uniform(0.14, 0.34))
    angle = float(rng.uniform(0, np.pi))
    a = (around * np.cos(angle) + v * np.sin(angle)) / period
    b = (v * np.cos(angle) - around * np.sin(angle)) / period
    # How much of a period one pixel is: a hard edge below that would be aliased noise.
    soft = np.float32(max(0.08, 1.2 / (period * max(eye_distance, 1.0))))
    if style.pattern == "stripes":
        share = _soft_step(np.abs(a % 1 - 0.5) - 0.25, soft)
    elif style.pattern == "checks":
        bars = [_soft_step(np.abs(axis % 1 - 0.5) - 0.25, soft) for axis in (a, b)]
        share = (bars[0] + bars[1]) * np.float32(0.5)
    elif style.pattern == "dots":
        radius = float(rng.uniform(0.18, 0.36))
        share = _soft_step(radius - np.hypot(a % 1 - 0.5, b % 1 - 0.5), soft)
    else:
        cells = rng.random((int(rng.integers(6, 15)), int(rng.integers(6, 15))), np.float32)
        grown = cv2.resize(cells, (x.shape[1], x.shape[0]), interpolation=cv2.INTER_CUBIC)
        share = _soft_step(grown - 0.55, np.float32(0.15))
    return np.asarray(base + (accent - base) * share[:, :, None], np.float32)


def _relief(
    canvas: _Canvas, style: MaskStyle, outline: mask_shape.Points, rng: np.random.Generator
) -> Layer:
    """Return a brightness factor (h, w) around 1: pleats, seams, hems and folds."""
    shape = canvas.under.shape[:2]
    drawn = np.full(shape, 128, np.uint8)
    step = canvas.frame.down * 0.035
    closed = np.concatenate([outline, outline[:1]])
    if style.kind == "surgical":
        bow = float(rng.uniform(0.02, 0.10))
        for line in mask_shape.cross_lines(
            canvas.frame, style.wear, height=style.height, count=3, bow=bow
        ):
            canvas.line(drawn, line + step, 150, 0.04)
            canvas.line(drawn, line, 96, 0.03)
        count = mask_shape.TOP_EDGE_SAMPLES
        wire = np.concatenate([outline[-count:], outline[: count + 1]]) + 3 * step
        canvas.line(drawn, wire, 108, 0.03)
        canvas.line(drawn, closed, 116, 0.05)
    elif style.kind in ("cloth", "ffp2"):
        line = mask_shape.seam(canvas.frame, style.wear, height=style.height)
        if style.kind == "ffp2" or rng.random() < 0.6:
            canvas.line(drawn, line + canvas.frame.right * 0.03, 146, 0.05)
            canvas.line(drawn, line, 104, 0.03)
        middle = outline.mean(0)
        canvas.line(drawn, middle + (closed - middle) * 0.93, 114, 0.025)
        canvas.line(drawn, closed, 108, 0.06)
    else:
        for line in mask_shape.cross_lines(
            canvas.frame, style.wear, height=style.height, count=int(rng.integers(2, 6)),
            bow=float(rng.uniform(0.1, 0.35)),
        ):
            canvas.line(drawn, line + step * float(rng.normal(0, 2)), 106, 0.08)
            canvas.line(drawn, line + step * 2, 144, 0.10)
    soft = 0.02 if style.kind in ("surgical", "cloth", "ffp2") else 0.06
    blurred = cv2.GaussianBlur(drawn, (0, 0), max(0.5, soft * canvas.eye_distance))
    # Few and flat cells make broad creases that run across the face.
    cells = rng.standard_normal((7, 4), np.float32) * np.float32(0.02 + 0.10 * style.wrinkles)
    folds = cv2.resize(cells, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(blurred.astype(np.float32) / 128 + folds, np.float32)


def _light(gray: Image, cover: Image) -> Layer:
    """Return how the light on the face varies under the mask, a factor (h, w) around 1.

    Only the face counts: a bright wall beside a cheek must not light the mask.
    """
    size = (24, 24)
    weight = cv2.resize(cover, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255 + 1e-3
    tone = cv2.resize(gray, size, interpolation=cv2.INTER_AREA).astype(np.float32) + 8
    mean = float((tone * weight).sum() / weight.sum())
    spread = cv2.GaussianBlur(tone * weight, (0, 0), 3) / cv2.GaussianBlur(weight, (0, 0), 3)
    light = np.clip(spread / mean, 0.35, 1.6).astype(np.float32)
    grown = cv2.resize(light, (gray.shape[1], gray.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(grown, np.float32)


def _exposure(under: Image) -> Layer:
    """Return the factor (3,) that puts neutral cloth into this picture's light and colour."""
    sample = cv2.resize(under, (24, 24), interpolation=cv2.INTER_AREA).reshape(-1, 3)
    # Highlights tell the light apart from the skin: white of the eye, teeth, collar, forehead.
    bright = np.sort(sample, axis=0)[-30].astype(np.float32) + 4
    level = float(bright.mean())
    # Skin is part of the sample and is never neutral, so only part of its tint is the light's.
    cast = (bright / level) ** np.float32(0.25)
    return np.asarray(np.clip((level / 215) ** 0.75, 0.12, 1.04) * cast, np.float32)


def _saturation(under: Image) -> float:
    """Return how much colour the picture can show, 0 for black and white to 1."""
    sample = cv2.resize(under, (24, 24), interpolation=cv2.INTER_AREA).astype(np.float32)
    spread = float((sample.max(2) - sample.min(2)).mean() / (sample.mean() + 1))
    return float(np.clip(spread / 0.12, 0, 1))


def _softness(gray: Image) -> float:
    """Return the picture's blur as a Gaussian sigma in pixels, 0.4 to 3.

    A Gaussian edge has a second derivative smaller than its first by a factor of sigma.
    """
    first = cv2.absdiff(gray[:, 2:], gray[:, :-2]) if gray.shape[1] > 2 else gray
    second = cv2.absdiff(first[:, 1:], first[:, :-1])
    slope, bend = float(cv2.mean(first)[0]) / 2, float(cv2.mean(second)[0]) / 2
    return float(np.clip(0.55 * slope / max(bend, 0.05), 0.4, 3.0))


def _grain(gray: Image) -> float:
    """Return the sensor noise's standard deviation, 0 to 12 grey levels."""
    if min(gray.shape) < 4:
        return 0.0
    fine = cv2.absdiff(gray, cv2.medianBlur(gray, 3))
    # The median absolute deviation is 0.67 sigma; details of the face sit in the tail.
    return float(np.clip(np.median(fine[::2, ::2].astype(np.float32)) * 1.2, 0, 12))


def _cast_shadow(canvas: _Canvas, cover: Image) -> Layer:
    step = canvas.frame.down * (0.07 * canvas.scale)
    move = np.array([[1, 0, step[0]], [0, 1, step[1]]], np.float32)
    height, width = cover.shape
    moved = cv2.warpAffine(cover, move, (width, height))
    below = cv2.subtract(moved, cover)
    blurred = cv2.GaussianBlur(below, (0, 0), max(0.5, 0.03 * canvas.eye_distance))
    return np.asarray(blurred.astype(np.float32) * np.float32(0.35 / 255), np.float32)


def _window(
    points: mask_shape.Points, frame: mask_shape.FaceFrame, shape: tuple[int, ...]
) -> tuple[int, int, int, int] | None:
    pad = 3 + 0.12 * float(np.hypot(*frame.down))
    low = np.clip(np.floor(points.min(0) - pad), 0, [shape[1], shape[0]]).astype(int)
    high = np.clip(np.ceil(points.max(0) + pad), 0, [shape[1], shape[0]]).astype(int)
    if (high - low < 2).any():
        return None
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _resize(image: Image, scale: float) -> Image:
    if scale == 1:
        return image
    size = (max(2, round(image.shape[1] * scale)), max(2, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _soft_step(distance: Layer, soft: np.float32) -> Layer:
    return np.asarray(np.clip(distance / soft + 0.5, 0, 1), np.float32)


def _pick(rng: np.random.Generator, odds: dict[str, float]) -> str:
    return str(rng.choice(list(odds), p=list(odds.values())))


def _random_color(rng: np.random.Generator) -> Color:
    draw = float(rng.random())
    for color, odds in _COLORS:
        draw -= odds
        if draw < 0:
            near = np.clip(np.array(color) + rng.normal(0, 12, 3), 0, 255)
            return int(near[0]), int(near[1]), int(near[2])
    b, g, r = rng.integers(0, 256, 3)
    return int(b), int(g), int(r)
