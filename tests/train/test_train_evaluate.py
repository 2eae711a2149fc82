"""Evaluation of detector, classifier and pair on made pictures, and its command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edge.errors import DataError, ModelError
from edge.modelfile import ModelFile
from edge.vision.detector import Faces
from tests.train.making import BOX, coco_document, write_json
from train.cli import main
from train.data.coco import read_coco
from train.data.records import PictureRecord
from train.evaluate.faces import evaluate_faces
from train.evaluate.networks import Judge, load_judge
from train.evaluate.pair import evaluate_pair, pair_tables
from train.evaluate.pictures import evaluate_pictures, pictures_tables
from train.evaluate.tilted import tilted

CORNERS = (BOX[0], BOX[1], BOX[0] + BOX[2], BOX[1] + BOX[3])
LABELS = ["with_mask", "without_mask", "incorrect_mask", "with_mask"]


def _faces(*boxes: tuple[float, float, float, float]) -> Faces:
    scores = np.linspace(0.9, 0.5, len(boxes)).astype(np.float32)
    return Faces(
        np.array(boxes, np.float32).reshape(-1, 4), scores, np.zeros((len(boxes), 5, 2), np.float32)
    )


def _answers(*classes: int) -> Judge:
    """A judge that gives *classes* one after the other, whatever it sees."""
    left = list(classes)

    def judge(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        return np.eye(3, dtype=np.float32)[[left.pop(0) for _ in boxes]].reshape(-1, 3)

    return judge


@pytest.fixture
def pictures(tmp_path: Path) -> list[PictureRecord]:
    return read_coco(write_json(tmp_path / "val.json", coco_document(tmp_path, LABELS)))


def test_a_perfect_detector_scores_one_everywhere(pictures: list[PictureRecord]) -> None:
    result = evaluate_pictures(lambda image: _faces(CORNERS), pictures, repeats=5)
    assert result["ranges"]["close"]["average_precision"]["value"] == 1.0
    assert result["ranges"]["gate"]["labels"]["with_mask"]["faces"] == 2
    assert result["ranges"]["gate"]["labels"]["with_mask"]["recall"]["value"] == 1.0
    assert "AP50" in pictures_tables(result)


@pytest.mark.parametrize("angle", [-30.0, 15.0])
def test_a_tilted_face_is_where_the_tilted_picture_shows_it(
    pictures: list[PictureRecord], angle: float
) -> None:
    record, face = pictures[0], pictures[0].faces[0]
    image = np.zeros((96, 128, 3), np.uint8)
    x0, y0, x1, y1 = face.box
    middle = (round((x0 + x1) / 2), round((y0 + y1) / 2))
    cv2.circle(image, middle, 3, (255, 255, 255), -1)
    turned, told = tilted(image, record, angle)
    rows, columns = np.nonzero(turned[..., 0] > 200)
    box = told.faces[0].box
    assert turned.shape == image.shape and told.faces[0].label == face.label
    assert columns.mean() == pytest.approx((box[0] + box[2]) / 2, abs=1.5)
    assert rows.mean() == pytest.approx((box[1] + box[3]) / 2, abs=1.5)


def test_a_face_that_the_tilt_cuts_or_loses_does_not_count(
    pictures: list[PictureRecord],
) -> None:
    image = np.zeros((100, 400, 3), np.uint8)
    at = [(190.0, 40.0, 210.0, 60.0), (0.0, 40.0, 20.0, 60.0), (30.0, 40.0, 78.0, 88.0)]
    faces = tuple(replace(pictures[0].faces[0], box=box, landmarks=None) for box in at)
    _, told = tilted(image, replace(pictures[0], faces=faces), 30.0)
    assert [face.ignore for face in told.faces] == [False, True]


def test_a_blind_detector_finds_nothing(pictures: list[PictureRecord]) -> None:
    result = evaluate_pictures(lambda image: Faces.none(), pictures, repeats=0)
    assert result["ranges"]["all"]["recall"]["value"] == 0.0
    assert pictures_tables(result)


def test_a_broken_picture_is_left_out_and_named(pictures: list[PictureRecord]) -> None:
    pictures[0].path.write_bytes(b"broken")
    result = evaluate_pictures(lambda image: _faces(CORNERS), pictures, repeats=0)
    assert (result["pictures"], result["broken"]) == (3, ["0.png"])
    for picture in pictures[1:]:
        picture.path.write_bytes(b"")
    with pytest.raises(DataError, match="none of the 4 pictures"):
        evaluate_pictures(lambda image: _faces(CORNERS), pictures, repeats=0)


def test_the_pair_counts_faces_judged_right_and_wrong_alerts(
    pictures: list[PictureRecord],
) -> None:
    # Truth: with, without, incorrect, with.  Each picture also has a stray detection.
    stray = (0.0, 0.0, 9.0, 9.0)
    judge = _answers(0, 0, 1, 1, 0, 0, 2, 0)
    result = evaluate_pair(lambda image: _faces(CORNERS, stray), judge, pictures, repeats=0)
    assert result["close_faces"]["all"]["found"]["value"] == 1.0
    assert result["close_faces"]["all"]["found_and_right"]["value"] == 0.5
    assert result["close_faces"]["with_mask"]["found_and_right"]["value"] == 0.5
    wrong = result["wrong_alerts_per_100_pictures"]
    assert [wrong[name]["value"] for name in ("masked", "nothing", "all")] == [25.0, 25.0, 50.0]
    assert "on a masked face" in pair_tables(result)


def test_the_pair_says_what_it_likes_in_an_ignore_region(tmp_path: Path) -> None:
    document = coco_document(tmp_path, ["with_mask"])
    document["annotations"][0]["iscrowd"] = 1
    pictures = read_coco(write_json(tmp_path / "val.json", document))
    result = evaluate_pair(lambda image: _faces(CORNERS), _answers(1), pictures, repeats=0)
    assert result["wrong_alerts_per_100_pictures"]["all"]["value"] == 0.0
    assert result["close_faces"]["all"] == {
        "faces": 0, "found": {"value": None}, "found_and_right": {"value": None}
    }


def test_synthetic_faces_are_in_no_number(faces_folder: Path) -> None:
    from train.data.pictures import load_faces
    from train.data.read import read_split

    faces = load_faces(read_split(faces_folder))
    with pytest.raises(DataError, match="synthetic"):
        evaluate_faces(_answers(*[0] * 12), faces, ["made"], repeats=0)
    assert evaluate_faces(_answers(*[0, 1, 2] * 4), faces, [], 0)["synthetic_left_out"] == 0


def test_a_keras_model_without_its_metrics_is_refused(tmp_path: Path) -> None:
    import keras

    layers = [keras.Input((32, 32, 3)), keras.layers.GlobalAveragePooling2D()]
    keras.Sequential([*layers, keras.layers.Dense(3)]).save(tmp_path / "model.keras")
    with pytest.raises(ModelError, match=r"metrics\.json is missing"):
        load_judge(tmp_path / "model.keras")
    with pytest.raises(ModelError, match="no such file"):
        load_judge(tmp_path / "gone.keras")


def test_the_command_line_evaluates_a_classifier_file(
    faces_folder: Path, classifier_file: ModelFile, tmp_path: Path
) -> None:
    written = tmp_path / "e.json"
    arguments = ["evaluate", "classifier", "--model", str(classifier_file.path)]
    arguments += ["--data", str(faces_folder), "--repeats", "5", "--json", str(written)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "true \\ said" in result.output
    assert json.loads(written.read_text())["faces"] == 12


def test_the_command_line_evaluates_detector_and_pair(
    pictures: list[PictureRecord], classifier_file: ModelFile, detector_file: ModelFile
) -> None:
    folder = str(pictures[0].path.parents[1])
    detector, classifier = str(detector_file.path), str(classifier_file.path)
    for arguments in (
        ["detector", "--model", detector],
        ["pair", "--detector", detector, "--classifier", classifier],
    ):
        result = CliRunner().invoke(
            main, ["evaluate", *arguments, "--data", folder, "--repeats", "3"]
        )
        assert result.exit_code == 0, result.output
        assert "close" in result.output


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["classifier", "--data", "nowhere", "--out", "run"], 6, "nowhere: no such folder"),
        (["evaluate", "classifier", "--data", "nowhere", "--model", "m.tflite"], 4, "m.tflite"),
        (["classifier", "--data", ".", "--out", "run", "--epochs", "0"], 2, "'--epochs': 0 is not"),
        (["classifier", "--data", ".", "--out", "run", "--config", "c.toml"], 2, "c.toml"),
    ],
)
def test_bad_input_is_one_line_and_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.output
    assert told in result.output
    assert len(result.output.strip().splitlines()) == 1
