"""Reader for a CSV of face boxes: one line a face."""

from __future__ import annotations

import csv
from pathlib import Path

from edge.errors import DataError
from edge.modelfile import LABELS
from train.data.records import (
    FaceRecord,
    Points,
    checked_box,
    checked_label,
    existing_picture,
    picture_size,
)

REQUIRED = ("file", "x", "y", "w", "h", "label")
LANDMARKS = tuple(
    f"{name}_{axis}"
    for name in ("right_eye", "left_eye", "nose", "mouth_right", "mouth_left")
    for axis in "xy"
)


def read_faces_csv(path: Path, images: Path | None = None) -> list[FaceRecord]:
    """Return the faces listed in the CSV file at *path*.

    Columns ``file,x,y,w,h,label`` are needed, ``source,group`` and ten landmark columns
    (``right_eye_x`` ... ``mouth_left_y``, all filled or all empty) are read where present.
    Pictures lie in *images*; by default in ``images/`` beside the file, or else beside it.

    Raises DataError that names file, line, column, the value and what is allowed.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; a CSV with columns {','.join(REQUIRED)} is needed")
    folder = images or (path.parent / "images")
    folder = folder if folder.is_dir() else path.parent
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        try:
            columns = reader.fieldnames or ()
            missing = [name for name in REQUIRED if name not in columns]
            if missing:
                raise DataError(
                    f"{path}:1: column {', '.join(missing)} is missing; "
                    f"the first line must name {','.join(REQUIRED)}"
                )
            with_landmarks = all(name in columns for name in LANDMARKS)
            records = [
                _record(row, folder, f"{path}:{reader.line_num}", with_landmarks)
                for row in reader
            ]
        except (csv.Error, UnicodeDecodeError) as error:
            line = max(1, reader.line_num)
            raise DataError(
                f"{path}:{line}: not readable as CSV in UTF-8: {error}"
            ) from error
    if not records:
        raise DataError(f"{path}: lists no face; one line a face is needed below the header")
    return records


def _record(
    row: dict[str, str], folder: Path, where: str, with_landmarks: bool
) -> FaceRecord:
    name = row["file"] or ""
    if not name:
        raise DataError(f"{where}: column file is empty; it must name a picture in {folder}")
    picture = existing_picture(folder / name, f"{where}: column file")
    x, y, w, h = (_number(row, column, where) for column in ("x", "y", "w", "h"))
    label = checked_label(row["label"] or "", LABELS, f"{where}: column label")
    box = checked_box((x, y, x + w, y + h), picture_size(picture), f"{where}: columns x,y,w,h")
    return FaceRecord(
        picture=picture,
        box=box,
        label=label,
        source=row.get("source") or "",
        group=row.get("group") or "",
        landmarks=_landmarks(row, where) if with_landmarks else None,
    )


def _number(row: dict[str, str], column: str, where: str) -> float:
    value = row[column]
    try:
        return float(value)
    except (TypeError, ValueError):
        raise DataError(
            f"{where}: column {column}: {value!r} is not a number; pixels are needed, "
            "such as 12 or 12.5"
        ) from None


def _landmarks(row: dict[str, str], where: str) -> Points | None:
    filled = [bool(row[name]) for name in LANDMARKS]
    if not any(filled):
        return None
    if not all(filled):
        empty = LANDMARKS[filled.index(False)]
        raise DataError(f"{where}: column {empty} is empty; fill all ten landmark columns or none")
    values = [_number(row, name, where) for name in LANDMARKS]
    return tuple(zip(values[0::2], values[1::2], strict=True))
