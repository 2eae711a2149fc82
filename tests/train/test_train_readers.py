"""Reading what people have, and one clear line about what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from edge.errors import DataError
from edge.vision.detector import Faces
from tests.train.making import (
    coco_document,
    face_picture,
    face_rows,
    write_csv,
    write_json,
    write_picture,
)
from train.data.coco import read_coco
from train.data.faces_csv import read_faces_csv
from train.data.folders import read_folders
from train.data.pictures import broken_report, load_faces, read_picture
from train.data.read import read_face_data
from train.data.records import data_checksum, faces_of, picture_size
from train.data.voc import read_voc

VOC = """<annotation><filename>{name}</filename><object><name>{label}</name><difficult>{difficult}
</difficult><bndbox><xmin>16</xmin><ymin>12</ymin><xmax>{xmax}</xmax><ymax>52</ymax></bndbox>
</object></annotation>"""


def test_csv_gives_boxes_labels_groups_and_landmarks(tmp_path: Path) -> None:
    first, second, _ = read_faces_csv(write_csv(tmp_path / "f.csv", face_rows(tmp_path, 3)))
    assert first.box == (16.0, 12.0, 48.0, 52.0)
    assert (first.label, second.label) == ("with_mask", "without_mask")
    assert (first.source, first.group) == ("made", "g0")
    assert first.landmarks is not None
    assert first.landmarks[2] == (32.0, 34.0)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"label": "mask"}, ("f.csv:3", "label", "'mask'", "without_mask")),
        ({"x": "wide"}, ("f.csv:3", "column x", "'wide'", "number")),
        ({"w": "-4"}, ("f.csv:3", "no area")),
        ({"x": "500"}, ("f.csv:3", "outside the picture", "64x64")),
        ({"x": "nan"}, ("f.csv:3", "no area")),
        ({"file": "gone.png"}, ("f.csv:3", "column file", "gone.png", "does not exist")),
        ({"file": ""}, ("f.csv:3", "column file", "empty")),
        ({"nose_x": ""}, ("f.csv:3", "nose_x", "empty")),
    ],
)
def test_csv_line_that_is_wrong_is_named(tmp_path: Path, change: dict, told: tuple) -> None:
    rows = face_rows(tmp_path, 3)
    rows[1].update(change)
    with pytest.raises(DataError) as caught:
        read_faces_csv(write_csv(tmp_path / "f.csv", rows))
    assert all(part in str(caught.value) for part in told)


def test_csv_without_a_needed_column_says_which(tmp_path: Path) -> None:
    rows = [{k: v for k, v in row.items() if k != "w"} for row in face_rows(tmp_path, 1)]
    with pytest.raises(DataError, match="column w is missing"):
        read_faces_csv(write_csv(tmp_path / "f.csv", rows))


@pytest.mark.parametrize(("content", "told"), [(None, "no such file"), ("", "is missing")])
def test_csv_that_is_not_there_or_empty_is_named(
    tmp_path: Path, content: str | None, told: str
) -> None:
    path = tmp_path / "f.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=told):
        read_faces_csv(path)


def test_csv_of_a_header_alone_lists_no_face(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("file,x,y,w,h,label\n")
    with pytest.raises(DataError, match="lists no face"):
        read_faces_csv(tmp_path / "f.csv")


def test_a_broken_picture_is_skipped_and_counted(tmp_path: Path) -> None:
    rows = face_rows(tmp_path, 3)
    (tmp_path / "images" / "001.png").write_bytes(b"\x89PNG\r\n\x1a\n, then nothing")
    loaded = load_faces(read_faces_csv(write_csv(tmp_path / "f.csv", rows)))
    assert [record.picture.name for record in loaded.records] == ["000.png", "002.png"]
    assert "skipped 1 pictures" in broken_report(loaded.broken)
    assert "001.png" in broken_report(loaded.broken)


def test_coco_tells_faces_from_ignore_regions(tmp_path: Path) -> None:
    document = coco_document(tmp_path, ["with_mask", "face", "incorrect_mask"])
    document["annotations"][2]["iscrowd"] = 1
    points = [25, 27, 2, 39, 27, 2, 32, 34, 2, 26, 42, 2, 38, 42, 2]
    document["annotations"][0]["keypoints"] = points
    pictures = read_coco(write_json(tmp_path / "d.json", document))
    assert [picture.faces[0].ignore for picture in pictures] == [False, False, True]
    assert pictures[0].faces[0].landmarks is not None
    assert [face.label for face in faces_of(pictures)] == ["with_mask"]


@pytest.mark.parametrize(
    ("where", "change", "told"),
    [
        ("annotations", {"bbox": [500, 0, 10, 10]}, "outside the picture"),
        ("annotations", {"bbox": [1, 2, 3]}, "not four numbers"),
        ("annotations", {"category_id": 9}, "category_id 9 is unknown"),
        ("annotations", {"image_id": 77}, "77 is not the id"),
        ("annotations", {"image_id": [0]}, r"\[0\] is not the id"),
        ("annotations", {"keypoints": [1, 2]}, "five times"),
        ("annotations", {"keypoints": ["a", 1, 2] * 5}, "not all numbers"),
        ("images", {"file_name": "gone.png"}, "gone.png does not exist"),
        ("images", {"width": None}, "width and height are needed"),
        ("categories", {"name": "dog"}, "'dog' is unknown"),
    ],
)
def test_coco_entry_that_is_wrong_is_named(
    tmp_path: Path, where: str, change: dict, told: str
) -> None:
    document = coco_document(tmp_path, ["with_mask"])
    document[where][0].update(change)
    with pytest.raises(DataError, match=told):
        read_coco(write_json(tmp_path / "d.json", document))


@pytest.mark.parametrize(
    ("text", "told"), [("{", "not JSON"), ("{}", "'images' is missing"), ("[]", "is missing")]
)
def test_coco_file_that_is_no_coco_says_so(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "d.json").write_text(text)
    with pytest.raises(DataError, match=told):
        read_coco(tmp_path / "d.json")


@pytest.mark.parametrize(
    ("annotations", "told"),
    [([7], r"annotations\[0\] is 7; an object"), (None, "annotations is no list")],
)
def test_coco_annotations_that_are_no_objects_are_named(
    tmp_path: Path, annotations: object, told: str
) -> None:
    document = coco_document(tmp_path, ["with_mask"]) | {"annotations": annotations}
    with pytest.raises(DataError, match=told):
        read_coco(write_json(tmp_path / "d.json", document))


def test_csv_header_that_is_no_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_bytes("file,x,y,w,h,label,größe\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"f\.csv:1: not readable as CSV in UTF-8"):
        read_faces_csv(tmp_path / "f.csv")


def test_data_without_a_labelled_face_say_so() -> None:
    with pytest.raises(DataError, match="hold no labelled face"):
        load_faces([])


@pytest.mark.parametrize(
    ("orientation", "size"), [(1, (40, 20)), (3, (40, 20)), (5, (20, 40)), (6, (20, 40))]
)
def test_size_of_a_picture_is_that_of_the_upright_one(
    tmp_path: Path, orientation: int, size: tuple[int, int]
) -> None:
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    PillowImage.new("RGB", (40, 20)).save(tmp_path / "a.jpg", exif=exif)
    image = read_picture(tmp_path / "a.jpg")
    assert image is not None
    assert picture_size(tmp_path / "a.jpg") == size == image.shape[1::-1]


def test_damaged_exif_does_not_hide_the_size(tmp_path: Path) -> None:
    PillowImage.new("RGB", (40, 20)).save(tmp_path / "a.jpg", exif=b"Exif\0\0no TIFF at all")
    assert picture_size(tmp_path / "a.jpg") == (40, 20)


def test_picture_too_large_to_open_has_no_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PillowImage.new("RGB", (40, 20)).save(tmp_path / "a.png")
    monkeypatch.setattr(PillowImage, "MAX_IMAGE_PIXELS", 100)
    assert picture_size(tmp_path / "a.png") is None


def test_voc_understands_the_names_public_sets_use(tmp_path: Path) -> None:
    write_picture(tmp_path / "images" / "a.png", face_picture("incorrect_mask", 1))
    (tmp_path / "annotations").mkdir()
    text = VOC.format(name="a.png", label="mask_weared_incorrect", difficult=1, xmax=48)
    (tmp_path / "annotations" / "a.xml").write_text(text)
    (picture,) = read_voc(tmp_path)
    assert (picture.width, picture.height) == (64, 64)
    assert picture.faces[0].box == (16, 12, 48, 52)
    assert (picture.faces[0].label, picture.faces[0].ignore) == ("incorrect_mask", True)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"label": "cat"}, "'cat' is unknown"),
        ({"xmax": "x"}, "xmax 'x' is not a number"),
        ({"xmax": 9}, "no area"),
        ({"name": "gone.png"}, "gone.png does not exist"),
    ],
)
def test_voc_object_that_is_wrong_is_named(tmp_path: Path, values: dict, told: str) -> None:
    write_picture(tmp_path / "a.png", face_picture("with_mask", 1))
    given = {"name": "a.png", "label": "with_mask", "difficult": 0, "xmax": 48} | values
    (tmp_path / "a.xml").write_text(VOC.format(**given))
    with pytest.raises(DataError, match=told):
        read_voc(tmp_path)


def test_voc_that_is_no_xml_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<annotation>")
    with pytest.raises(DataError, match=r"a\.xml:1: column"):
        read_voc(tmp_path)


def _found(*boxes: tuple[float, float, float, float]) -> Faces:
    count = len(boxes)
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    return Faces(corners, np.ones(count, np.float32), np.zeros((count, 5, 2), np.float32))


def test_class_folders_take_the_largest_face(tmp_path: Path) -> None:
    for label in ("with_mask", "without_mask"):
        write_picture(tmp_path / label / "a.png", face_picture(label, 1))
    reading = read_folders(tmp_path, lambda image: _found((0, 0, 8, 8), (16, 12, 48, 52)))
    assert [record.label for record in reading.records] == ["with_mask", "without_mask"]
    assert reading.records[0].box == (16, 12, 48, 52)


def test_class_folders_try_again_with_a_border_when_a_face_fills_the_frame(tmp_path: Path) -> None:
    for label in ("with_mask", "without_mask"):
        write_picture(tmp_path / label / "a.png", face_picture(label, 1))

    def detect(image: np.ndarray) -> Faces:
        return _found((40, 40, 90, 92)) if image.shape[0] > 64 else _found()

    reading = read_folders(tmp_path, detect)
    assert reading.records[0].box == (8, 8, 58, 60)
    assert reading.whole_pictures == 0


def test_class_folders_count_tight_faceless_and_broken_pictures(tmp_path: Path) -> None:
    write_picture(tmp_path / "with_mask" / "tight.png", face_picture("with_mask", 1))
    write_picture(tmp_path / "with_mask" / "wide.png", np.zeros((64, 200, 3), np.uint8))
    write_picture(tmp_path / "without_mask" / "tight.png", face_picture("without_mask", 1))
    (tmp_path / "without_mask" / "bad.jpg").write_bytes(b"no picture")
    reading = read_folders(tmp_path, lambda image: _found())
    assert reading.whole_pictures == 2
    assert [path.name for path in reading.without_face] == ["wide.png"]
    assert [path.name for path in reading.broken] == ["bad.jpg"]
    assert reading.records[0].box == (0, 0, 64, 64)


def test_class_folders_need_both_classes_and_some_face(tmp_path: Path) -> None:
    (tmp_path / "with_mask").mkdir()
    with pytest.raises(DataError, match="has no folder without_mask/"):
        read_folders(tmp_path, lambda image: _found())
    (tmp_path / "without_mask").mkdir()
    with pytest.raises(DataError, match="no face in any picture"):
        read_folders(tmp_path, lambda image: _found())


def test_checksum_changes_with_a_label_and_not_with_the_order(tmp_path: Path) -> None:
    rows = face_rows(tmp_path, 3)
    records = read_faces_csv(write_csv(tmp_path / "f.csv", rows))
    rows[0]["label"] = "without_mask"
    others = read_faces_csv(write_csv(tmp_path / "g.csv", rows))
    assert data_checksum(records) == data_checksum(records[::-1])
    assert data_checksum(records) != data_checksum(others)


def test_a_folder_of_no_known_layout_says_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no known layout"):
        read_face_data(tmp_path)


def test_groups_on_both_sides_of_a_given_split_are_told(faces_folder: Path) -> None:
    write_csv(faces_folder / "val.csv", face_rows(faces_folder, 6))
    assert "in both train and val" in read_face_data(faces_folder).notes[0]


def test_near_duplicates_across_a_given_split_are_told_without_named_groups(
    faces_folder: Path,
) -> None:
    for name in ("train", "val"):
        rows = [row | {"group": ""} for row in face_rows(faces_folder, 6)]
        write_csv(faces_folder / f"{name}.csv", rows)
    assert "in both train and val" in read_face_data(faces_folder).notes[0]


def test_one_csv_is_split_by_group(tmp_path: Path) -> None:
    write_csv(tmp_path / "faces.csv", face_rows(tmp_path, 60))
    data = read_face_data(tmp_path, validation_share=0.3, seed=1)
    sides = [{record.group for record in side.records} for side in (data.train, data.validation)]
    assert not sides[0] & sides[1]
    assert len(data.train.records) + len(data.validation.records) == 60


def test_the_shared_faces_are_read_whole(shared_faces: Path) -> None:
    records = read_faces_csv(shared_faces / "val.csv")
    assert len(records) == 1538
    assert {record.source for record in records} == {"ilc", "chandrika", "wider", "mafa", "maskon"}


def test_the_shared_detection_set_is_read_whole(shared_detection: Path) -> None:
    pictures = read_coco(shared_detection / "val.json")
    assert len(pictures) == 727
    assert any(face.ignore for picture in pictures for face in picture.faces)
