"""Tables and results of a training, written whole or not at all; models that can be read."""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge.errors import MaskgateError, ModelError
from edge.files import write_whole

UNREADABLE = (
    OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, AttributeError,
    zipfile.BadZipFile, zlib.error,
)
"""What zipfile, NumPy, h5py and Keras raise for a file with flipped, lost or other bytes."""


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write *rows* to *path* as CSV below a header of all their names, whole or not at all."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue())


def write_json(path: Path, value: Any) -> None:
    """Write *value* to *path* as JSON, whole or not at all.

    Raises ModelError, and writes nothing, when a number in it is NaN or infinite.
    """
    try:
        text = json.dumps(value, indent=1, allow_nan=False) + "\n"
    except ValueError as error:
        raise ModelError(
            f"{path}: not written, as a measured number is NaN or infinite; the network answers "
            "no numbers: train it anew at a lower rate"
        ) from error
    write_whole(path, text)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what the libraries raise for a damaged model file at *path* into one ModelError."""
    try:
        yield
    except MaskgateError:
        # Some are a ValueError too, and say better what is wrong.
        raise
    except UNREADABLE as error:
        reason = " ".join(str(error).split()).split(". ")[0] or type(error).__name__
        raise ModelError(f"{path}: cannot be read as a Keras model: {reason}") from error
