"""The report of scores: verdicts, text, drawings, and the command that writes it all."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from edge.modelfile import ModelFile
from edge.vision.detector import Faces
from tests.train.making import BOX, SIDE, coco_document, face_rows, write_csv, write_json
from train.cli import main
from train.data.coco import read_coco
from train.data.pictures import load_faces
from train.data.read import read_split
from train.evaluate.appearance import Dispute
from train.evaluate.faces import evaluate_faces, faces_tables
from train.evaluate.pictures import evaluate_pictures, pictures_tables
from train.report.judgement import thinned
from train.report.scores_targets import Headline

CORNERS = (BOX[0], BOX[1], BOX[0] + BOX[2], BOX[1] + BOX[3])


@pytest.fixture
def faces_folder(tmp_path: Path) -> Path:
    """A faces data set of 12 cartoon faces to validate on."""
    write_csv(tmp_path / "val.csv", face_rows(tmp_path, 12))
    return tmp_path


@pytest.mark.parametrize(
    ("value", "low", "high", "below", "verdict"),
    [
        (0.98, 0.975, 0.99, False, "met"),
        (0.98, 0.96, 0.99, False, "met, within the error"),
        (0.96, 0.95, 0.98, False, "missed, within the error"),
        (0.90, 0.88, 0.92, False, "missed"),
        (0.90, 0.88, 0.92, True, "met"),
        (0.98, 0.96, 0.99, True, "missed, within the error"),
        (0.98, None, None, False, "met"),
        (None, None, None, False, "-"),
    ],
)
def test_a_verdict_says_whether_the_interval_leaves_a_doubt(
    value: float | None, low: float | None, high: float | None, below: bool, verdict: str
) -> None:
    entry: dict[str, Any] = {"value": value}
    entry |= {} if low is None else {"low": low, "high": high}
    assert Headline("figure", entry, 10, "97 %", 0.97, below).verdict == verdict


def test_a_thinned_curve_keeps_its_ends_and_the_best_precision_of_a_recall() -> None:
    recall = np.repeat(np.linspace(0.001, 1, 1000), 3)
    precision = np.linspace(1, 0.1, 3000)
    curve = thinned(recall, precision, points=50)
    assert len(curve["recall"]) <= 51
    assert (curve["recall"][0], curve["precision"][0]) == (0.001, 1.0)
    assert (curve["recall"][-1], curve["precision"][-1]) == (1.0, 0.1)
    assert thinned(np.zeros(0), np.zeros(0)) == {"recall": [], "precision": []}


def _always(answer: int) -> Any:
    return lambda image, boxes: np.eye(3, dtype=np.float32)[[answer] * len(boxes)]


def test_disputed_faces_count_as_given_and_are_left_out_of_a_second_set(
    faces_folder: Path,
) -> None:
    faces = load_faces(read_split(faces_folder))
    wrong = next(r for r in faces.records if r.label == "without_mask").picture.name
    mended = next(r for r in faces.records if r.label == "with_mask").picture.name
    disputed = {
        wrong: Dispute(wrong, "without_mask", "with_mask", "a mask is in sight"),
        # Its label has been changed since: no longer in dispute.
        mended: Dispute(mended, "without_mask", "with_mask", "a mask is in sight"),
    }
    result = evaluate_faces(_always(0), faces, repeats=0, disputed=disputed)
    assert (result["faces"], result["disputed"]) == (12, 1)
    assert result["without_disputed"]["faces"] == 11
    assert "disputed labels left out" in faces_tables(result)
    (told,) = [one for one in result["mistakes"] if one["disputed_as"]]
    assert (told["file"], told["said"], told["disputed_as"]) == (wrong, "with_mask", "with_mask")


def test_appearance_is_a_slice_and_a_remark_on_mistakes(faces_folder: Path) -> None:
    faces = load_faces(read_split(faces_folder))
    name = next(r for r in faces.records if r.label == "incorrect_mask").picture.name
    seen = {name: {"mask_colour": "blue", "beard": "no", "hand": "yes", "glasses": "unsure"}}
    result = evaluate_faces(_always(1), faces, repeats=0, appearance=seen)
    assert result["slices"]["mask colour: blue"]["faces"] == 1
    (told,) = [one for one in result["mistakes"] if one["file"] == name]
    assert {"mask colour: blue", "hand on the face: yes"} <= set(told["remarks"])


def test_a_detector_is_told_its_false_and_its_missed_faces(tmp_path: Path) -> None:
    labels = ["with_mask", "without_mask"] * 12
    pictures = read_coco(write_json(tmp_path / "val.json", coco_document(tmp_path, labels)))
    answers = iter([(0.0, 0.0, 9.0, 9.0), *[CORNERS] * 23])

    def detect(image: np.ndarray) -> Faces:
        box = np.array([next(answers)], np.float32)
        return Faces(box, np.array([0.9], np.float32), np.zeros((1, 5, 2), np.float32))

    result = evaluate_pictures(detect, pictures, repeats=0, sliced=True)
    assert [one["file"] for one in result["false_faces"]] == ["0.png"]
    assert [one["file"] for one in result["missed_faces"]] == ["0.png"]
    close = result["ranges"]["close"]
    assert close["masked_bare_gap"]["all"]["value"] == pytest.approx(1 / 12)
    assert close["slices"]["share: 32 % and more"]["recall"]["value"] == pytest.approx(23 / 24)
    assert close["working_point"] == {"recall": pytest.approx(23 / 24), "precision": 23 / 24}
    assert "recall, bare less masked" in pictures_tables(result)


@pytest.fixture
def scored(
    tmp_path: Path, classifier_file: ModelFile, detector_file: ModelFile
) -> tuple[list[str], Path]:
    """The words of a command that scores two tiny networks, and its folder."""
    faces, detection = tmp_path / "faces", tmp_path / "detection"
    write_csv(faces / "val.csv", face_rows(faces, 45))
    write_json(detection / "val.json", coco_document(detection, ["with_mask", "without_mask"] * 3))
    words = ["scores", "--faces", str(faces), "--detection", str(detection), "--repeats", "4"]
    words += ["--classifier", str(classifier_file.path), "--detector", str(detector_file.path)]
    return words, tmp_path / "docs"


def test_the_command_writes_the_same_report_twice(scored: tuple[list[str], Path]) -> None:
    words, out = scored
    texts = []
    for _ in range(2):
        written = ["--out", str(out), "--json", str(out / "s.json")]
        result = CliRunner().invoke(main, [*words, *written])
        assert result.exit_code == 0, result.output
        texts.append({path.name: path.read_bytes() for path in sorted(out.rglob("*.*"))})
    assert texts[0] == texts[1]
    assert json.loads(texts[0]["s.json"])["classifier"]["faces"] == 45
    drawings = [name for name in texts[0] if name.endswith(".svg")]
    text = texts[0]["scores.md"].decode()
    assert len(drawings) == 8 and all(f"(scores/{name})" in text for name in drawings)


def test_the_report_states_models_data_counts_and_command(
    scored: tuple[list[str], Path], classifier_file: ModelFile
) -> None:
    words, out = scored
    assert CliRunner().invoke(main, [*words, "--out", str(out)]).exit_code == 0
    text = (out / "scores.md").read_text()
    assert classifier_file.sha256 in text and "python -m train scores --faces" in text
    assert "| source: made | 45:" in text.replace("**", "")
    assert "97 % or more" in text and "Its surest mistakes" in text
    assert "nan" not in text and "None" not in text


def test_where_nothing_can_be_written_it_says_so_before_measuring(
    scored: tuple[list[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file")
    result = CliRunner().invoke(main, [*scored[0], "--out", str(tmp_path / "taken")])
    assert result.exit_code == 5
    assert "taken" in result.output and len(result.output.strip().splitlines()) == 1


def test_made_faces_are_cut_by_the_same_rules_as_photographs(faces_folder: Path) -> None:
    with (faces_folder / "val.csv").open(newline="") as file:
        count = sum(1 for _ in csv.DictReader(file))
    result = evaluate_faces(_always(0), load_faces(read_split(faces_folder)), repeats=0)
    assert result["slices"]["view: frontal"]["faces"] == count
    assert result["slices"]["size: 40 to 64 px"]["faces"] == count
    assert max(BOX[2:]) < SIDE
