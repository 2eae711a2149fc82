"""Labels put right by eye: a CSV of what a person saw, never a changed picture or data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge.modelfile import LABELS
from train.data.records import FaceRecord, checked_label
from train.data.tables import read_table

FOLDER = Path(__file__).parents[1] / "labels"
DROP = "drop"
COLUMNS = ("file", "given", "seen")


@dataclass(frozen=True, slots=True)
class Correction:
    """A face in the picture *file* that is labelled *given*, and what a person *seen* there.

    *seen* is a label, or ``drop`` for what is no face, or no face that can be judged.
    """

    file: str
    given: str
    seen: str


def read_corrections(path: Path) -> list[Correction]:
    """Return the rows of the CSV at *path*, columns ``file,given,seen`` and any others.

    Raises DataError that names file, line, the value and what is allowed.
    """
    return [
        Correction(
            row["file"],
            checked_label(row["given"], LABELS, f"{where}: column given"),
            checked_label(row["seen"], (*LABELS, DROP), f"{where}: column seen"),
        )
        for where, row in read_table(path, COLUMNS, "[sampling] corrections")
    ]


def corrected(
    records: Sequence[FaceRecord], corrections: Sequence[Correction],
    others: Sequence[FaceRecord] = (),
) -> tuple[list[FaceRecord], str]:
    """Return *records* with *corrections* made, and one line that says how many were.

    *others* are the faces on the other side of the split.  A correction is made only where one
    face of both sides is in a picture of that name, and is labelled as it says: in other data, or
    another folder of these, a file may have the same name.
    """
    faces = Counter(record.picture.name for record in (*records, *others))
    seen = {(c.file, c.given): c.seen for c in corrections}
    kept, changed, dropped = [], 0, 0
    for record in records:
        name = record.picture.name
        label = seen.get((name, record.label)) if faces[name] == 1 else None
        if label == DROP:
            dropped += 1
            continue
        changed += label is not None
        kept.append(record if label is None else replace(record, label=label))
    return kept, (
        f"labels put right by eye: {changed} changed, {dropped} faces left out, "
        f"{len(seen) - changed - dropped} of {len(seen)} do not concern these data"
    )
