"""The Data page's findings, and labels put right by hand."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge.errors import DataError, OutputError, UsageError
from edge.modelfile import LABELS
from tests.train.making import face_picture, face_rows, write_csv, write_picture
from train.classifier.config import DEFAULT_CONFIG, read_config
from train.data.corrections import read_corrections
from train.data.read import read_face_data
from train.studio import dataset
from train.studio.audit import audited
from train.studio.dataset import Audit, AuditedFace
from train.studio.datasets import (
    chosen_dataset,
    find_datasets,
    is_split_by_seed,
    layout_of,
    list_datasets,
)
from train.studio.drawing import lightened
from train.studio.forms import config_with_corrections
from train.studio.relabel import CHOICES, read_rows, relabel, rows_text


class Judge:
    """A classifier that finds everybody bare."""

    def probabilities(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        return np.tile(np.array([[0.1, 0.8, 0.1]], np.float32), (len(boxes), 1))


def audit_of(folder: Path) -> Audit:
    data = read_face_data(folder)
    return audited(
        {"train": data.train, "val": data.validation}, Judge(), str(folder), data.checksum
    )


@pytest.fixture
def leaking(tmp_path: Path) -> Path:
    """Faces of which one picture is on both sides, once under another label."""
    rows = face_rows(tmp_path, 12)
    for row in rows:
        row["group"] = row["file"]
    kept = face_rows(tmp_path, 6, first=100)
    for row in kept:
        row["group"] = row["file"]
    shutil.copy(tmp_path / "images" / "001.png", tmp_path / "images" / "copy.png")
    kept.append({**rows[1], "file": "copy.png", "group": "copy", "label": LABELS[0]})
    write_csv(tmp_path / "train.csv", rows)
    write_csv(tmp_path / "val.csv", kept)
    return tmp_path


def test_faces_are_counted_by_split_source_and_label(faces_folder: Path) -> None:
    rows = dataset.counts(audit_of(faces_folder))
    assert [(row["split"], row["source"], row["faces"]) for row in rows] == [
        ("train", "made", 24), ("val", "made", 12),
    ]
    assert [rows[0][label] for label in LABELS] == [8, 8, 8]


def test_a_picture_on_both_sides_is_a_leak(leaking: Path) -> None:
    audit = audit_of(leaking)
    found = [{face.name for face in group} for group in dataset.leaks(audit)]
    assert any({"001.png", "copy.png"} <= names for names in found)
    assert all(len({face.split for face in group}) == 2 for group in dataset.leaks(audit))


def test_labels_that_the_network_doubts_come_worst_first(faces_folder: Path) -> None:
    found = dataset.doubtful(audit_of(faces_folder))
    assert found and {face.label for face in found} == {"with_mask", "incorrect_mask"}
    assert [f.agreement for f in found] == sorted(f.agreement for f in found)
    assert {face.seen for face in found} == {"without_mask"}


def test_only_a_name_that_stands_for_one_face_of_both_sides_is_asked_about(
    faces_folder: Path,
) -> None:
    one, two, three, other = audit_of(faces_folder).faces[:4]
    faces = (
        replace(one, file="/set/cam0/2.png", split="val"),
        replace(two, file="/set/cam1/2.png", split="train"),
        *(replace(three, file="/set/crowd.png") for _ in range(2)), other,
    )
    assert dataset.names_alone(Audit("/set", "", faces, 4)) == {other.name}


def test_small_and_dark_faces_are_found(tmp_path: Path) -> None:
    rows = face_rows(tmp_path, 12)
    dark = (face_picture(LABELS[0], 0) * 0.1).astype(np.uint8)
    write_picture(tmp_path / "images" / rows[0]["file"], dark)
    rows[1] |= {"w": 10.0, "h": 12.0}
    write_csv(tmp_path / "train.csv", rows)
    write_csv(tmp_path / "val.csv", face_rows(tmp_path, 6, first=50))
    found = dataset.poor(audit_of(tmp_path))
    assert [face.name for face in found["small"]] == ["001.png"]
    assert "000.png" in {face.name for face in found["dark"]}


@pytest.mark.parametrize(("share", "lighter"), [(0.02, True), (0.1, True), (1.0, False)])
def test_a_dark_face_is_shown_so_light_that_a_person_can_judge_it(
    share: float, lighter: bool
) -> None:
    given = Image.fromarray((face_picture(LABELS[0], 0) * share).astype(np.uint8))
    shown = lightened(given)
    assert (shown is not given) == lighter
    assert np.percentile(np.asarray(shown.convert("L")), 97) > 90


def test_a_picture_that_is_wholly_black_stays_a_picture() -> None:
    assert lightened(Image.new("RGB", (9, 9))).size == (9, 9)


def test_an_audit_is_read_back_from_its_file(tmp_path: Path, faces_folder: Path) -> None:
    import msgspec

    audit = audit_of(faces_folder)
    (tmp_path / dataset.AUDIT_NAME).write_bytes(msgspec.json.encode(audit))
    assert dataset.read_audit(tmp_path) == audit
    (tmp_path / dataset.AUDIT_NAME).write_bytes(b"{")
    assert dataset.read_audit(tmp_path) is None


def test_crops_are_cut_from_files_in_the_data_set_only(faces_folder: Path, tmp_path: Path) -> None:
    audit = audit_of(faces_folder)
    outside = tmp_path.parent / "outside.png"
    write_picture(outside, face_picture(LABELS[0], 0))
    face = audit.faces[0]
    stranger = AuditedFace(
        **{name: getattr(face, name) for name in AuditedFace.__slots__} | {"file": str(outside)}
    )
    crops = dataset.crops_of([stranger, face], Path(audit.folder), 48)
    assert crops[0] is None
    assert crops[1] is not None and (crops[1].width, crops[1].height) == (48, 48)


def test_data_sets_are_chosen_below_the_roots_only(tmp_path: Path, faces_folder: Path) -> None:
    root = tmp_path / "root"
    for label in LABELS[:2]:
        (root / "team" / "shop" / label).mkdir(parents=True)
    (root / "empty").mkdir()
    outside = tmp_path / "outside"
    for label in LABELS[:2]:
        (outside / label).mkdir(parents=True)
    (root / "link").symlink_to(outside)
    assert list(list_datasets([root])) == ["root/team/shop"]
    assert chosen_dataset([root], "root/team/shop") == (root / "team" / "shop").resolve()
    for name in ("../outside", "/etc", "root/link", ""):
        with pytest.raises(UsageError, match="is no data set here"):
            chosen_dataset([root], name)
    assert layout_of(faces_folder) == "faces"


def test_a_folder_whose_name_is_no_text_is_left_out_and_told(tmp_path: Path) -> None:
    for name in (os.fsdecode(b"caf\xe9"), "données"):
        for label in LABELS[:2]:
            (tmp_path / "root" / name / label).mkdir(parents=True)
    found = find_datasets([tmp_path / "root"])
    assert list(found.named) == ["root/données"] and found.left_out == ("root/caf\\udce9",)


def test_the_seed_decides_only_where_a_data_set_brings_no_split(
    tmp_path: Path, faces_folder: Path
) -> None:
    (tmp_path / "shop").mkdir()
    assert is_split_by_seed(tmp_path / "shop", "val")
    assert not is_split_by_seed(tmp_path / "shop", "test")
    assert not is_split_by_seed(faces_folder, "val")


def test_an_answer_is_a_row_that_trainings_read(tmp_path: Path) -> None:
    path = tmp_path / "c" / "corrections.csv"
    relabel(path, "b.jpg", "with_mask", "incorrect_mask")
    relabel(path, "a.jpg", "without_mask", "drop")
    found = read_corrections(path)
    assert [(c.file, c.given, c.seen) for c in found] == [
        ("a.jpg", "without_mask", "drop"), ("b.jpg", "with_mask", "incorrect_mask"),
    ]
    with path.open() as file:
        assert next(csv.reader(file)) == ["file", "given", "seen", "why"]


def test_an_answer_can_be_changed_and_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "corrections.csv"
    relabel(path, "a.jpg", "with_mask", "drop")
    relabel(path, "a.jpg", "with_mask", "without_mask")
    assert [seen for seen, _ in read_rows(path).values()] == ["without_mask"]
    relabel(path, "a.jpg", "with_mask", "with_mask")
    assert read_rows(path) == {}


@pytest.mark.parametrize(
    ("file", "given_label", "seen"),
    [("../a.jpg", "with_mask", "drop"), ("", "with_mask", "drop"), ("a\nb", "with_mask", "drop"),
     ("a\udcff.jpg", "with_mask", "drop"), (" a.jpg", "with_mask", "drop"),
     ("a.jpg", "masked", "drop"), ("a.jpg", "with_mask", "gone")],
)
def test_a_correction_that_is_none_is_refused(
    tmp_path: Path, file: str, given_label: str, seen: str
) -> None:
    with pytest.raises(DataError, match=r"allowed are|no file name"):
        relabel(tmp_path / "c.csv", file, given_label, seen)
    assert not (tmp_path / "c.csv").exists()


_NAMES = st.text(
    st.characters(codec="utf-8", min_codepoint=32, exclude_characters="/\x7f"), min_size=1
).filter(lambda name: name == name.strip())


@given(st.dictionaries(st.tuples(_NAMES, st.sampled_from(LABELS)), st.sampled_from(CHOICES)))
@settings(max_examples=60, deadline=None)
def test_whatever_a_file_is_called_its_row_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, answers: dict[tuple[str, str], str]
) -> None:
    path = tmp_path_factory.mktemp("c") / "c.csv"
    rows = {key: (seen, "why, \"so\"") for key, seen in answers.items()}
    path.write_text(rows_text(rows), encoding="utf-8")
    assert read_rows(path) == rows


def test_a_list_that_a_spreadsheet_saved_is_read_as_trainings_read_it(tmp_path: Path) -> None:
    path = tmp_path / "corrections.csv"
    path.write_bytes(b"\xef\xbb\xbffile,given,seen,why\r\n a.jpg ,with_mask , drop,dark \r\n")
    assert read_rows(path) == {("a.jpg", "with_mask"): ("drop", "dark")}
    relabel(path, "a.jpg", "with_mask", "incorrect_mask")
    assert [(c.file, c.seen) for c in read_corrections(path)] == [("a.jpg", "incorrect_mask")]


def test_visitors_who_answer_at_once_lose_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "corrections.csv"

    def answer(number: int) -> None:
        relabel(path, f"{number}.jpg", "with_mask", "drop")

    with ThreadPoolExecutor(4) as visitors:
        list(visitors.map(answer, range(40)))
    assert len(read_rows(path)) == 40


def test_an_answer_waits_for_another_program_that_writes_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "corrections.csv"
    monkeypatch.setattr("train.studio.relabel._TURN_SECONDS", 0.1)
    # Not by a turn of this process: whoever writes holds the file beside it.
    holding = "import fcntl, sys; f = open(sys.argv[1], 'wb'); fcntl.flock(f, fcntl.LOCK_EX); " \
        "print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", holding, str(tmp_path / ".corrections.csv.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline()
        with pytest.raises(OutputError, match="others have been writing it"):
            relabel(path, "a.jpg", "with_mask", "drop")
        other.communicate(timeout=30)
    relabel(path, "a.jpg", "with_mask", "drop")
    assert len(read_rows(path)) == 1


def test_a_training_is_given_both_lists_of_corrections(tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    relabel(first, "a.jpg", "with_mask", "drop")
    relabel(first, "b.jpg", "with_mask", "drop")
    relabel(second, "a.jpg", "with_mask", "incorrect_mask")
    config = read_config(config_with_corrections(tmp_path / "run", [first, second], DEFAULT_CONFIG))
    found = {c.file: c.seen for c in read_corrections(Path(config.sampling.corrections))}
    assert found == {"a.jpg": "incorrect_mask", "b.jpg": "drop"}
    assert config.schedule == read_config().schedule
