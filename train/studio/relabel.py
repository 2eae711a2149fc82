"""Labels put right by a person, kept in a CSV that trainings read; never a changed picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge.errors import DataError, OutputError
from edge.files import write_whole
from edge.modelfile import LABELS
from train.data.corrections import DROP, read_corrections
from train.studio.turns import turn

COLUMNS = ("file", "given", "seen", "why")
CHOICES = (*LABELS, DROP)
WHY = "by hand in the studio"
Rows = dict[tuple[str, str], tuple[str, str]]
"""(seen, why) by (file, given)."""

_TURN_SECONDS = 10.0


def read_rows(path: Path) -> Rows:
    """Return the rows of the CSV at *path*, none where there is no file.

    Raises DataError that names file, line, the value and what is allowed.
    """
    if not path.exists():
        return {}
    # Checked by the reader that trainings use, read again for the column that they leave out.
    read_corrections(path)
    # Spreadsheets write a mark before the first column, and people write spaces.
    with path.open(newline="", encoding="utf-8-sig") as file:
        stripped = [
            [(row.get(name) or "").strip() for name in COLUMNS] for row in csv.DictReader(file)
        ]
    return {(file_name, given): (seen, why) for file_name, given, seen, why in stripped}


def rows_text(rows: Mapping[tuple[str, str], tuple[str, str]]) -> str:
    """Return *rows* as CSV, sorted by file."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((*key, *value) for key, value in sorted(rows.items()))
    return text.getvalue()


def merged_text(paths: Sequence[Path]) -> str:
    """Return the corrections in *paths* as one CSV; the later file wins."""
    rows: Rows = {}
    for path in paths:
        rows |= read_rows(path)
    return rows_text(rows)


def relabel(path: Path, file: str, given: str, seen: str, why: str = WHY) -> None:
    """Note in the CSV at *path* that the face in *file*, labelled *given*, is *seen*.

    *seen* as *given* takes an earlier correction back.  Several may do so at once.  Raises
    DataError for a label that is not allowed, or a file's name that is more than a name, or one
    that a CSV cannot hold; OutputError when it cannot be written, or others keep it busy for 10 s.
    """
    if given not in LABELS or seen not in CHOICES:
        raise DataError(f"{given!r} seen as {seen!r}: allowed are {', '.join(CHOICES)}")
    # A name that is no UTF-8 cannot stand in the CSV, which is; spaces around one are not read.
    odd = any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in file)
    odd = odd or file != file.strip()
    if not file or odd or Path(file).name != file:
        raise DataError(f"{file[:80]!a} is no file name; corrections name pictures, not paths")
    busy = f"{path}: others have been writing it for {_TURN_SECONDS:g} s; answer once more"
    # From reading to writing, or what another visitor answers meanwhile would be lost.
    with turn(path.with_name(f".{path.name}.lock"), _TURN_SECONDS, busy):
        rows = read_rows(path)
        if seen == given:
            rows.pop((file, given), None)
        else:
            rows[file, given] = (seen, why)
        try:
            write_whole(path, rows_text(rows))
        except OSError as error:
            raise OutputError(
                f"{path}: cannot be written ({error.strerror or error}); name another with "
                "--corrections"
            ) from error
