"""Reader for the folder-per-class layout: ``with_mask/ without_mask/ [incorrect_mask/]``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from edge.errors import DataError
from edge.modelfile import LABELS
from edge.vision.crop import Image
from edge.vision.picture import PICTURE_SUFFIXES
from train.data.pictures import read_picture
from train.data.records import Box, FaceRecord, Points

if TYPE_CHECKING:
    from edge.vision.detector import Faces

# Portrait sets are often cut so tight that a detector, which wants some surroundings, sees
# nothing; such a picture is small and not far from square.
TIGHT_SIDE = 256
TIGHT_ASPECT = 1.5
BORDER = 0.5


class Detect(Protocol):
    """Our face detector, or anything that finds faces like it."""

    def __call__(self, image: Image, /) -> Faces:
        """Return the faces in *image*, (H, W, 3) BGR uint8."""
        ...


@dataclass(frozen=True, slots=True)
class FolderReading:
    """The faces found in the pictures of a folder, and what could not be used."""

    records: list[FaceRecord]
    whole_pictures: int
    without_face: tuple[Path, ...]
    broken: tuple[Path, ...]


def is_folder_per_class(folder: Path) -> bool:
    """Tell whether *folder* holds ``with_mask/`` and ``without_mask/``."""
    return all((folder / label).is_dir() for label in LABELS[:2])


def detect_in_class_folders(folder: Path, detector: Path | None = None) -> Detect | None:
    """Return the face detector in the file *detector*, or the released one.

    None where *folder* is another layout, whose faces have boxes already.
    """
    if not is_folder_per_class(folder):
        return None
    from edge.modelfile import read_model, released_model
    from edge.vision.detector import FaceDetector

    path = detector or released_model("face-detector")
    return FaceDetector(read_model(path, "face-detector")).detect


def read_folders(folder: Path, detect: Detect) -> FolderReading:
    """Return the largest face of every picture in the class folders of *folder*.

    *detect* is our face detector.  A picture it finds no face in is tried again with a
    border around it, because faces that fill the frame are the usual reason; a small,
    roughly square picture is then taken whole (and counted), any other is left out and
    named.  Of several faces only the largest is taken: the folder labels one.

    Raises DataError when a class folder is missing or none holds a picture.
    """
    missing = [label for label in LABELS[:2] if not (folder / label).is_dir()]
    if missing:
        raise DataError(
            f"{folder}: has no folder {missing[0]}/; with_mask/ and without_mask/ are needed, "
            "incorrect_mask/ is optional"
        )
    records, without_face, broken, whole = [], [], [], 0
    for label in LABELS:
        for path in sorted((folder / label).rglob("*")):
            if path.suffix.lower() not in PICTURE_SUFFIXES:
                continue
            image = read_picture(path)
            if image is None:
                broken.append(path)
                continue
            found = _largest_face(image, detect)
            if found is None and _is_tight(image):
                height, width = image.shape[:2]
                found, whole = ((0.0, 0.0, float(width), float(height)), None), whole + 1
            if found is None:
                without_face.append(path)
                continue
            records.append(FaceRecord(path, found[0], label, folder.name, "", found[1]))
    if not records:
        raise DataError(
            f"{folder}: no face in any picture of {', '.join(LABELS)}/ "
            f"({len(broken)} broken, {len(without_face)} without a face)"
        )
    return FolderReading(records, whole, tuple(without_face), tuple(broken))


def _is_tight(image: Image) -> bool:
    height, width = image.shape[:2]
    longer, shorter = max(height, width), min(height, width)
    return longer <= TIGHT_SIDE and longer <= TIGHT_ASPECT * shorter


def _largest_face(image: Image, detect: Detect) -> tuple[Box, Points | None] | None:
    height, width = image.shape[:2]
    for border in (0, round(BORDER * max(height, width))):
        faces = detect(_bordered(image, border))
        if not len(faces):
            continue
        sides = faces.boxes[:, 2:] - faces.boxes[:, :2]
        best = int(np.argmax(sides[:, 0] * sides[:, 1]))
        shifted = faces.boxes[best].astype(float) - border
        x0, y0 = np.clip(shifted[:2], 0, (width, height)).tolist()
        x1, y1 = np.clip(shifted[2:], 0, (width, height)).tolist()
        if x1 - x0 >= 1 and y1 - y0 >= 1:
            points = (faces.landmarks[best].astype(float) - border).tolist()
            return (x0, y0, x1, y1), tuple((x, y) for x, y in points)
    return None


def _bordered(image: Image, border: int) -> Image:
    if not border:
        return image
    return np.asarray(
        cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_REPLICATE), np.uint8
    )
