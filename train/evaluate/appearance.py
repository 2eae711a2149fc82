"""What people saw on validation faces: how they look, and labels that are in dispute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from train.data.tables import read_table

FOLDER = Path(__file__).parents[1] / "labels"
APPEARANCE = FOLDER / "appearance.csv"
DISPUTED = FOLDER / "disputed.csv"

ANSWERS: Mapping[str, tuple[str, ...]] = {
    "mask_colour": ("black", "white", "blue", "patterned", "other", "none"),
    "beard": ("yes", "no", "unsure"),
    "hand": ("yes", "no", "unsure"),
    "glasses": ("yes", "no", "unsure"),
}
# Colours of masks that are there, and answers that are one: the rest makes no slice.
_SLICED: Mapping[str, tuple[str, ...]] = {
    "mask_colour": ANSWERS["mask_colour"][:-1],
    "beard": ("yes", "no"),
    "hand": ("yes", "no"),
    "glasses": ("yes", "no"),
}
_FAMILIES = {"mask_colour": "mask colour", "beard": "beard", "hand": "hand on the face",
             "glasses": "glasses"}


@dataclass(frozen=True, slots=True)
class Dispute:
    """A face whose *given* label a look disputes: *seen* is what it shows, *why* says how so."""

    file: str
    given: str
    seen: str
    why: str


def read_appearance(path: Path = APPEARANCE) -> dict[str, dict[str, str]]:
    """Return what was seen on each face of the CSV file at *path*, by the picture's file name.

    Columns are ``file`` and those of :data:`ANSWERS`.  Empty where the file is missing.
    Raises DataError that names line, column and value where an answer is not an allowed one.
    """
    seen = {}
    for where, row in _rows(path, ("file", *ANSWERS)):
        for column, allowed in ANSWERS.items():
            if row[column] not in allowed:
                raise DataError(
                    f"{where}: column {column}: {row[column]!r} is not one of {', '.join(allowed)}"
                )
        seen[row["file"]] = {column: row[column] for column in ANSWERS}
    return seen


def read_disputed(path: Path = DISPUTED) -> dict[str, Dispute]:
    """Return the disputed faces of the CSV file at *path*, by the picture's file name.

    Columns are ``file,given,seen,why``.  Empty where the file is missing.
    """
    return {
        row["file"]: Dispute(row["file"], row["given"], row["seen"], row["why"])
        for _, row in _rows(path, ("file", "given", "seen", "why"))
    }


def appearance_members(
    files: Sequence[str], seen: Mapping[str, Mapping[str, str]]
) -> dict[str, npt.NDArray[np.bool_]]:
    """Return for each slice by appearance which of *files* (N,) are in it, (N,) bool.

    Empty when none of *files* was *seen*: then there is nothing to slice.
    """
    if not any(file in seen for file in files):
        return {}
    return {
        f"{_FAMILIES[column]}: {answer}": np.array(
            [seen.get(file, {}).get(column) == answer for file in files], bool
        )
        for column, answers in _SLICED.items()
        for answer in answers
    }


def appearance_remarks(seen: Mapping[str, str]) -> list[str]:
    """Return what was *seen* on a face and is worth a mention, as keys of slices."""
    return [
        f"{_FAMILIES[column]}: {answer}"
        for column, answer in seen.items()
        if answer in _SLICED[column] and answer != "no"
    ]


def _rows(path: Path, columns: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    return read_table(path, columns, "the evaluation") if path.is_file() else []
