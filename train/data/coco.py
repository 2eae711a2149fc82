"""Reader for COCO detection JSON."""

from __future__ import annotations

import json
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
)


def read_coco(path: Path, images: Path | None = None) -> list[PictureRecord]:
    """Return the pictures of the COCO file at *path*, each with its faces.

    Categories are told by name: ``with_mask``, ``without_mask``, ``incorrect_mask``, and
    ``face`` for a face whose mask state is unknown.  ``iscrowd = 1`` is an ignore region.
    ``keypoints`` are five points ``x, y, visible``.  ``source`` and ``group`` of an image
    are read where present.  Pictures lie in *images*, by default ``images/`` beside the file.

    Raises DataError that names file, entry, the value and what is allowed.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        listed, marked = document["images"], document["annotations"]
        categories = {entry["id"]: entry["name"] for entry in document["categories"]}
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; a COCO detection JSON is needed") from None
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}:{error.lineno}: column {error.colno}: not JSON: {error.msg}"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{path}: {error} is missing; a COCO file has images, annotations and categories"
        ) from error
    for name, entries in (("images", listed), ("annotations", marked)):
        if not isinstance(entries, list):
            raise DataError(f"{path}: {name} is no list; a COCO file lists objects there")
    if not listed:
        raise DataError(f"{path}: lists no image; at least one is needed")
    unknown = sorted(set(categories.values()) - set(DETECTION_LABELS))
    if unknown:
        raise DataError(
            f"{path}: category {unknown[0]!r} is unknown; allowed are {', '.join(DETECTION_LABELS)}"
        )
    folder = images or (path.parent / "images")
    folder = folder if folder.is_dir() else path.parent
    pictures = {}
    for number, entry in enumerate(listed):
        where = f"{path}: images[{number}]"
        try:
            file = existing_picture(folder / entry["file_name"], where)
            pictures[entry["id"]] = PictureRecord(
                path=file,
                width=int(entry["width"]),
                height=int(entry["height"]),
                source=str(entry.get("source", "")),
                group=str(entry.get("group", "")),
            )
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(
                f"{where}: {error}; id, file_name, width and height are needed"
            ) from error
    faces: dict[Any, list[FaceRecord]] = {key: [] for key in pictures}
    for number, entry in enumerate(marked):
        if not isinstance(entry, dict):
            raise DataError(
                f"{path}: annotations[{number}] is {entry!r}; an object with image_id, "
                "category_id and bbox is needed"
            )
        where = f"{path}: annotations[{number}] (id {entry.get('id', '?')})"
        key = entry.get("image_id")
        picture = pictures.get(key) if isinstance(key, (int, str)) else None
        if picture is None:
            raise DataError(
                f"{where}: image_id {key!r} is not the id of any listed image"
            )
        faces[key].append(_face(entry, picture, categories, where))
    return [
        PictureRecord(p.path, p.width, p.height, p.source, p.group, tuple(faces[key]))
        for key, p in pictures.items()
    ]


def _face(
    entry: dict[str, Any], picture: PictureRecord, categories: dict[Any, str], where: str
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
    except (KeyError, TypeError, ValueError):
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
        return tuple((float(x), float(y)) for x, y in zip(values[0::3], values[1::3], strict=True))
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: keypoints {values!r} are not all numbers") from error
