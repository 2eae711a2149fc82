"""Reader for COCO detection JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge.errors import DataError
from train.data.records import (
    DETECTION_LABELS,
    FaceRecord,
    PictureRecord,
    Points,
    checked_box,
    existing_picture,
    picture_size,
)


def read_coco(path: Path, images: Path | None = None) -> list[PictureRecord]:
    """Return the pictures of the COCO file at *path*, each with its faces.

    Categories are told by name: ``with_mask``, ``without_mask``, ``incorrect_mask``, and
    ``face`` for a face whose mask state is unknown.  ``iscrowd = 1`` is an ignore region.
    ``keypoints`` are five points ``x, y, visible``.  ``source`` and ``group`` of an image
    are read where present.  ``width`` and ``height`` must be those of the picture as it is shown,
    turned upright by EXIF.  Pictures lie in *images*, by default ``images/`` beside the file.

    Raises DataError that names file, entry, the value and what is allowed.
    """
    try:
        return _pictures(path, images)
    except RecursionError:
        raise DataError(
            f"{path}: lists within lists too deep to read; a COCO file has images, annotations "
            "and categories, each a list of objects"
        ) from None


def _pictures(path: Path, images: Path | None) -> list[PictureRecord]:
    listed, marked, named = _lists(path)
    categories = _categories(path, named)
    folder = images or (path.parent / "images")
    folder = folder if folder.is_dir() else path.parent
    pictures: dict[int | str, PictureRecord] = {}
    places: dict[int | str, int] = {}
    for number, entry in enumerate(listed):
        where = f"{path}: images[{number}]"
        key = _key(entry, where, "id, file_name, width and height are needed")
        if key in pictures:
            raise DataError(
                f"{where}: id {key!r} is that of images[{places[key]}] too; give every image an id "
                "of its own"
            )
        pictures[key], places[key] = _picture(entry, folder, where), number
    faces: dict[int | str, list[FaceRecord]] = {key: [] for key in pictures}
    for number, entry in enumerate(marked):
        if not isinstance(entry, dict):
            raise DataError(
                f"{path}: annotations[{number}] is {entry!r}; an object with image_id, "
                "category_id and bbox is needed"
            )
        where = f"{path}: annotations[{number}] (id {entry.get('id', '?')})"
        image = entry.get("image_id")
        if not isinstance(image, (int, str)) or image not in pictures:
            raise DataError(f"{where}: image_id {image!r} is not the id of any listed image")
        faces[image].append(_face(entry, pictures[image], categories, where))
    return [replace(picture, faces=tuple(faces[key])) for key, picture in pictures.items()]


def _lists(path: Path) -> list[list[Any]]:
    """Return the images, annotations and categories in the file at *path*."""
    names = ("images", "annotations", "categories")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        lists = [document[name] for name in names]
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; a COCO detection JSON is needed") from None
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}:{error.lineno}: column {error.colno}: not JSON: {error.msg}"
        ) from error
    # A ValueError is bytes that are no UTF-8, or an integer of thousands of digits.
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{path}: {error} is missing; a COCO file has images, annotations and categories"
        ) from error
    for name, entries in zip(names, lists, strict=True):
        if not isinstance(entries, list):
            raise DataError(f"{path}: {name} is no list; a COCO file lists objects there")
    if not lists[0]:
        raise DataError(f"{path}: lists no image; at least one is needed")
    return lists


def _categories(path: Path, named: list[Any]) -> dict[int | str, str]:
    categories: dict[int | str, str] = {}
    for number, entry in enumerate(named):
        where = f"{path}: categories[{number}]"
        key = _key(entry, where, "id and name are needed")
        label = entry.get("name")
        if label not in DETECTION_LABELS:
            raise DataError(
                f"{where}: category {label!r} is unknown; allowed are {', '.join(DETECTION_LABELS)}"
            )
        if categories.setdefault(key, label) != label:
            raise DataError(
                f"{where}: id {key!r} is {categories[key]} already, and {label} here; give every "
                "category an id of its own"
            )
    return categories


def _key(entry: Any, where: str, needed: str) -> int | str:
    """Return the id of *entry*, or raise DataError that says what is *needed* there."""
    if not isinstance(entry, dict):
        raise DataError(f"{where} is {entry!r}; an object is needed: {needed}")
    key = entry.get("id")
    if not isinstance(key, (int, str)):
        raise DataError(f"{where}: id {key!r} is no whole number or text; {needed}")
    return key


def _picture(entry: dict[str, Any], folder: Path, where: str) -> PictureRecord:
    try:
        file = folder / entry["file_name"]
        width, height = int(entry["width"]), int(entry["height"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{where}: {error}; id, file_name, width and height are needed") from error
    file = existing_picture(file, where)
    size = picture_size(file)
    # A broken picture has no size to compare with; it is skipped and counted later.
    if size is not None and size != (width, height):
        raise DataError(
            f"{where}: width and height are {width}x{height}, but {file} is "
            f"{size[0]}x{size[1]} pixels; were the boxes measured on another size of it? Measure "
            "them on this one, or put the picture back that they were measured on"
        )
    return PictureRecord(
        file, width, height, str(entry.get("source", "")), str(entry.get("group", ""))
    )


def _face(
    entry: dict[str, Any], picture: PictureRecord, categories: dict[int | str, str], where: str
) -> FaceRecord:
    number = entry.get("category_id")
    label = categories.get(number) if isinstance(number, (int, str)) else None
    if label is None:
        raise DataError(
            f"{where}: category_id {number!r} is unknown; "
            f"allowed are {', '.join(map(str, categories))}"
        )
    try:
        x, y, w, h = (float(value) for value in entry["bbox"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise DataError(
            f"{where}: bbox {entry.get('bbox')!r} is not four numbers x, y, width, height"
        ) from None
    box = checked_box((x, y, x + w, y + h), (picture.width, picture.height), f"{where}: bbox")
    return FaceRecord(
        picture=picture.path,
        box=box,
        label=label,
        source=picture.source,
        group=picture.group,
        landmarks=_landmarks(entry.get("keypoints"), where),
        ignore=bool(entry.get("iscrowd", 0)),
    )


def _landmarks(values: Any, where: str) -> Points | None:
    if not values:
        return None
    if not isinstance(values, list) or len(values) != 15:
        raise DataError(f"{where}: keypoints must be five times x, y, visible; got {values!r}")
    if not all(values[2::3]):
        return None
    try:
        points = tuple(
            (float(x), float(y)) for x, y in zip(values[0::3], values[1::3], strict=True)
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{where}: keypoints {values!r} are not all numbers") from error
    if not all(math.isfinite(side) for point in points for side in point):
        raise DataError(f"{where}: keypoints {values!r} are not all numbers")
    return points
