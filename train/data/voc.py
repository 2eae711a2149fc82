"""Reader for Pascal VOC: one XML file a picture."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from edge.errors import DataError
from edge.vision.picture import PICTURE_SUFFIXES
from train.data.records import (
    DETECTION_LABELS,
    FaceRecord,
    PictureRecord,
    checked_box,
    checked_label,
    existing_picture,
    is_file,
    picture_size,
)

# The names that the widely used public VOC sets give to the same three states.
ALIASES = {
    "mask_weared_incorrect": "incorrect_mask",
    "mask": "with_mask",
    "face_mask": "with_mask",
    "no_mask": "without_mask",
}


def read_voc(folder: Path) -> list[PictureRecord]:
    """Return the pictures of a Pascal VOC *folder*, each with its faces.

    XML files lie in ``Annotations/`` or ``annotations/`` or in the folder itself, pictures in
    ``JPEGImages/``, ``images/`` or beside the XML.  ``difficult`` objects are ignore regions.
    Names such as ``mask_weared_incorrect`` are understood as our labels.

    Raises DataError that names the file, the object, the value and what is allowed.
    """
    at = next((folder / n for n in ("Annotations", "annotations") if (folder / n).is_dir()), folder)
    files = sorted(at.glob("*.xml"))
    if not files:
        raise DataError(f"{folder}: holds no .xml file, here or in Annotations/")
    places = [folder / n for n in ("JPEGImages", "images") if (folder / n).is_dir()] + [at, folder]
    return [_picture(file, places, folder.name) for file in files]


def _picture(file: Path, places: list[Path], source: str) -> PictureRecord:
    try:
        root = ElementTree.parse(file).getroot()
    except ElementTree.ParseError as error:
        line, column = error.position
        raise DataError(f"{file}:{line}: column {column}: not XML: {error}") from error
    name = (root.findtext("filename") or "").strip()
    stem = Path(name.replace("\\", "/")).stem or file.stem
    found = [
        place / f"{stem}{suffix}"
        for place in places
        for suffix in sorted(PICTURE_SUFFIXES | {Path(name).suffix.lower()} - {""})
        if is_file(place / f"{stem}{suffix}", str(file))
    ]
    path = found[0] if found else existing_picture(places[0] / (name or f"{stem}.jpg"), str(file))
    size = picture_size(path)
    faces = tuple(
        _face(entry, path, size, source, f"{file}: object {number}")
        for number, entry in enumerate(root.iter("object"), start=1)
    )
    return PictureRecord(path, *(size or (0, 0)), source, "", faces)


def _face(
    entry: ElementTree.Element, path: Path, size: tuple[int, int] | None, source: str, where: str
) -> FaceRecord:
    name = (entry.findtext("name") or "").strip()
    label = checked_label(ALIASES.get(name, name), DETECTION_LABELS, f"{where}: name")
    values = []
    for corner in ("xmin", "ymin", "xmax", "ymax"):
        text = entry.findtext(f"bndbox/{corner}")
        try:
            values.append(float(text or ""))
        except ValueError:
            raise DataError(f"{where}: {corner} {text!r} is not a number of pixels") from None
    x0, y0, x1, y1 = values
    box = checked_box((x0, y0, x1, y1), size, f"{where}: bndbox")
    ignore = (entry.findtext("difficult") or "0").strip() == "1"
    return FaceRecord(path, box, label, source, ignore=ignore)
