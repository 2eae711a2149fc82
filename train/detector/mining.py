"""Finds what a detector takes for a face where no label says there is one.

The places are for a person to look at: hard negatives to train on, or faces that a source
forgot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.vision.crop import Image
from edge.vision.detector import Faces
from edge.vision.geometry import Boxes, areas, iou_matrix, overlap_areas
from train.data.lookalikes import UNCLEAR, Lookalike
from train.data.pictures import read_picture
from train.data.records import PictureRecord
from train.report.pictures import contact_sheet

LABELLED = 0.05
"""Share of a place that labels may cover; more, and it is a face's misplaced box."""
SAME = 0.3
"""Overlap from which two finds of one place are one."""
NEARER = 0.71
"""Side of the parts that are looked at beside the whole picture: people 1.4 times as near."""
SMALLEST_SHARE = 0.03
"""Of what is looked at; smaller ones are a blur that nobody can tell."""
TILE = 110
AROUND = 2.2
SHEET = 60


@dataclass(frozen=True, slots=True)
class Find:
    """A *place* that *score*, 0 to 1, takes for a face, in the picture at *path*."""

    score: float
    path: Path
    place: Lookalike


def find_lookalikes(
    detect: Callable[[Image], Faces],
    pictures: Sequence[PictureRecord],
    least_score: float,
    progress: Callable[[Sequence[PictureRecord]], Iterable[PictureRecord]] = iter,
) -> tuple[list[Find], list[Path]]:
    """Return what *detect* sees of *least_score* (0 to 1) or more beside all labels, best first.

    Each picture is looked at whole and in four parts.  Every place is said to be unclear, which
    training ignores, until a person has looked.  Returned too are the pictures that cannot be
    read.
    """
    finds, broken = [], []
    for record in progress(pictures):
        image = read_picture(record.path)
        if image is None:
            broken.append(record.path)
            continue
        labelled = np.array([face.box for face in record.faces], np.float32).reshape(-1, 4)
        for score, box in _unlabelled(detect, image, labelled, least_score):
            x0, y0, x1, y1 = (float(round(side)) for side in box)
            place = Lookalike(record.path.name, UNCLEAR, (x0, y0, x1, y1))
            finds.append(Find(score, record.path, place))
    finds.sort(key=lambda find: (-find.score, find.place.file, find.place.box))
    return finds, broken


def _unlabelled(
    detect: Callable[[Image], Faces], image: Image, labelled: Boxes, least_score: float
) -> list[tuple[float, npt.NDArray[np.float32]]]:
    height, width = image.shape[:2]
    wide, high = round(width * NEARER), round(height * NEARER)
    corners = [(x, y) for y in (0, height - high) for x in (0, width - wide)]
    views = [(0, 0, width, height), *((x, y, x + wide, y + high) for x, y in corners)]
    seen: list[tuple[float, npt.NDArray[np.float32]]] = []
    for left, top, right, bottom in views:
        faces = detect(np.ascontiguousarray(image[top:bottom, left:right]))
        boxes = faces.boxes + np.array([left, top, left, top], np.float32)
        covered = overlap_areas(boxes, labelled).sum(axis=1) / np.maximum(areas(boxes), 1)
        sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0)
        wanted = (covered < LABELLED) & (faces.scores >= least_score)
        wanted &= sides >= SMALLEST_SHARE * max(right - left, bottom - top)
        seen += [(float(faces.scores[i]), boxes[i]) for i in np.flatnonzero(wanted)]
    kept: list[tuple[float, npt.NDArray[np.float32]]] = []
    for score, box in sorted(seen, key=lambda one: -one[0]):
        others = np.array([other for _, other in kept], np.float32).reshape(-1, 4)
        if iou_matrix(box[None], others).max(initial=0) <= SAME:
            kept.append((score, box))
    return kept


def draw_finds(folder: Path, finds: Sequence[Find]) -> list[Path]:
    """Write contact sheets of *finds*, 60 a sheet with the CSV's line under each, into *folder*.

    Lines are counted as a text editor does, the header being 1.  Sheets of an earlier list, whose
    lines are others now, are removed.  Returns the sheets' paths.
    """
    sheets = []
    for start in range(0, len(finds), SHEET):
        tiles = [
            (_tile(find), (f"line {start + row + 2}  {find.score:.2f}", find.place.file[:18]))
            for row, find in enumerate(finds[start : start + SHEET])
        ]
        path = folder / f"lookalikes-{start // SHEET + 1:03d}.png"
        contact_sheet(path, tiles)
        sheets.append(path)
    for earlier in set(folder.glob("lookalikes-[0-9]*.png")) - set(sheets):
        earlier.unlink()
    return sheets


def _tile(find: Find) -> Image:
    image = read_picture(find.path)
    if image is None:
        return np.zeros((TILE, TILE, 3), np.uint8)
    x0, y0, x1, y1 = find.place.box
    scale = TILE / (AROUND * max(x1 - x0, y1 - y0))
    middle = np.array([x0 + x1, y0 + y1]) / 2
    moved = TILE / 2 - middle * scale
    matrix = np.array([[scale, 0, moved[0]], [0, scale, moved[1]]])
    tile = cv2.warpAffine(image, matrix, (TILE, TILE), flags=cv2.INTER_AREA)
    return np.asarray(tile, np.uint8)
