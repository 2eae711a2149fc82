"""The CSV files of what people saw, in ``train/labels`` or of one's own."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from edge.errors import DataError


def read_table(
    path: Path, columns: Sequence[str], named_by: str
) -> list[tuple[str, dict[str, str]]]:
    """Return of each row of the CSV at *path* where it stands, and its *columns*, stripped.

    *named_by* says who asks for the file, for when it is missing.  Raises DataError that names
    file and line where it is missing, lacks a column, or is no CSV in UTF-8.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(
                    f"{path}:1: column {', '.join(missing)} is missing; "
                    f"the first line must name {','.join(columns)}"
                )
            return [
                (f"{path}:{reader.line_num}", {name: (row[name] or "").strip() for name in columns})
                for row in reader
            ]
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; {named_by} names it") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not readable as CSV in UTF-8: {error}") from error
