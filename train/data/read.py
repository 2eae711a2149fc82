"""One entry to every layout: look at a folder and read what is there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from edge.errors import DataError
from train.data.coco import read_coco
from train.data.faces_csv import read_faces_csv
from train.data.folders import Detect, is_folder_per_class, read_folders
from train.data.pictures import LoadedFaces, load_faces
from train.data.records import FaceRecord, data_checksum, faces_of
from train.data.split import ensure_groups, split_by_group
from train.data.voc import read_voc


@dataclass(frozen=True, slots=True)
class FaceData:
    """Training and validation faces with their pictures, and notes for the person at the end."""

    train: LoadedFaces
    validation: LoadedFaces
    checksum: str
    notes: tuple[str, ...]


def read_face_data(
    folder: Path, detect: Detect | None = None, validation_share: float = 0.15, seed: int = 0
) -> FaceData:
    """Read the labelled faces in *folder*, whichever of the known layouts it has.

    ``train.csv`` + ``val.csv`` or ``train.json`` + ``val.json`` keep their own split; any
    other layout (one ``.csv``, one ``.json``, Pascal VOC, class folders) is split by group:
    *validation_share* of the groups, chosen by *seed*.  *detect* finds the faces in class
    folders and is needed only there.

    Raises DataError when the layout is not known, or one side holds no face.
    """
    notes: list[str] = []
    given = _given_split(folder)
    if given is not None:
        loaded = [load_faces(side) for side in given]
        # Grouped together, so that near-duplicates on both sides are seen to be so.
        pictures = loaded[0].pictures | loaded[1].pictures
        grouped = ensure_groups([*loaded[0].records, *loaded[1].records], pictures)
        first = len(loaded[0].records)
        sides = [
            replace(loaded[0], records=grouped[:first]),
            replace(loaded[1], records=grouped[first:]),
        ]
        shared = {r.group for r in sides[0].records} & {r.group for r in sides[1].records}
        if shared:
            notes.append(
                f"{len(shared)} groups of near-duplicates are in both train and val, "
                f"such as {sorted(shared)[0]}: the validation numbers flatter"
            )
    else:
        everything = load_faces(_read_one(folder, detect, notes))
        records = ensure_groups(everything.records, everything.pictures)
        split = split_by_group(records, validation_share, seed)
        sides = [
            LoadedFaces(split.train, everything.pictures, everything.broken),
            LoadedFaces(split.validation, everything.pictures, ()),
        ]
    for name, side in zip(("training", "validation"), sides, strict=True):
        if not side.records:
            raise DataError(f"{folder}: no face is left for {name}; more groups are needed")
    checksum = data_checksum([*sides[0].records, *sides[1].records])
    return FaceData(sides[0], sides[1], checksum, tuple(notes))


def has_split(folder: Path) -> bool:
    """Tell whether *folder* brings a split of its own: train and val, each .csv or each .json."""
    return any(
        all((folder / f"{name}.{suffix}").is_file() for name in ("train", "val"))
        for suffix in ("csv", "json")
    )


def read_split(folder: Path, name: str = "val") -> list[FaceRecord]:
    """Return the labelled faces of one split of *folder*: ``NAME.csv`` or ``NAME.json``.

    Raises DataError when neither is there.
    """
    if (folder / f"{name}.csv").is_file():
        return read_faces_csv(folder / f"{name}.csv")
    if (folder / f"{name}.json").is_file():
        return faces_of(read_coco(folder / f"{name}.json"))
    raise DataError(f"{folder}: holds neither {name}.csv nor {name}.json")


def read_validation(
    folder: Path, name: str = "val", detect: Detect | None = None, seed: int = 0
) -> tuple[LoadedFaces, tuple[str, ...]]:
    """Return the faces of *folder* that no training saw, and notes for the person.

    These are ``NAME.csv`` or ``NAME.json`` where one is there.  Any other layout has only a
    ``val``: the side that a training with *seed* keeps back.  *detect* is as in read_face_data.

    Raises DataError when there is no such split, or the layout is not known.
    """
    whole = not any((folder / f"{name}.{suffix}").is_file() for suffix in ("csv", "json"))
    if name != "val" or not whole:
        return load_faces(read_split(folder, name)), ()
    data = read_face_data(folder, detect, seed=seed)
    broken = (*data.train.broken, *data.validation.broken)
    note = (
        f"{len(data.validation.records)} of the {len(data.train.records)} + "
        f"{len(data.validation.records)} faces are those a training with --seed {seed} keeps back"
    )
    return replace(data.validation, broken=broken), (*data.notes, note)


def _given_split(folder: Path) -> tuple[list[FaceRecord], list[FaceRecord]] | None:
    return (read_split(folder, "train"), read_split(folder, "val")) if has_split(folder) else None


def _read_one(folder: Path, detect: Detect | None, notes: list[str]) -> list[FaceRecord]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; --data names the folder of a data set")
    if is_folder_per_class(folder):
        if detect is None:
            raise DataError(f"{folder}: class folders need a face detector; pass --detector FILE")
        reading = read_folders(folder, detect)
        notes.append(
            f"{len(reading.records)} faces; {reading.whole_pictures} pictures taken whole; "
            f"no face found in {len(reading.without_face)}; {len(reading.broken)} broken"
        )
        return reading.records
    tables = sorted(folder.glob("*.csv"))
    documents = sorted(folder.glob("*.json"))
    if len(tables) == 1:
        return read_faces_csv(tables[0])
    if len(documents) == 1:
        return faces_of(read_coco(documents[0]))
    if any(folder.glob("*.xml")) or any(folder.glob("[Aa]nnotations/*.xml")):
        return faces_of(read_voc(folder))
    raise DataError(
        f"{folder}: no known layout; needed is train.csv + val.csv, train.json + val.json, one "
        ".csv or .json, Pascal VOC .xml files, or folders with_mask/ and without_mask/"
    )
