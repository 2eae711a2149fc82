"""Faces from far to so near that they fill the frame: the same photographs, cropped.

A public detector made for selfies misses far faces, one made for crowds the near ones.  Every
close face is cut out anew so that it takes a given share of a camera's frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import cv2
import numpy as np

from edge.errors import DataError
from edge.modelfile import LABELS
from edge.vision.crop import Image
from edge.vision.geometry import Boxes, iou_matrix
from train.data.pictures import read_picture
from train.data.records import Box, FaceRecord, PictureRecord
from train.evaluate.networks import Detect
from train.report.detection import MATCH_IOU
from train.report.metrics import bootstrap_by_group
from train.report.tables import aligned, percent_interval

WIDTH, HEIGHT = 640, 480
"""The frame, as a camera gives it: lying 4:3."""

SHARES = (0.04, 0.08, 0.15, 0.30, 0.50, 0.70, 0.85, 0.95)
CLOSE = 0.08
"""Only faces from that share of their photograph on: smaller ones would be enlarged to a blur."""

Progress = Callable[[Sequence[PictureRecord]], Iterable[PictureRecord]]


def closeup(image: Image, box: Box, share: float) -> tuple[Image, Boxes]:
    """Return a frame, (480, 640, 3) uint8, in which the face takes *share*, and its box (1, 4).

    *share* (above 0, to 1) is the longer side of *box* over the frame's width.  The frame is
    cut around the face, moved so that it shows as much of the photograph as it can, and what
    lies beyond is filled by repeating the edge.  A tall face above 0.75 is cut at forehead and
    chin, as a lying camera does; its box is the part in the frame.

    Raises ValueError when *box* has no area or *share* is not allowed.
    """
    x0, y0, x1, y1 = box
    longer = max(x1 - x0, y1 - y0)
    if not (x1 > x0 and y1 > y0 and 0 < share <= 1):
        raise ValueError(f"box {box} at share {share}: an area and a share from 0 to 1 are needed")
    scale = share * WIDTH / longer
    rows, columns = image.shape[:2]
    left = _start((x0 + x1) / 2, WIDTH / scale, columns)
    top = _start((y0 + y1) / 2, HEIGHT / scale, rows)
    if scale < 1:
        # Averaged first: the warp below reads 2 x 2 pixels and would skip the others.
        size = max(1, round(columns * scale)), max(1, round(rows * scale))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    across, down = scale * columns / image.shape[1], scale * rows / image.shape[0]
    # A pixel's middle lies half a pixel inside it, in both pictures.
    matrix = np.array(
        [
            [across, 0, across / 2 - 0.5 - left * scale],
            [0, down, down / 2 - 0.5 - top * scale],
        ]
    )
    frame = cv2.warpAffine(
        image, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    shown = (np.array(box) - (left, top, left, top)) * scale
    limits = (WIDTH, HEIGHT, WIDTH, HEIGHT)
    return np.asarray(frame, np.uint8), np.clip(shown, 0, limits).astype(np.float32)[None]


def _start(middle: float, length: float, available: int) -> float:
    """Return where a stretch of *length* around *middle* begins that leaves 0 to *available*
    as little as it can."""
    spare = available - length
    return float(np.clip(middle - length / 2, min(0.0, spare), max(0.0, spare)))


def evaluate_closeups(
    detect: Detect,
    pictures: Sequence[PictureRecord],
    shares: Sequence[float] = SHARES,
    repeats: int = 300,
    most: int = 200,
    seed: int = 0,
    progress: Progress = iter,
    scores: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Return the share of faces that *detect* finds, IoU 0.5 or more, per share of the frame.

    *detect* runs at its own operating threshold; *scores* names higher ones, and ``at`` then
    holds the recall of the detections that reach each.  At most *most* close labelled faces of
    *pictures* take part, drawn by *seed*, the same for every detector.  *repeats* bootstrap
    resamples by group make the intervals, 0 for none.  Raises DataError when no face is left.
    """
    close = [
        (number, face)
        for number, picture in enumerate(pictures)
        for face in picture.faces
        if _counts(face, CLOSE * max(picture.width, picture.height))
    ]
    if len(close) > most:
        drawn = np.random.default_rng(seed).choice(len(close), most, replace=False)
        close = [close[i] for i in sorted(drawn)]
    wanted: dict[int, list[FaceRecord]] = {}
    for number, face in close:
        wanted.setdefault(number, []).append(face)
    faces: list[FaceRecord] = []
    groups: list[str] = []
    best: list[list[float]] = []
    broken = []
    chosen = {id(pictures[number]): found for number, found in wanted.items()}
    for record in progress([pictures[number] for number in wanted]):
        image = read_picture(record.path)
        if image is None:
            broken.append(record.path.name)
            continue
        for face in chosen[id(record)]:
            faces.append(face)
            groups.append(record.group or record.path.name)
            best.append([_score(detect, *closeup(image, face.box, share)) for share in shares])
    if not faces:
        raise DataError(
            f"no close face is left: of {len(pictures)} pictures {len(broken)} cannot be read, "
            f"the others have none from {CLOSE:.0%} of their longer side on"
        )
    table = np.array(best, float).reshape(len(faces), len(shares))
    found = (table >= 0).astype(float)
    return {
        "faces": len(faces),
        "broken": broken,
        "shares": {
            f"{share:g}": {
                "recall": _recall(groups, found[:, column], repeats),
                "labels": {
                    label: _recall(*_only(groups, found[:, column], faces, label), 0)
                    for label in LABELS
                },
                "at": {
                    name: _recall(groups, (table[:, column] >= score).astype(float), repeats)
                    for name, score in (scores or {}).items()
                },
            }
            for column, share in enumerate(shares)
        },
    }


def closeups_table(result: dict[str, Any]) -> str:
    """Return *result* of :func:`evaluate_closeups` as aligned text."""
    rows = [
        (
            f"{float(share):.0%}", percent_interval(entry["recall"]),
            *(percent_interval(entry["labels"][label]) for label in LABELS),
        )
        for share, entry in result["shares"].items()
    ]
    head = ["face in the frame", f"found % of {result['faces']} [95 %]", *LABELS]
    return aligned(head, rows)


def _counts(face: FaceRecord, least: float) -> bool:
    longer = max(face.box[2] - face.box[0], face.box[3] - face.box[1])
    return face.label in LABELS and not face.ignore and longer >= least


def _score(detect: Detect, frame: Image, box: Boxes) -> float:
    """Return the best score of a detection that is the face in *box* (1, 4), -1 without any."""
    seen = detect(frame)
    right = iou_matrix(seen.boxes, box)[:, 0] >= MATCH_IOU
    return float(seen.scores[right].max(initial=-1))


def _only(
    groups: list[str], hits: Any, faces: Sequence[FaceRecord], label: str
) -> tuple[list[str], Any]:
    kept = [i for i, face in enumerate(faces) if face.label == label]
    return [groups[i] for i in kept], hits[kept]


def _recall(groups: list[str], hits: Any, repeats: int) -> dict[str, Any]:
    if not len(hits):
        return {"value": None}
    if not repeats:
        return {"value": float(hits.mean())}
    return asdict(bootstrap_by_group(groups, lambda i: float(hits[i].mean()), repeats))
