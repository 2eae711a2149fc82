"""Places in training pictures that a detector took for a face and a person looked at."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from edge.files import write_whole
from train.data.corrections import FOLDER
from train.data.records import (
    UNKNOWN_FACE,
    FaceRecord,
    PictureRecord,
    checked_box,
    checked_label,
    picture_size,
)
from train.data.tables import read_table

NO_FACE, UNCLEAR = "no_face", "unclear"
COLUMNS = ("file", "seen", "x0", "y0", "x1", "y1")

Boxes = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Lookalike:
    """A place in the picture *file* that no label covers, and what a person *seen* there.

    *seen* is ``no_face`` (a hand, a wheel, the back of a head) or ``unclear``: a face that
    its source forgot, a picture or a doll of one, or too little to tell.  *box* is ``x0, y0,
    x1, y1`` in pixels.
    """

    file: str
    seen: str
    box: tuple[float, float, float, float]


def read_lookalikes(name: str) -> list[Lookalike]:
    """Return the rows of the CSV *name* in ``train/labels``, columns ``file,seen,x0,y0,x1,y1``.

    A *name* that is a whole path is that file.
    Raises DataError that names file, line, the value and what is allowed.
    """
    rows = read_table(FOLDER / name, COLUMNS, "lookalikes")
    return [_lookalike(row, where) for where, row in rows]


def _lookalike(row: dict[str, str], where: str) -> Lookalike:
    sides = [row[column] for column in COLUMNS[2:]]
    try:
        x0, y0, x1, y1 = (float(side) for side in sides)
    except ValueError:
        raise DataError(f"{where}: box {sides} is not four numbers of pixels") from None
    if not (x0 < x1 and y0 < y1):
        raise DataError(f"{where}: box {sides} has no area; x0 < x1 and y0 < y1 are needed")
    seen = checked_label(row["seen"], (NO_FACE, UNCLEAR), f"{where}: column seen")
    return Lookalike(row["file"], seen, (x0, y0, x1, y1))


def carried_over(found: Sequence[Lookalike], known: Sequence[Lookalike]) -> list[Lookalike]:
    """Return *found* as a person has seen them in *known*, then what of *known* is not among them.

    Two are the same place where file and box agree.
    """
    seen = {(place.file, place.box): place.seen for place in known}
    again = {(place.file, place.box) for place in found}
    return [
        *(replace(place, seen=seen.get((place.file, place.box), place.seen)) for place in found),
        *(place for place in known if (place.file, place.box) not in again),
    ]


def write_lookalikes(path: Path, places: Sequence[Lookalike]) -> None:
    """Write *places* to *path* as :func:`read_lookalikes` reads them, whole or not at all."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((p.file, p.seen, *(f"{side:g}" for side in p.box)) for p in places)
    write_whole(path, text.getvalue())


def unclear_ignored(
    records: Sequence[PictureRecord], places: Sequence[Lookalike]
) -> list[PictureRecord]:
    """Return *records* with an ignore region at each of the *places* that is unclear."""
    regions: dict[str, list[Lookalike]] = {}
    for place in places:
        if place.seen == UNCLEAR:
            regions.setdefault(place.file, []).append(place)
    return [
        replace(record, faces=(*record.faces, *(
            FaceRecord(
                record.path, place.box, UNKNOWN_FACE, record.source, record.group, ignore=True
            )
            for place in regions.get(record.path.name, ())
        )))
        for record in records
    ]


def no_faces(folder: Path, places: Sequence[Lookalike]) -> list[FaceRecord]:
    """Return the *places* that are no face and whose picture lies in *folder*, labelled so.

    Of the other pictures nothing is known here: the list is of one collection, *folder* may
    hold another.  Raises DataError when a box lies outside its picture.
    """
    return [
        FaceRecord(path, checked_box(place.box, picture_size(path), str(path)), NO_FACE)
        for place in places
        if place.seen == NO_FACE and (path := folder / place.file).is_file()
    ]


def hard_negatives(places: Sequence[Lookalike]) -> dict[str, Boxes]:
    """Return the boxes (N, 4) of *places* that are no face, by the name of their picture."""
    boxes: dict[str, list[tuple[float, float, float, float]]] = {}
    for place in places:
        if place.seen == NO_FACE:
            boxes.setdefault(place.file, []).append(place.box)
    return {file: np.array(found, np.float32) for file, found in boxes.items()}
