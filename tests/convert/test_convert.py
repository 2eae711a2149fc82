"""``python -m convert`` from a Keras file to a model file, and every way it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from click.testing import CliRunner, Result

from convert.calibration import spread
from convert.cli import main
from convert.parity import Bounds, compare_classifiers
from convert.places import report_paths
from convert.quantise import float_function
from convert.release import Destination, release, with_self_test
from edge.errors import ModelError, OutputError
from edge.modelfile import LABELS, ModelFile, read_model
from edge.vision.classifier import MaskClassifier
from edge.vision.interpreter import Network, to_float
from edge.vision.selftest import run_self_test
from tests.networks import (
    CLASSIFIER_INPUT,
    COLORS,
    card_of,
    color_classifier,
    face_picture,
    int8_network,
    model_content,
    tiny_detector,
    write_detection,
    write_faces,
)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and both trainings."""
    folder = tmp_path_factory.mktemp("work")
    write_faces(folder / "faces")
    write_detection(folder / "detection")
    metrics: dict[str, dict[str, Any]] = {
        "classifier": {
            "crop_margin": 0.2,
            "temperature": 1.3,
            "seed": 5,
            "command": "python -m train classifier",
            "start": {"file": "first.keras", "sha256": "f00d"},
            "average_of": [{"file": f"{name}.keras", "sha256": name} for name in ("a1", "b2")],
            "validation": {"faces": 30, "accuracy": {"value": 1.0, "low": 0.9, "high": 1.0}},
        },
        "detector": {"config": {"input_width": 96, "input_height": 64, "seed": 1}},
    }
    for name, model in (("classifier", color_classifier()), ("detector", tiny_detector())):
        (folder / name).mkdir()
        model.save(folder / name / "model.keras")
        (folder / name / "metrics.json").write_text(json.dumps(metrics[name]))
    return folder


def convert(work: Path, kind: str, out: Path, *options: str) -> Result:
    data = {"classifier": "faces", "detector": "detection"}[kind]
    arguments = [
        kind, "--model", str(work / kind / "model.keras"), "--data", str(work / data),
        "--out", str(out), "--report", str(out.with_name("parity")), *options,
    ]
    return CliRunner().invoke(main, arguments)


def released(out: Path, **card: Any) -> ModelFile:
    """Release the tiny classifier, with changes to its *card*, as *out*."""
    network = int8_network("mask-classifier")
    tested = with_self_test(network, card_of("mask-classifier", **card), 2)
    logits = np.eye(3, dtype=np.float32)
    parity = compare_classifiers(logits, logits, [0, 1, 2], ["a", "b", "c"])
    to = Destination(out, out.with_name("parity"))
    return release(network, tested, parity, Bounds(), to, labelled="logits")


def test_a_classifier_is_converted_described_and_equal(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "masks.int8.tflite"
    result = convert(work, "classifier", out)
    assert result.exit_code == 0, result.output
    assert "same answer" in result.output and "30 of 30" in result.output
    model = read_model(out, "mask-classifier")
    assert (model.card.crop_margin, model.card.version) == (0.2, 1)
    assert model.card.decision == {"temperature": 1.3}
    assert model.card.metrics["parity"]["agreement"] == 1
    assert model.card.provenance["data"]["train"]["painted"]["with_mask"] == 4
    assert run_self_test(model) == 0
    image = np.full((64, 64, 3), COLORS["without_mask"], np.uint8)
    box = np.array([[16, 16, 48, 48]], np.float32)
    assert MaskClassifier(model).probabilities(image, box).argmax() == 1
    card = out.with_suffix(".md").read_text()
    assert "| went on from | `first.keras`, SHA-256 `f00d` |" in card
    assert card.count("| average of |") == 2
    assert model.sha256 in card and "0.9000 to 1.0000" in card
    report = json.loads((tmp_path / "parity.json").read_text())
    assert report["passed"] and "Worst cases" in (tmp_path / "parity.md").read_text()


def test_int8_logits_are_close_to_the_float_ones(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "masks.tflite"
    assert convert(work, "classifier", out).exit_code == 0
    network = Network.from_model(read_model(out))
    run = float_function(color_classifier())
    rng = np.random.default_rng(8)
    for color in COLORS.values():
        image = face_picture(rng, color, 32, 32)
        exact = next(iter(run(to_float(image, CLASSIFIER_INPUT)[None]).values()))
        np.testing.assert_allclose(network.run(image)["logits"], exact, atol=0.15)


def test_converting_again_raises_the_version(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "masks.tflite"
    for version in (1, 2):
        assert convert(work, "classifier", out).exit_code == 0
        assert read_model(out).card.version == version


def test_the_same_input_gives_the_same_file(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    files = [tmp_path / name for name in ("a.tflite", "b.tflite")]
    for file in files:
        assert convert(work, "classifier", file).exit_code == 0
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_difference_over_the_bound_is_refused_unless_forced(work: Path, tmp_path: Path) -> None:
    # An untrained detector finds no face, so nothing shows that int8 does as well.
    out = tmp_path / "faces.tflite"
    refused = convert(work, "detector", out)
    assert refused.exit_code == 7, refused.output
    assert "no face at all" in refused.output and "--force" in refused.output
    assert not out.exists()
    assert not json.loads((tmp_path / "parity.json").read_text())["passed"]
    forced = convert(work, "detector", out, "--force")
    assert forced.exit_code == 0, forced.output
    model = read_model(out, "face-detector")
    assert model.card.metrics["parity"]["forced"]
    assert model.card.decision == {"score_threshold": 0.5, "nms_iou": 0.45}
    assert "--force" in out.with_suffix(".md").read_text()


def test_a_refused_conversion_leaves_the_old_file(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "faces.tflite"
    assert convert(work, "detector", out, "--force").exit_code == 0
    before = out.read_bytes()
    assert convert(work, "detector", out).exit_code == 7
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--model", "nothing.keras"), 4, "nothing.keras: no such file"),
        (("--metrics", "nothing.json"), 2, "nothing.json does not exist"),
        (("--model", "GOOD", "--metrics", "GOOD"), 4, "not a Keras model"),
        (("--metrics", "EMPTY"), 2, "--crop-margin"),
        (("--data", "nowhere"), 6, "nowhere"),
        (("--notes", "nothing.md"), 2, "nothing.md"),
        (("--out", "GOOD"), 2, "ends in .tflite"),
        (("--out", "CARDLESS"), 4, "--model-version"),
        (("--report", ".."), 2, "--report is .."),
        (("--report", "TRAIN"), 2, "train.json in --data"),
        (("--out", "/proc/model.tflite"), 5, "--out: /proc/model.tflite cannot be written"),
    ],
)
def test_bad_input_gives_one_line_and_its_exit_code(
    work: Path, tmp_path: Path, options: tuple[str, ...], code: int, says: str
) -> None:
    empty = tmp_path / "empty.json"
    empty.write_text("{}")
    cardless = tmp_path / "cardless.tflite"
    cardless.write_text("no model")
    files = {
        "GOOD": str(work / "classifier" / "metrics.json"), "EMPTY": str(empty),
        "CARDLESS": str(cardless), "TRAIN": str(work / "faces" / "train"),
    }
    given = [files.get(option, option) for option in options]
    result = convert(work, "classifier", tmp_path / "masks.tflite", *given)
    assert result.exit_code == code, result.output
    said = result.output.splitlines()
    lines = [line for line in said if line.startswith("python -m convert: ")]
    assert len(lines) == 1 and says in lines[0]
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("option", "file", "says"),
    [
        ("--notes", "masks.md", "the card beside --out would be written over --notes"),
        ("--report", "masks", "the report's Markdown would be written over the card"),
        ("--metrics", "parity.json", "the report's JSON would be written over --metrics"),
    ],
)
def test_no_file_is_written_over_another(
    work: Path, tmp_path: Path, option: str, file: str, says: str
) -> None:
    (tmp_path / file).write_text("{}")
    result = convert(work, "classifier", tmp_path / "masks.tflite", option, str(tmp_path / file))
    assert result.exit_code == 2 and says in result.output
    assert [path.name for path in tmp_path.iterdir()] == [file]
    assert (tmp_path / file).read_text() == "{}"


def test_a_report_with_a_dot_in_its_name_keeps_it(tmp_path: Path) -> None:
    names = [path.name for path in report_paths(tmp_path / "parity-1.2")]
    assert names == ["parity-1.2.md", "parity-1.2.json"]


@pytest.mark.parametrize(("option", "file"), [("--out", "m.tflite"), ("--notes", "m.md")])
def test_a_card_is_not_written_over_what_it_is_made_of(
    tmp_path: Path, option: str, file: str
) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(model_content("mask-classifier"))
    given = tmp_path / file
    given.touch()
    before = given.read_bytes()
    result = CliRunner().invoke(main, ["card", str(model), option, str(given)])
    assert result.exit_code == 2, result.output
    assert given.read_bytes() == before


def test_a_detector_where_a_classifier_belongs_is_refused(work: Path, tmp_path: Path) -> None:
    detector = str(work / "detector" / "model.keras")
    metrics = str(work / "classifier" / "metrics.json")
    result = convert(
        work, "classifier", tmp_path / "x.tflite", "--model", detector, "--metrics", metrics
    )
    assert result.exit_code == 4
    assert "the network is a face-detector" in result.output
    assert "`python -m convert detector`" in result.output


def test_a_classifier_where_a_detector_belongs_is_refused(work: Path, tmp_path: Path) -> None:
    given = ("--model", work / "classifier" / "model.keras", "--width", 96, "--height", 64)
    result = convert(work, "detector", tmp_path / "x.tflite", *map(str, given))
    assert result.exit_code == 4, result.output
    assert "the network is a mask-classifier" in result.output
    assert "`python -m convert classifier`" in result.output


@pytest.mark.parametrize("classes", [2, 4])
def test_a_classifier_of_other_classes_than_a_gate_knows_is_refused(
    work: Path, tmp_path: Path, classes: int
) -> None:
    import keras

    inputs = keras.Input((32, 32, 3))
    x = keras.layers.GlobalAveragePooling2D()(inputs)
    path = tmp_path / "model.keras"
    keras.Model(inputs, keras.layers.Dense(classes, name="logits")(x)).save(path)
    result = convert(
        work, "classifier", tmp_path / "x.tflite", "--model", str(path),
        "--metrics", str(work / "classifier" / "metrics.json"),
    )
    assert result.exit_code == 4, result.output
    assert f"(None, {classes})" in result.output and "(None, 3) is needed" in result.output


def test_a_file_that_no_gate_would_load_is_not_put_in_place(tmp_path: Path) -> None:
    out = tmp_path / "masks.tflite"
    with pytest.raises(ModelError, match=f"^{out}: its outputs are"):
        released(out, labels=LABELS[:2])
    assert not out.exists()


@pytest.mark.parametrize("place", ["masks.md", "masks.tflite", "parity.md"])
def test_where_one_file_cannot_be_written_the_old_model_and_card_stay(
    tmp_path: Path, place: str
) -> None:
    for name in {"masks.md", "masks.tflite"} - {place}:
        (tmp_path / name).write_text("old")
    (tmp_path / place).mkdir()
    says = f"^(the card|the report|--out): {tmp_path / place} (cannot be written:|is a folder;)"
    with pytest.raises(OutputError, match=says):
        released(tmp_path / "masks.tflite")
    for name in {"masks.md", "masks.tflite"} - {place}:
        assert (tmp_path / name).read_text() == "old"
    assert not list(tmp_path.glob(".*"))


def test_broken_pictures_and_near_duplicates_are_told(work: Path, tmp_path: Path) -> None:
    data = tmp_path / "faces"
    shutil.copytree(work / "faces", data)
    (data / "images" / "val0.png").write_bytes(b"no picture")
    rows = (data / "val.csv").read_text().replace(",val1\n", ",train1\n")
    (data / "val.csv").write_text(rows)
    result = convert(work, "classifier", tmp_path / "masks.tflite", "--data", str(data))
    assert result.exit_code == 0, result.output
    assert "skipped 1 pictures that cannot be read" in result.output
    assert "1 groups of near-duplicates are in both train and val" in result.output


def test_a_detectors_broken_pictures_are_told(work: Path, tmp_path: Path) -> None:
    data = tmp_path / "detection"
    shutil.copytree(work / "detection", data)
    for name in ("train1.png", "val2.png"):
        (data / "images" / name).write_bytes(b"no picture")
    out = tmp_path / "faces.tflite"
    result = convert(work, "detector", out, "--data", str(data), "--force")
    assert result.exit_code == 0, result.output
    assert "skipped 2 pictures that cannot be read" in result.output
    assert "val2.png" in result.output


@pytest.mark.parametrize("option", ["--out", "--report"])
@pytest.mark.parametrize("place", ["/proc/nope/x.tflite", "/etc/hostname/x.tflite", "FOLDER"])
def test_a_bad_destination_is_found_before_the_work(
    work: Path, tmp_path: Path, option: str, place: str
) -> None:
    folder = tmp_path / "folder.md"
    folder.mkdir()
    given = str(folder.with_suffix(".tflite" if option == "--out" else ""))
    given = given if place == "FOLDER" else place
    # Without data no work begins; that is found out later.
    result = convert(work, "classifier", tmp_path / "m.tflite", "--data", "nowhere", option, given)
    assert result.exit_code == 5, result.output
    says = "is a folder; name a file" if place == "FOLDER" else "cannot be written: "
    assert says in result.output and list(tmp_path.iterdir()) == [folder]


def test_the_card_command_adds_what_was_measured_later(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "masks.tflite"
    assert convert(work, "classifier", out).exit_code == 0
    before = out.read_bytes()
    (tmp_path / "notes.md").write_text("Black masks at night.")
    evaluation = {
        "confusion": [[9, 1, 0], [0, 9, 1], [0, 0, 9]],
        "accuracy": {"value": 0.97, "low": 0.96, "high": 0.98},
    }
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluation))
    result = CliRunner().invoke(
        main,
        ["card", str(out), "--notes", str(tmp_path / "notes.md"), "--evaluation",
         str(tmp_path / "evaluation.json")],
    )
    assert result.exit_code == 0, result.output
    card = out.with_suffix(".md").read_text()
    assert "Black masks at night." in card and "0.9600 to 0.9800" in card
    assert out.read_bytes() == before


def test_rare_kinds_are_drawn_as_often_as_common_ones() -> None:
    items = [("common", i) for i in range(100)] + [("rare", i) for i in range(5)]
    chosen = spread(items, 10, lambda item: item[0], seed=0)
    assert sum(kind == "rare" for kind, _ in chosen) == 5
    assert chosen == spread(items, 10, lambda item: item[0], seed=0)
    assert len(spread(items, 1000, lambda item: item[0], seed=0)) == 105
