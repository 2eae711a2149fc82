"""The rim of ``python -m train``: options, exit codes, and folders that cannot be written."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edge.errors import DataError
from tests.train.making import detection_folder, face_picture, face_rows, write_csv, write_picture
from train.classifier.config import DEFAULT_CONFIG, read_config
from train.cli import main
from train.data.read import read_face_data

TRAININGS = (
    ("classifier", "train.classifier.training.train_classifier"),
    ("detector", "train.detector.train.train_detector"),
)


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Data that both trainings can read."""
    write_csv(tmp_path / "train.csv", face_rows(tmp_path, 6))
    write_csv(tmp_path / "val.csv", face_rows(tmp_path, 6, first=50))
    return detection_folder(tmp_path)


@pytest.fixture
def judged_bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A classifier that calls everybody bare."""
    monkeypatch.setattr(
        "train.evaluate.networks.load_judge",
        lambda path: lambda image, boxes: np.tile(np.array([[0.1, 0.8, 0.1]]), (len(boxes), 1)),
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that a face detector was asked of; it finds no face anywhere."""
    files: list[Path] = []
    monkeypatch.setattr(
        "train.data.folders.detect_in_class_folders",
        lambda data, file: files.append(file) or _no_face,
    )
    return files


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    """Twelve pictures a class, no two of them alike."""
    for number in range(12):
        for label in ("with_mask", "without_mask"):
            picture = np.roll(face_picture(label, 7 * number), number * 5, axis=1)
            write_picture(tmp_path / "data" / label / f"{number}.png", picture)
    return tmp_path / "data"


def test_help_lists_the_exit_codes() -> None:
    text = _run("--help").output
    listed = text.split("Exit codes:")[1].strip().splitlines()
    assert [int(line.split()[0]) for line in listed] == [0, 1, 2, 4, 5, 6, 130]


@pytest.mark.parametrize(
    "arguments",
    [
        ("classifier", "--out", "run", "--epochs", 0),
        ("classifier", "--out", "run", "--batch-size", 0),
        ("detector", "--out", "run", "--epochs", 0),
        ("evaluate", "pair", "--score-threshold", 7),
        ("evaluate", "pair", "--score-threshold", 0),
        ("evaluate", "pair", "--score-threshold", "nan"),
        ("evaluate", "detector", "--tilt", "nan"),
        ("evaluate", "pair", "--detail", "nan"),
        ("lookalikes", "--out", "run", "--score", "nan"),
        ("evaluate", "classifier", "--seed", -1),
        ("classifier", "--out", "run", "--seed", -1),
        ("detector", "--out", "run", "--seed", 2**32),
    ],
)
def test_a_number_that_is_not_allowed_is_named(tmp_path: Path, arguments: tuple) -> None:
    result = _run(*arguments, "--data", tmp_path)
    assert result.exit_code == 2
    assert f"'{arguments[-2]}'" in result.output


def test_settings_without_an_epoch_are_refused(data: Path, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[schedule]\nepochs = 0\n")
    result = _run("detector", "--data", data, "--out", tmp_path / "run", "--config", config)
    assert result.exit_code == 2
    assert "schedule.epochs is 0" in result.output


@pytest.mark.parametrize("command", ["classifier", "detector"])
def test_a_seed_of_the_settings_that_is_none_is_refused(
    data: Path, tmp_path: Path, command: str
) -> None:
    (tmp_path / "c.toml").write_text("seed = -1\n")
    result = _run(command, "--data", data, "--out", data / "run", "--config", tmp_path / "c.toml")
    assert result.exit_code == 2
    assert "seed is -1; allowed is 0 to 4294967295" in result.output


@pytest.mark.parametrize("command", ["classifier", "detector"])
def test_an_out_that_cannot_be_written_is_named(data: Path, command: str) -> None:
    result = _run(command, "--data", data, "--out", data / "train.csv" / "run")
    assert result.exit_code == 5
    assert "train.csv/run: cannot be written" in result.output


@pytest.mark.parametrize(("command", "place"), TRAININGS)
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 5),
        (DataError("no picture is left"), 6),
        (TimeoutError("no batch was ready"), 1),
    ],
)
def test_only_what_cannot_be_written_is_called_so(
    data: Path, monkeypatch: pytest.MonkeyPatch, command: str, place: str, error: Exception,
    code: int,
) -> None:
    def fails(*given: object, **named: object) -> None:
        raise error

    monkeypatch.setattr(place, fails)
    result = _run(command, "--data", data, "--out", data / "run")
    assert result.exit_code == code
    assert ("run: cannot be written" in result.output) == (code == 5)


@pytest.mark.usefixtures("judged_bare")
@pytest.mark.parametrize("seed", [None, 3])
def test_one_csv_is_judged_on_what_the_training_keeps_back(
    tmp_path: Path, seed: int | None
) -> None:
    write_csv(tmp_path / "faces.csv", face_rows(tmp_path, 40))
    given = () if seed is None else ("--seed", seed)
    written = tmp_path / "out" / "result.json"
    written.parent.mkdir()
    result = _run(
        "evaluate", "classifier", "--data", tmp_path, "--repeats", 0, "--json", written, *given
    )
    assert result.exit_code == 0, result.output
    used = read_config(DEFAULT_CONFIG).seed if seed is None else seed
    kept = read_face_data(tmp_path, seed=used).validation.records
    assert json.loads(written.read_text())["faces"] == len(kept)
    assert f"--seed {used} keeps back" in result.output


@pytest.mark.usefixtures("judged_bare")
def test_class_folders_are_judged_with_a_detector(class_folders: Path, asked: list[Path]) -> None:
    result = _run(
        "evaluate", "classifier", "--data", class_folders, "--repeats", 0, "--detector", "d.tflite"
    )
    assert result.exit_code == 0, result.output
    assert asked == [Path("d.tflite")]


def _no_face(image: np.ndarray) -> object:
    from edge.vision.detector import Faces

    return Faces.none()


@pytest.mark.usefixtures("judged_bare")
def test_a_split_that_is_not_there_is_not_made_up(tmp_path: Path) -> None:
    write_csv(tmp_path / "faces.csv", face_rows(tmp_path, 12))
    result = _run("evaluate", "classifier", "--data", tmp_path, "--split", "test")
    assert result.exit_code == 6
    assert "holds neither test.csv nor test.json" in result.output


def _trained(folder: Path, seed: int) -> Path:
    """Return the path of a model, beside which its training's metrics say *seed*."""
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps({"config": {"seed": seed}}))
    return folder / "model.keras"


@pytest.mark.usefixtures("judged_bare")
def test_a_network_is_judged_on_what_its_own_training_kept_back(tmp_path: Path) -> None:
    write_csv(tmp_path / "faces.csv", face_rows(tmp_path, 40))
    given = ("evaluate", "classifier", "--data", tmp_path, "--repeats", 0)
    model = _trained(tmp_path / "run", 3)
    assert "--seed 3 keeps back" in _run(*given, "--model", model).output
    assert "--seed 4 keeps back" in _run(*given, "--model", model, "--seed", 4).output
    default = read_config(DEFAULT_CONFIG).seed
    (tmp_path / "run" / "metrics.json").write_text("{")
    assert f"--seed {default} keeps back" in _run(*given, "--model", model).output


@pytest.fixture
def averages(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """What the command would average: the data, and the seed."""
    asked: list[tuple] = []

    def averaged(models: object, faces: object, out: Path, settings: object, line: str) -> None:
        asked.append((faces, settings.seed))

    monkeypatch.setattr("train.averaging.is_classifier", lambda path: True)
    monkeypatch.setattr("train.classifier.average.average_classifiers", averaged)
    return asked


@pytest.mark.parametrize(
    ("seeds", "given", "used", "flatters"),
    [((3, 3), None, 3, False), ((3, 4), None, 20, True), ((3, 4), 4, 4, True)],
)
def test_an_average_is_measured_on_what_its_trainings_kept_back(
    tmp_path: Path, averages: list[tuple], seeds: tuple, given: int | None, used: int,
    flatters: bool,
) -> None:
    write_csv(tmp_path / "faces.csv", face_rows(tmp_path, 40))
    models = [_trained(tmp_path / str(place), seed) for place, seed in enumerate(seeds)]
    options = () if given is None else ("--seed", given)
    result = _run(
        "average", "--data", tmp_path, "--out", tmp_path / "out", *options,
        *(word for model in models for word in ("--model", model)),
    )
    assert result.exit_code == 0, result.output
    ((faces, seed),) = averages
    assert seed == used
    kept = read_face_data(tmp_path, seed=used).validation.records
    assert faces.validation.records == kept
    assert ("the validation numbers flatter" in result.output) == flatters


def test_an_average_of_class_folders_has_a_detector(
    class_folders: Path, asked: list[Path], averages: list[tuple]
) -> None:
    (class_folders / "with_mask" / "bad.png").write_bytes(b"no picture")
    result = _run(
        "average", "--data", class_folders, "--out", class_folders.parent / "out",
        "--model", "a.keras", "--model", "b.keras", "--detector", "d.tflite",
    )
    assert result.exit_code == 0, result.output
    assert asked == [Path("d.tflite")] and len(averages) == 1
    assert "24 faces;" in result.output and "1 broken" in result.output
