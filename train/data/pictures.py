"""Pictures from disk into memory; a broken one is counted, never fatal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import DataError, SourceError
from edge.modelfile import LABELS
from edge.vision.crop import Image
from edge.vision.picture import read_picture as read_upright
from train.data.records import FaceRecord


@dataclass(frozen=True, slots=True)
class LoadedFaces:
    """Faces whose pictures could be read, the pictures by path, and the broken ones."""

    records: list[FaceRecord]
    pictures: dict[Path, Image]
    broken: tuple[Path, ...]

    def picture(self, record: FaceRecord) -> Image:
        """Return the picture of *record*, (H, W, 3) BGR uint8; shared, so do not write to it."""
        return self.pictures[record.picture]


def read_picture(path: Path) -> Image | None:
    """Return the picture at *path*, (H, W, 3) BGR uint8, or None where it is broken."""
    try:
        return read_upright(path)
    except SourceError:
        return None


def load_faces(
    records: Sequence[FaceRecord],
    progress: Callable[[Iterable[Path]], Iterable[Path]] = iter,
) -> LoadedFaces:
    """Decode every picture of *records* once and keep it in memory.

    *progress* wraps the paths, as ``tqdm`` does.  Raises DataError when *records* is empty
    or no picture at all can be read.
    """
    if not records:
        raise DataError(
            f"the data hold no labelled face; at least one that is {', '.join(LABELS)} is needed"
        )
    pictures: dict[Path, Image] = {}
    broken = []
    for path in progress(list(dict.fromkeys(record.picture for record in records))):
        image = read_picture(path)
        if image is None:
            broken.append(path)
        else:
            pictures[path] = image
    if not pictures:
        raise DataError(f"none of the {len(broken)} pictures can be read; the first is {broken[0]}")
    kept = [record for record in records if record.picture in pictures]
    return LoadedFaces(kept, pictures, tuple(broken))


def broken_report(broken: Sequence[Path | str]) -> str:
    """Return one line about *broken* pictures, paths or names, empty when there are none."""
    if not broken:
        return ""
    # A name that is no UTF-8 could not be printed.
    names = ", ".join(str(path) for path in broken[:5]).encode("utf-8", "backslashreplace").decode()
    more = f" and {len(broken) - 5} more" if len(broken) > 5 else ""
    return f"skipped {len(broken)} pictures that cannot be read: {names}{more}"
