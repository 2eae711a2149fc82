"""Places that look like faces: their file, and what training makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

import train.data.lookalikes as lookalikes
from edge.errors import DataError
from edge.vision.crop import Image
from edge.vision.detector import Faces
from train.cli import main
from train.data.lookalikes import (
    Lookalike,
    carried_over,
    hard_negatives,
    read_lookalikes,
    unclear_ignored,
    write_lookalikes,
)
from train.data.records import FaceRecord, PictureRecord
from train.detector.config import DEFAULT_CONFIG, DetectorConfig
from train.detector.mining import draw_finds, find_lookalikes
from train.detector.samples import Mixture, compose, source_of
from train.settings import read_settings

HEAD = "file,seen,x0,y0,x1,y1\n"
GREY, HAND = 90, 250


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(lookalikes, "FOLDER", tmp_path)
    return tmp_path / "places.csv"


def picture(name: str = "a.jpg") -> PictureRecord:
    face = FaceRecord(Path(name), (10.0, 10.0, 40.0, 50.0), "with_mask", "ilc")
    return PictureRecord(Path(name), 200, 150, "ilc", "", (face,))


def test_the_committed_file_is_what_the_configuration_names() -> None:
    settings = read_settings(DetectorConfig(), DEFAULT_CONFIG)
    places = read_lookalikes(settings.lookalikes)
    assert settings.mixture.negatives > 0
    assert sum(len(boxes) for boxes in hard_negatives(places).values()) > 1000


def test_an_unclear_place_is_ignored_and_one_without_a_face_is_a_negative(written: Path) -> None:
    written.write_text(HEAD + "a.jpg,unclear,50,50,70,80\na.jpg,no_face,100,60,130,100\n")
    places = read_lookalikes(written.name)
    known, other = unclear_ignored([picture(), picture("b.jpg")], places)
    assert [(face.box, face.ignore) for face in known.faces[1:]] == [((50, 50, 70, 80), True)]
    assert other == picture("b.jpg")
    source = source_of(known, hard_negatives(places))
    assert source.negatives.tolist() == [[100, 60, 130, 100]]
    assert len(source.scene.boxes) == 1 and len(source.scene.ignore) == 1


@pytest.mark.parametrize("seed", range(8))
def test_a_negative_is_shown_and_is_background(seed: int) -> None:
    record = PictureRecord(Path("a.jpg"), 200, 150, "ilc")
    source = source_of(record, {"a.jpg": np.array([[100, 60, 130, 100]], np.float32)})
    image = np.full((150, 200, 3), GREY, np.uint8)
    image[60:100, 100:130] = HAND
    shown, scene = compose(
        [source], {record.path: image}, np.ones(1, np.float32), 128, 200 * 150,
        Mixture(negatives=1.0, strength=0), np.random.default_rng(seed),
    )
    assert len(scene.boxes) == 0 and len(scene.ignore) == 0
    assert (np.abs(shown.astype(int) - HAND).max(axis=2) < 20).sum() >= 30


def test_pictures_without_negatives_are_drawn_as_if_there_were_no_such_share() -> None:
    record = picture()
    image = {record.path: np.random.default_rng(0).integers(0, 255, (150, 200, 3), np.uint8)}
    negatives = {"a.jpg": np.array([[100, 60, 130, 100]], np.float32)}
    shown, asked = (
        compose(
            [source_of(record, known)], image, np.ones(1, np.float32), 96, 200 * 150,
            Mixture(negatives=0.0), np.random.default_rng(3),
        )[0]
        for known in ({}, negatives)
    )
    assert np.array_equal(shown, asked)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file,seen\n", "column x0, y0, x1, y1 is missing"),
        (HEAD + "a.jpg,hand,1,2,3,4\n", "'hand' is unknown; allowed are no_face, unclear"),
        (HEAD + "a.jpg,no_face,1,2,three,4\n", "not four numbers"),
        (HEAD + "a.jpg,no_face,3,2,1,4\n", "has no area"),
        (HEAD + "a.jpg,no_face,1\n", "not four numbers"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(written: Path, text: str, says: str) -> None:
    written.write_text(text)
    with pytest.raises(DataError, match=says) as caught:
        read_lookalikes(written.name)
    assert str(written) in str(caught.value)


def test_a_missing_file_is_named(written: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_lookalikes("nowhere.csv")


def seen_at(*boxes: tuple[float, float, float, float]) -> Callable[[Image], Faces]:
    """Return a detector that sees *boxes* of a 200 x 150 picture in it, and nothing in parts."""

    def detect(image: Image) -> Faces:
        found = boxes if image.shape[:2] == (150, 200) else ()
        count = len(found)
        return Faces(
            np.array(found, np.float32).reshape(-1, 4),
            np.linspace(0.9, 0.5, count, dtype=np.float32),
            np.zeros((count, 5, 2), np.float32),
        )

    return detect


@pytest.mark.parametrize(
    ("box", "listed"),
    [
        ((100, 60, 130, 100), True),
        ((12, 12, 42, 52), False),
        ((30, 40, 60, 80), False),
        ((100, 60, 104, 64), False),
    ],
    ids=["beside the label", "on the label", "over its edge", "too small to tell"],
)
def test_what_is_found_beside_the_labels_is_listed(
    tmp_path: Path, box: tuple[float, float, float, float], listed: bool
) -> None:
    record = replace(picture(), path=tmp_path / "a.jpg")
    cv2.imwrite(str(record.path), np.full((150, 200, 3), GREY, np.uint8))
    finds, _ = find_lookalikes(seen_at(box), [record], 0.4)
    assert [find.place.box for find in finds] == ([box] if listed else [])


def test_one_place_is_listed_once_and_a_broken_picture_is_named(tmp_path: Path) -> None:
    record = replace(picture(), path=tmp_path / "a.jpg")
    cv2.imwrite(str(record.path), np.full((150, 200, 3), GREY, np.uint8))
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    broken = replace(picture(), path=tmp_path / "b.jpg")
    detect = seen_at((100, 60, 130, 100), (102, 61, 131, 101), (150, 20, 180, 60))
    finds, left_out = find_lookalikes(detect, [broken, record], 0.4)
    assert [find.place.box[0] for find in finds] == [100, 150] and left_out == [broken.path]
    (tmp_path / "lookalikes-002.png").write_bytes(b"a sheet of an earlier list")
    assert [path.name for path in draw_finds(tmp_path, finds)] == ["lookalikes-001.png"]
    assert not (tmp_path / "lookalikes-002.png").exists()


def test_a_list_that_was_written_is_read_again(written: Path) -> None:
    places = [Lookalike("a, b.jpg", "no_face", (1.0, 2.0, 30.5, 40.0))]
    write_lookalikes(written, places)
    assert read_lookalikes(written.name) == places == read_lookalikes(str(written))


def test_what_a_person_saw_is_carried_over_and_nothing_is_lost() -> None:
    box, other = (1.0, 2.0, 30.0, 40.0), (50.0, 2.0, 80.0, 40.0)
    known = [Lookalike("b.jpg", "no_face", box), Lookalike("a.jpg", "no_face", box)]
    found = [Lookalike("a.jpg", "unclear", other), Lookalike("a.jpg", "unclear", box)]
    assert carried_over(found, known) == [found[0], known[1], known[0]]


@pytest.fixture
def looking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments of the command for two pictures, of which one is broken."""
    monkeypatch.setattr(
        "train.evaluate.networks.load_detect", lambda path, score: seen_at((100, 60, 130, 100))
    )
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.jpg"), np.full((150, 200, 3), GREY, np.uint8))
    (tmp_path / "images" / "b.jpg").write_bytes(b"no picture")
    size = '"width": 200, "height": 150'
    (tmp_path / "train.json").write_text(
        f'{{"images": [{{"id": 1, "file_name": "a.jpg", {size}}},'
        f' {{"id": 2, "file_name": "b.jpg", {size}}}],'
        ' "annotations": [], "categories": [{"id": 1, "name": "face"}]}'
    )
    return ["lookalikes", "--data", str(tmp_path), "--out", str(tmp_path / "out")]


def test_the_command_lists_places_and_names_broken_pictures(
    tmp_path: Path, looking: list[str]
) -> None:
    result = CliRunner().invoke(main, looking)
    assert result.exit_code == 0, result.output
    assert "1 places in 1 pictures; 1 sheets" in result.output and "kept" not in result.output
    assert "skipped 1 pictures that cannot be read: " in result.output
    listed = tmp_path / "out" / "lookalikes.csv"
    assert listed.read_text() == HEAD + "a.jpg,unclear,100,60,130,100\n"


def test_the_command_keeps_what_a_person_saw(tmp_path: Path, looking: list[str]) -> None:
    listed = tmp_path / "out" / "lookalikes.csv"
    listed.parent.mkdir()
    seen = ["a.jpg,no_face,100,60,130,100\n", "gone.jpg,no_face,1,2,3,4\n"]
    listed.write_text(HEAD + "".join(reversed(seen)))
    result = CliRunner().invoke(main, looking)
    assert "kept what was seen in 2 lines; 1 of them were not found again" in result.output
    assert listed.read_text() == HEAD + "".join(seen)
    listed.write_text(before := HEAD + "a.jpg,hand,1,2,3,4\n")
    assert CliRunner().invoke(main, looking).exit_code == 6
    assert listed.read_text() == before
