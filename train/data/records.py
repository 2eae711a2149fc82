"""What every reader returns: faces in pictures, as plain values."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage

from edge.errors import DataError
from edge.modelfile import LABELS

UNKNOWN_FACE = "face"
DETECTION_LABELS = (*LABELS, UNKNOWN_FACE)

# The least share of a box that must lie in its picture.  Boxes are drawn around the whole
# head of a person cut by the frame; one with less in sight was measured on another picture.
VISIBLE_SHARE = 0.2

# EXIF 2.32, tag 0x0112: in these orientations rows are stored as columns.
ORIENTATION_TAG = 0x0112
ON_ITS_SIDE = (5, 6, 7, 8)

Box = tuple[float, float, float, float]
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class FaceRecord:
    """One labelled face: *box* is ``x0, y0, x1, y1`` and *landmarks* five points, in pixels.

    *ignore* marks a region that is neither a face to find nor background.  *group* names
    the near-duplicates that must stay on one side of a split; empty until it is known.
    """

    picture: Path
    box: Box
    label: str
    source: str = ""
    group: str = ""
    landmarks: Points | None = None
    ignore: bool = False


@dataclass(frozen=True, slots=True)
class PictureRecord:
    """One picture of *width* x *height* pixels with every face a source marked in it."""

    path: Path
    width: int
    height: int
    source: str = ""
    group: str = ""
    faces: tuple[FaceRecord, ...] = ()


def landmarks_array(record: FaceRecord) -> npt.NDArray[np.float32] | None:
    """Return the five landmarks of *record* as (5, 2) float32 pixels, or None."""
    return None if record.landmarks is None else np.array(record.landmarks, np.float32)


def faces_of(pictures: Iterable[PictureRecord]) -> list[FaceRecord]:
    """Return the faces of *pictures* whose mask state is known and that are not to be ignored."""
    return [
        face
        for picture in pictures
        for face in picture.faces
        if face.label in LABELS and not face.ignore
    ]


def picture_size(path: Path) -> tuple[int, int] | None:
    """Return (width, height) of the picture at *path*, turned upright by EXIF, from its header.

    None where it is broken, or larger than Pillow dares to open.
    """
    try:
        with PillowImage.open(path) as picture:
            width, height = picture.size
            on_its_side = _orientation(picture) in ON_ITS_SIDE
    except (OSError, ValueError, SyntaxError, PillowImage.DecompressionBombError):
        return None
    return (height, width) if on_its_side else (width, height)


def _orientation(picture: PillowImage.Image) -> int:
    # Not picture.getexif(): that decodes a whole PNG, and heeds XMP, which OpenCV does not.
    exif = PillowImage.Exif()
    try:
        exif.load(picture.info.get("exif", b""))
        return int(exif.get(ORIENTATION_TAG, 1))
    except (OSError, ValueError, SyntaxError, TypeError, KeyError, struct.error):
        return 1


def checked_box(box: Box, size: tuple[int, int] | None, where: str) -> Box:
    """Return *box*, or raise DataError naming *where* it was read when it cannot be a face.

    *size* is (width, height) of the picture, None where the picture cannot be opened: then
    only the box itself is checked and the picture is skipped and counted later.
    """
    x0, y0, x1, y1 = box
    given = f"x={x0:g} y={y0:g} w={x1 - x0:g} h={y1 - y0:g}"
    if not all(np.isfinite(box)) or x1 <= x0 or y1 <= y0:
        raise DataError(f"{where}: box {given} has no area; w and h must be positive pixels")
    if size is None:
        return box
    width, height = size
    seen_x = min(x1, width) - max(x0, 0.0)
    seen_y = min(y1, height) - max(y0, 0.0)
    if min(seen_x, seen_y) <= 0 or seen_x * seen_y < VISIBLE_SHARE * (x1 - x0) * (y1 - y0):
        raise DataError(
            f"{where}: box {given} lies outside the picture, which is {width}x{height} pixels; "
            "were the boxes measured on another size of it?"
        )
    return box


def checked_label(label: str, allowed: Sequence[str], where: str) -> str:
    """Return *label*, or raise DataError naming *where* and what is *allowed*."""
    if label not in allowed:
        raise DataError(f"{where}: label {label!r} is unknown; allowed are {', '.join(allowed)}")
    return label


def existing_picture(path: Path, where: str) -> Path:
    """Return *path*, or raise DataError naming *where* it was asked for when it is missing."""
    if not is_file(path, where):
        raise DataError(f"{where}: picture {path} does not exist; copy it there or drop the line")
    return path


def is_file(path: Path, where: str) -> bool:
    """Tell whether *path* is a file.

    Raises DataError naming *where* it was asked for when that cannot be told, as of a name that
    no file system takes.
    """
    try:
        return path.is_file()
    except OSError as error:
        raise DataError(
            f"{where}: picture {path} cannot be looked for ({error.strerror or error}); name one "
            "that can be read"
        ) from error


def with_groups(records: Sequence[FaceRecord], groups: Sequence[str]) -> list[FaceRecord]:
    """Return *records* with their group replaced by the one in *groups* at the same place."""
    return [replace(record, group=group) for record, group in zip(records, groups, strict=True)]


def data_checksum(records: Iterable[FaceRecord]) -> str:
    """Return a SHA-256 over names, sizes and labels of *records*, whatever their order.

    It tells two trainings whether they saw the same data; it does not read the pixels.
    """
    lines = set()
    for record in records:
        size = record.picture.stat().st_size if record.picture.is_file() else -1
        box = " ".join(f"{value:.2f}" for value in record.box)
        lines.add(
            f"{record.picture.name}\t{size}\t{box}\t{record.label}\t{record.group}\t"
            f"{int(record.ignore)}\n"
        )
    # A file's name need not be UTF-8: Python keeps its other bytes as surrogates.
    content = "".join(sorted(lines)).encode("utf-8", "surrogateescape")
    return hashlib.sha256(content).hexdigest()
