"""``python -m train.studio.audit``: look at a data set once, thoroughly, and write what was seen.

Runs in the background as any training does; the page reads its result.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np

from edge.errors import DataError
from edge.files import write_whole
from edge.gate.evidence import brightness, sharpness, thumbnail
from edge.modelfile import LABELS, read_model, released_model
from edge.rim import Rim
from edge.vision.classifier import MaskClassifier
from train.data.folders import detect_in_class_folders
from train.data.pictures import LoadedFaces
from train.data.read import read_face_data
from train.data.split import difference_hash, near_duplicate_groups
from train.studio.dataset import AUDIT_NAME, Audit, AuditedFace

_TOLD_EVERY = 500


@click.group(cls=Rim, program="python -m train.studio.audit")
def main() -> None:
    """Look at a data set."""


@main.command()
@click.option("--data", required=True, type=click.Path(path_type=Path), metavar="DIR")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR")
@click.option("--seed", type=int, default=20, show_default=True, help="Of the split.")
@click.option("--model", type=click.Path(path_type=Path), help="Default: the released classifier.")
def look(data: Path, out: Path, seed: int, model: Path | None) -> None:
    """Count, compare and judge every face in --data; write audit.json into --out."""
    click.echo(f"reading {data}")
    faces = read_face_data(data, detect_in_class_folders(data), seed=seed)
    for note in faces.notes:
        click.echo(note)
    judge = MaskClassifier(
        read_model(model or released_model("mask-classifier"), "mask-classifier")
    )
    sides = {"train": faces.train, "val": faces.validation}
    audit = audited(sides, judge, str(data), faces.checksum, faces.notes)
    write_whole(out / AUDIT_NAME, msgspec.json.encode(audit))
    click.echo(f"{len(audit.faces)} faces in {audit.pictures} pictures: wrote {out / AUDIT_NAME}")


@dataclass(frozen=True, slots=True)
class _Looks:
    hashes: Mapping[Path, int]
    groups: Sequence[int]


def audited(
    sides: Mapping[str, LoadedFaces], judge: Any, folder: str, checksum: str,
    notes: Sequence[str] = (),
) -> Audit:
    """Return what *judge* and plain measures say of every face on the *sides* of a split.

    *judge* has ``probabilities(image, boxes)``, as a MaskClassifier.  Raises DataError where
    there is no face at all.
    """
    pictures = {path: image for side in sides.values() for path, image in side.pictures.items()}
    used = {record.picture for side in sides.values() for record in side.records}
    paths = [path for path in pictures if path in used]
    if not paths:
        raise DataError(f"{folder}: holds no face that can be looked at")
    hashes = np.stack([difference_hash(pictures[path]) for path in paths])
    looks = _Looks({path: i for i, path in enumerate(paths)}, near_duplicate_groups(hashes))
    click.echo(f"compared {len(paths)} pictures with each other")
    faces: list[AuditedFace] = []
    for name, side in sides.items():
        for record in side.records:
            image = side.picture(record)
            box = np.array([record.box], np.float32)
            grey = thumbnail(image, record.box)
            faces.append(
                AuditedFace(
                    file=_text(record.picture), split=name, label=record.label,
                    source=record.source, group=record.group, box=record.box,
                    alike=int(looks.groups[looks.hashes[record.picture]]),
                    shorter=float(min(box[0, 2] - box[0, 0], box[0, 3] - box[0, 1])),
                    brightness=brightness(grey), sharpness=sharpness(grey),
                    probabilities=_probabilities(judge, image, box),
                )
            )
            if len(faces) % _TOLD_EVERY == 0:
                click.echo(f"judged {len(faces)} faces")
                sys.stdout.flush()
    broken = tuple(_text(path) for side in sides.values() for path in side.broken)
    return Audit(folder, checksum, tuple(faces), len(paths), broken, tuple(notes))


def _text(path: Path) -> str:
    # A name that is no UTF-8 cannot stand in JSON; its face is counted, but not shown.
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")


def _probabilities(
    judge: Any, image: Any, box: np.ndarray[Any, Any]
) -> tuple[float, float, float]:
    try:
        mask, bare, wrong = judge.probabilities(image, box)[0].tolist()
    except ValueError:
        # A box that lies beside its picture; the reader has let it pass, the eye will not.
        mask = bare = wrong = 1 / len(LABELS)
    return mask, bare, wrong


if __name__ == "__main__":
    main()
