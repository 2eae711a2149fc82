"""Labels that a person put right reach the training, and only those faces they are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import DataError
from train.data.corrections import FOLDER, Correction, corrected, read_corrections
from train.data.records import FaceRecord

BOX = (0.0, 0.0, 10.0, 10.0)


def face(name: str, label: str = "with_mask") -> FaceRecord:
    return FaceRecord(Path(name), BOX, label)


def test_a_label_is_changed_and_an_unusable_face_left_out():
    faces = [face("a.jpg"), face("b.jpg"), face("c.jpg")]
    rows = [
        Correction("a.jpg", "with_mask", "incorrect_mask"), Correction("b.jpg", "with_mask", "drop")
    ]
    kept, note = corrected(faces, rows)
    assert [(r.picture.name, r.label) for r in kept] == [
        ("a.jpg", "incorrect_mask"), ("c.jpg", "with_mask")
    ]
    assert "1 changed, 1 faces left out, 0 of 2" in note


@pytest.mark.parametrize(
    "faces",
    [[face("a.jpg", "without_mask")], [face("a.jpg"), face("a.jpg")], [face("b.jpg")]],
    ids=["labelled otherwise", "two faces in the picture", "another picture"],
)
def test_a_correction_of_something_else_changes_nothing(faces):
    kept, note = corrected(faces, [Correction("a.jpg", "with_mask", "without_mask")])
    assert kept == faces and "1 of 1 do not concern" in note


def test_a_name_that_both_sides_of_the_split_have_is_nobodys():
    faces, kept_back = [face("cam1/2.jpg"), face("b.jpg")], [face("cam0/2.jpg")]
    rows = [Correction("2.jpg", "with_mask", "drop"), Correction("b.jpg", "with_mask", "drop")]
    kept, note = corrected(faces, rows, kept_back)
    assert [str(r.picture) for r in kept] == ["cam1/2.jpg"]
    assert "1 of 2 do not concern" in note


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,given\na.jpg,with_mask\n", "column seen is missing"),
        ("file,given,seen\na.jpg,with_mask,scarf\n", ":2: column seen: label 'scarf'"),
        ("file,given,seen\na.jpg,drop,drop\n", ":2: column given: label 'drop'"),
    ],
)
def test_a_damaged_list_is_refused_with_its_line(tmp_path, text, said):
    (tmp_path / "rows.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        read_corrections(tmp_path / "rows.csv")


def test_the_committed_list_is_sorted_and_says_no_face_twice():
    rows = read_corrections(FOLDER / "corrections.csv")
    files = [row.file for row in rows]
    assert files == sorted(set(files)) and all(row.given != row.seen for row in rows)
