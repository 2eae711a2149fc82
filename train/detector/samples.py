"""The pictures the detector learns from: zoomed, tilted, tiled, masked, covered, and spoilt.

What spoils them is a door's cheap camera.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.vision.crop import Image
from edge.vision.detector import LANDMARKS
from edge.vision.geometry import no_boxes
from edge.vision.letterbox import input_shape
from edge.vision.mask_painting import paint_mask, random_style
from train.augment.camera import cheap_camera
from train.data.records import PictureRecord
from train.detector.covering import cover_faces
from train.detector.targets import Scene
from train.detector.tilt import Tilt

Floats = npt.NDArray[np.float32]

SMALLEST_FACE = 9.0
"""Input pixels below which a face is ignored: about a cell of the finest scale, and at a gate
three times as far away as anybody is judged.  Learning those costs the near ones."""
LEAST_VISIBLE = 0.5
"""Share of a face inside the picture below which it is ignored rather than learnt."""
MOST_ENLARGED = 2.5
"""A face blown up further is a blur that teaches edges no camera has."""
DOOR_JITTER = (-0.35, 0.3)
"""Bounds of the logarithm of the scale, about the device's own."""
DOOR_WITH_FACE = 0.8
"""Share of parts of a photograph that are cut around a face rather than anywhere."""


@dataclass(frozen=True, slots=True)
class Source:
    """One photograph with what is in it, ready to be placed.

    *paintable* (N,) tells which faces are known to be bare, with landmarks to paint by.
    *negatives* (M, 4) are places that were once taken for a face and are none.
    """

    path: Path
    scene: Scene
    paintable: npt.NDArray[np.bool_]
    negatives: Floats = field(default_factory=no_boxes)


@dataclass(frozen=True, slots=True)
class Mixture:
    """How pictures are composed.

    *whole*, *door*, *zoom* and *mosaic* are the shares of pictures shown whole, cut from the
    photograph at the scale the device sees it at, zoomed onto one face drawn at random, and
    tiled from four; they add up to 1.  *painted* is the
    share of bare faces that get a mask; *smallest* and *largest* bound the side of a face
    zoomed onto, as a share of the picture.  *strength* is :func:`cheap_camera`'s.  *profile* is
    how much likelier a face seen from the side, and a photograph that has one, is to be drawn.
    *negatives* is the share of pictures that show one of the places which look like a face and
    are none ("hard negatives"), where there are any; the shares above are of the others.
    *tilted* is the share of photographs that are turned, by up to *tilt* degrees to either side:
    heads lean, and cameras hang askew.  *covered* is the share of faces behind something.
    *detail* is how many times the card's pixels a gate may give the device's input, 1 or more:
    parts cut at the device's scale are shown with as many, or fewer.
    """

    whole: float = 0.15
    door: float = 0.40
    zoom: float = 0.30
    mosaic: float = 0.15
    painted: float = 0.30
    smallest: float = 0.035
    largest: float = 0.95
    strength: float = 0.6
    profile: float = 1.0
    negatives: float = 0.0
    tilted: float = 0.0
    tilt: float = 30.0
    covered: float = 0.0
    detail: float = 1.0


def seen_from_the_side(landmarks: Floats) -> npt.NDArray[np.bool_]:
    """Return which of the faces with *landmarks* (N, 5, 2) have their nose below an eye or beyond.

    Faces whose landmarks are unknown are none of them.
    """
    across = landmarks[:, 1] - landmarks[:, 0]
    out = landmarks[:, 2] - landmarks[:, 0]
    place = (out * across).sum(axis=1) / np.maximum((across**2).sum(axis=1), 1e-6)
    return np.asarray(np.abs(place - 0.5) >= 0.5)


def source_of(record: PictureRecord, negatives: Mapping[str, Floats] | None = None) -> Source:
    """Return what the detector learns from *record*; every face but ignore regions counts.

    *negatives* holds boxes (M, 4) of what looks like a face and is none, by a picture's name.
    """
    wanted = [face for face in record.faces if not face.ignore]
    unknown = np.full((LANDMARKS, 2), np.nan, np.float32)
    points = [unknown if f.landmarks is None else np.array(f.landmarks) for f in wanted]
    scene = Scene(
        boxes=np.array([f.box for f in wanted], np.float32).reshape(-1, 4),
        landmarks=np.array(points, np.float32).reshape(-1, LANDMARKS, 2),
        ignore=np.array([f.box for f in record.faces if f.ignore], np.float32).reshape(-1, 4),
    )
    bare = [f.label == "without_mask" and f.landmarks is not None for f in wanted]
    misleading = (negatives or {}).get(record.path.name, no_boxes())
    return Source(record.path, scene, np.array(bare, bool), misleading)


def compose(
    sources: Sequence[Source],
    images: dict[Path, Image],
    weights: Floats,
    size: int,
    pixels: int,
    mixture: Mixture,
    rng: np.random.Generator,
) -> tuple[Image, Scene]:
    """Return one training picture (size, size, 3) uint8 and its scene.

    *weights* (len(sources),) are the odds of each photograph; *images* holds them by path;
    *pixels* is the area of the device's input.
    """
    canvas = np.empty((size, size, 3), np.uint8)
    kind = rng.random()
    canvas[:] = rng.integers(0, 256, 3) if rng.random() < 0.5 else 127
    whole = (0, 0, size, size)
    parts = []
    # Nothing is drawn where there are none, so that trainings before there were repeat.
    if mixture.negatives and rng.random() < mixture.negatives * any(map(_misleads, sources)):
        counts = np.array([len(source.negatives) for source in sources], np.float64)
        source = sources[int(rng.choice(len(sources), p=_shares(counts)))]
        image, aims = images[source.path], source.negatives
        if rng.random() < 0.5:
            place = _zoomed(aims, np.ones(len(aims)), image.shape, whole, mixture, rng)
        else:
            area = _area(pixels, mixture, rng)
            place = _at_the_door(aims, np.ones(len(aims)), image.shape, whole, area, rng)
        parts.append(_put(canvas, image, source, whole, *place, _angle(mixture, rng)))
        regions = []
    elif kind < mixture.mosaic:
        column, row = (int(v) for v in rng.uniform(0.3, 0.7, 2) * size)
        regions = [
            (0, 0, column, row),
            (column, 0, size, row),
            (0, row, column, size),
            (column, row, size, size),
        ]
    else:
        regions = [whole]
    for region in regions:
        source = sources[int(rng.choice(len(sources), p=weights))]
        image, aims = images[source.path], source.scene.boxes
        odds = np.where(seen_from_the_side(source.scene.landmarks), mixture.profile, 1.0)
        zooms = kind < mixture.mosaic + mixture.zoom and len(aims) > 0
        if zooms and (len(regions) == 1 or rng.random() < 0.6):
            place = _zoomed(aims, odds, image.shape, region, mixture, rng)
        elif kind < 1 - mixture.whole and len(regions) == 1:
            area = _area(pixels, mixture, rng)
            place = _at_the_door(aims, odds, image.shape, region, area, rng)
        else:
            place = _fitted(image.shape, region, rng)
        parts.append(_put(canvas, image, source, region, *place, _angle(mixture, rng)))
    scene = Scene(
        np.concatenate([p.scene.boxes for p in parts]),
        np.concatenate([p.scene.landmarks for p in parts]),
        np.concatenate([p.scene.ignore for p in parts]),
    )
    paintable = np.concatenate([p.paintable for p in parts])
    canvas = _paint(canvas, scene, paintable, mixture, rng)
    if mixture.covered:
        canvas = cover_faces(canvas, scene, mixture.covered, rng)
    if rng.random() < 0.5:
        canvas, scene = _mirror(canvas, scene)
    return cheap_camera(canvas, rng, mixture.strength), scene


def _at_the_door(
    aims: Floats,
    odds: npt.NDArray[np.float64],
    shape: tuple[int, ...],
    region: tuple[int, int, int, int],
    pixels: int,
    rng: np.random.Generator,
) -> tuple[float, Floats]:
    """Return scale and shift that show a part of the photograph about as large as the device does.

    *odds* (N,) are those of each of the boxes *aims* (N, 4) to be in it.
    What is small there must be small here: a photograph squeezed into a training picture
    would teach faces from 2 m as if they stood 3 m away.
    """
    left, top, right, bottom = region
    across, down = input_shape(shape[1], shape[0], pixels)
    scale = min(across / shape[1], down / shape[0]) * float(np.exp(rng.uniform(*DOOR_JITTER)))
    scale = min(scale, MOST_ENLARGED)
    room = np.array([right - left, bottom - top], np.float64)
    slack = room - np.array([shape[1], shape[0]]) * scale
    sides = (aims[:, 2:] - aims[:, :2]).max(axis=1, initial=0) * scale
    seen = np.flatnonzero(sides >= SMALLEST_FACE)
    shift = np.array([left, top]) + rng.random(2) * slack
    if len(seen) and rng.random() < DOOR_WITH_FACE:
        box = aims[rng.choice(seen, p=_shares(odds[seen]))]
        middle = (box[:2] + box[2:]) / 2 * scale
        target = rng.uniform(0.1, 0.9, 2) * room
        # Around that face, but not beyond the photograph's own edges.
        offset = np.clip(target - middle, np.minimum(slack, 0), np.maximum(slack, 0))
        shift = np.array([left, top]) + np.where(slack < 0, offset, rng.random(2) * slack)
    return scale, shift.astype(np.float32)


def _area(pixels: int, mixture: Mixture, rng: np.random.Generator) -> int:
    """Return how many pixels the input of some gate has, whose card says *pixels*."""
    # As with lookalikes, nothing is drawn where all gates are alike.
    if mixture.detail == 1:
        return pixels
    return round(pixels * mixture.detail ** rng.random())


def _angle(mixture: Mixture, rng: np.random.Generator) -> float:
    """Return by how many degrees the next photograph is turned."""
    # As with lookalikes, nothing is drawn where none is tilted.
    if not mixture.tilted or rng.random() >= mixture.tilted:
        return 0.0
    return float(rng.uniform(-mixture.tilt, mixture.tilt))


def _misleads(source: Source) -> bool:
    return len(source.negatives) > 0


def _shares(odds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return odds / odds.sum()


def _fitted(
    shape: tuple[int, ...], region: tuple[int, int, int, int], rng: np.random.Generator
) -> tuple[float, Floats]:
    """Return scale and shift that show the whole photograph, or nearly, in *region*."""
    left, top, right, bottom = region
    fits = sorted([(right - left) / shape[1], (bottom - top) / shape[0]])
    # From all of it with a margin to as much as covers the region, and a little beyond.
    scale = float(rng.uniform(0.9 * fits[0], min(1.1 * fits[1], 2 * fits[0])))
    slack = np.array([right - left - shape[1] * scale, bottom - top - shape[0] * scale])
    shift = np.array([left, top]) + rng.random(2) * slack
    return scale, shift.astype(np.float32)


def _zoomed(
    aims: Floats,
    odds: npt.NDArray[np.float64],
    shape: tuple[int, ...],
    region: tuple[int, int, int, int],
    mixture: Mixture,
    rng: np.random.Generator,
) -> tuple[float, Floats]:
    """Return scale and shift that show one of the boxes *aims*, by *odds*, at a size at random."""
    left, top, right, bottom = region
    side = min(right - left, bottom - top)
    box = aims[rng.choice(len(odds), p=_shares(odds))]
    face = float(max(box[2] - box[0], box[3] - box[1]))
    wanted = side * np.exp(rng.uniform(np.log(mixture.smallest), np.log(mixture.largest)))
    # Never so far away that the photograph becomes a stamp, nor so near that it blurs.
    farthest = 0.8 * side / max(shape[:2])
    scale = float(np.clip(max(wanted, SMALLEST_FACE) / face, farthest, MOST_ENLARGED))
    half = face * scale / 2
    low = np.array([left, top]) + half * 0.8
    high = np.array([right, bottom]) - half * 0.8
    target = np.where(high > low, rng.uniform(low, np.maximum(high, low + 1e-3)), (low + high) / 2)
    middle = (box[:2] + box[2:]) / 2
    return scale, (target - middle * scale).astype(np.float32)


def _put(
    canvas: Image,
    image: Image,
    source: Source,
    region: tuple[int, int, int, int],
    scale: float,
    shift: Floats,
    angle: float = 0.0,
) -> Source:
    """Draw *image* into *region* of *canvas* and return its faces in the canvas' pixels.

    It is turned by *angle*, in degrees, about the middle of *region*.
    """
    left, top, right, bottom = region
    tilt = Tilt(angle, ((left + right) / 2, (top + bottom) / 2))
    origin = np.array([left, top], np.float32)
    if scale < 0.5:
        image = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    step = scale * (2 if scale < 0.5 else 1)
    matrix = tilt.matrix(step, shift)
    matrix[:, 2] -= origin
    cv2.warpAffine(
        image,
        matrix,
        (right - left, bottom - top),
        dst=(tile := np.ascontiguousarray(canvas[top:bottom, left:right])),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )
    canvas[top:bottom, left:right] = tile
    limits = np.array([left, top, right, bottom], np.float32)
    boxes, seen = _clipped(tilt.faces(source.scene.boxes * scale + np.tile(shift, 2)), limits)
    sides = boxes[:, 2:] - boxes[:, :2]
    wanted = (seen >= LEAST_VISIBLE) & (np.maximum(sides[:, 0], sides[:, 1]) >= SMALLEST_FACE)
    partly = (seen > 0) & ~wanted
    ignore, ignore_seen = _clipped(
        tilt.regions(source.scene.ignore * scale + np.tile(shift, 2)), limits
    )
    points = tilt.points(source.scene.landmarks * scale + shift)
    inside = np.all((points >= origin) & (points < limits[2:]), axis=(1, 2))
    points[~inside] = np.nan
    scene = Scene(
        boxes[wanted], points[wanted], np.concatenate([ignore[ignore_seen > 0], boxes[partly]])
    )
    return Source(source.path, scene, (source.paintable & inside)[wanted])


def _clipped(boxes: Floats, limits: Floats) -> tuple[Floats, Floats]:
    """Return *boxes* cut to *limits* and the share of each that is left."""
    low = np.clip(boxes[:, :2], limits[:2], limits[2:])
    high = np.clip(boxes[:, 2:], limits[:2], limits[2:])
    whole = np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1e-6)
    share = (high - low).prod(axis=1) / whole
    return np.concatenate([low, high], axis=1).astype(np.float32), share.astype(np.float32)


def _paint(
    canvas: Image,
    scene: Scene,
    paintable: npt.NDArray[np.bool_],
    mixture: Mixture,
    rng: np.random.Generator,
) -> Image:
    """Put masks on a share of the bare faces; the nearest six at most, for time's sake."""
    chosen = np.flatnonzero(paintable & (rng.random(len(paintable)) < mixture.painted))
    sizes = scene.boxes[chosen, 2] - scene.boxes[chosen, 0]
    for i in chosen[np.argsort(-sizes)][:6]:
        canvas = paint_mask(canvas, scene.landmarks[i], random_style(rng), rng)
    return canvas


def _mirror(canvas: Image, scene: Scene) -> tuple[Image, Scene]:
    width = np.float32(canvas.shape[1])

    def turned(boxes: Floats) -> Floats:
        return np.stack(
            [width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1
        )

    # A mirrored right eye is a left one.
    points = scene.landmarks[:, [1, 0, 2, 4, 3]].copy()
    points[..., 0] = width - points[..., 0]
    return (
        np.ascontiguousarray(canvas[:, ::-1]),
        Scene(turned(scene.boxes), points, turned(scene.ignore)),
    )
