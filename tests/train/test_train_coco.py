"""COCO files whose entries are odd: one line that names the entry, never a traceback."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import DataError
from tests.train.making import coco_document, write_json, write_picture
from train.data.coco import read_coco


def test_a_picture_of_another_size_than_its_entry_is_refused(tmp_path: Path) -> None:
    path = write_json(tmp_path / "d.json", coco_document(tmp_path, ["with_mask", "face"]))
    shrunk = tmp_path / "images" / "1.png"
    write_picture(shrunk, cv2.resize(cv2.imread(str(shrunk)), (40, 30)))
    with pytest.raises(DataError, match=r"images\[1\].* 64x64, but .*1\.png is 40x30 pixels"):
        read_coco(path)


def test_a_broken_picture_has_no_size_to_compare(tmp_path: Path) -> None:
    path = write_json(tmp_path / "d.json", coco_document(tmp_path, ["with_mask", "face"]))
    (tmp_path / "images" / "1.png").write_bytes(b"no picture")
    assert [(p.width, p.height) for p in read_coco(path)] == [(64, 64)] * 2


@pytest.mark.parametrize(
    ("where", "change", "told"),
    [
        ("images", {"width": float("inf")}, r"images\[1\]: cannot convert .*width and height are"),
        ("images", {"id": 0}, r"images\[1\]: id 0 is that of images\[0\] too"),
        ("images", {"id": [1]}, r"images\[1\]: id \[1\] is no whole number or text"),
        ("images", {"file_name": "a" * 300}, r"images\[1\]: picture .*\(File name too long\)"),
        ("annotations", {"bbox": [10**400, 0, 9, 9]}, r"annotations\[1\] .*is not four numbers"),
        ("annotations", {"keypoints": [1e999, 1, 2] * 5}, r"annotations\[1\] .*not all numbers"),
        ("categories", {"name": ["face"]}, r"categories\[1\]: category \['face'\] is unknown"),
        ("categories", {"name": None}, r"categories\[1\]: category None is unknown"),
        ("categories", {"id": 1}, r"categories\[1\]: id 1 is with_mask already"),
    ],
)
def test_an_odd_value_is_named(tmp_path: Path, where: str, change: dict, told: str) -> None:
    document = coco_document(tmp_path, ["with_mask", "face"])
    document[where][1].update(change)
    with pytest.raises(DataError, match=told):
        read_coco(write_json(tmp_path / "d.json", document))


@pytest.mark.parametrize("place", ["images", "annotations", "categories"])
def test_an_entry_that_is_no_object_is_named(tmp_path: Path, place: str) -> None:
    document = coco_document(tmp_path, ["with_mask"])
    document[place][0] = [1]
    with pytest.raises(DataError, match=rf"{place}\[0\] is \[1\]"):
        read_coco(write_json(tmp_path / "d.json", document))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[" * 100_000, "too deep to read"),
        ('{"images": ' + "9" * 5000 + "}", "cannot be read"),
        ('{"images": [], "annotations": [], "categories": {}}', "categories is no list"),
    ],
)
def test_a_file_that_json_can_only_just_hold_is_refused(
    tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "d.json").write_text(text)
    with pytest.raises(DataError, match=told):
        read_coco(tmp_path / "d.json")


def test_a_name_that_no_file_can_have_is_refused_in_voc_too(tmp_path: Path) -> None:
    from train.data.voc import read_voc

    name = f"<annotation><filename>{'a' * 300}.png</filename></annotation>"
    (tmp_path / "a.xml").write_text(name)
    with pytest.raises(DataError, match=r"a\.xml: picture .*\(File name too long\)"):
        read_voc(tmp_path)


def test_pictures_of_names_that_are_no_utf8_have_a_checksum_and_a_report(tmp_path: Path) -> None:
    from train.data.faces_csv import LABELS
    from train.data.pictures import broken_report
    from train.data.records import FaceRecord, data_checksum

    path = tmp_path / b"caf\xe9.png".decode("utf-8", "surrogateescape")
    write_picture(path, np.zeros((9, 9, 3), np.uint8))
    (one, other) = (FaceRecord(path, (0.0, 0.0, 9.0, 9.0), label) for label in LABELS[:2])
    assert data_checksum([one]) != data_checksum([other])
    assert broken_report([path]).encode().endswith(rb"caf\udce9.png")
