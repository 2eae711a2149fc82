"""Files that are whole or not there."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


@contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """Open a file for bytes that takes the place of *path* when the block ends well.

    Until then, and for ever when the block raises, *path* is as it was.  Raises OSError where
    it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write *rows* to *path* as CSV below a header of all their names, whole or not at all."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    with replaced(path) as file:
        file.write(text.getvalue().encode())


def write_json(path: Path, value: Any) -> None:
    """Write *value* to *path* as JSON, whole or not at all."""
    text = json.dumps(value, indent=1, allow_nan=False) + "\n"
    with replaced(path) as file:
        file.write(text.encode())


def sync_folder(folder: Path) -> None:
    """Make renames in *folder* last through a power cut."""
    # A rename is on disk only when its folder is.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
