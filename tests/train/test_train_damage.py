"""Model files with flipped bytes, a classifier that diverges, and numbers JSON has no word for."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import pytest

import train.classifier.training as classifier_training
from edge.errors import DataError, ModelError, UsageError
from tests.train.making import detection_folder
from train.averaging import is_classifier
from train.classifier.checkpoint import Progress, load_checkpoint, save_checkpoint
from train.classifier.config import ClassifierConfig, overridden
from train.classifier.training import train_classifier
from train.data.read import read_face_data
from train.detector.config import DetectorConfig
from train.detector.train import train_detector
from train.evaluate.networks import load_detect, load_judge
from train.report.files import write_json


@pytest.fixture
def flipped(tmp_path: Path) -> Path:
    """A .keras file, some of whose bytes have flipped."""
    path = tmp_path / "model.keras"
    layers = [keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]
    keras.Sequential(layers).save(path)
    flip(path)
    return path


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for place in range(len(content) // 2, len(content) // 2 + 64):
        content[place] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("load", [is_classifier, load_judge, load_detect])
def test_a_damaged_model_is_told(flipped: Path, load: Callable[[Path], object]) -> None:
    with pytest.raises(ModelError, match=r"model\.keras: cannot be read as a Keras model: "):
        load(flipped)


def test_trainings_do_not_go_on_from_a_damaged_model(flipped: Path, faces_folder: Path) -> None:
    out = faces_folder / "run"
    with pytest.raises(ModelError, match="cannot be read as a Keras model"):
        train_classifier(read_face_data(faces_folder), _tiny(), "none", out, start=flipped)
    with pytest.raises(ModelError, match="cannot be read as a Keras model"):
        train_detector(detection_folder(out), out, DetectorConfig(), start=flipped)


@pytest.mark.filterwarnings("ignore:Skipping variable loading")
def test_a_damaged_checkpoint_asks_for_a_fresh_start(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    save_checkpoint(tmp_path, model, Progress(1, "now", ({"loss": 1.0},)))
    assert load_checkpoint(tmp_path, "now") is not None
    flip(tmp_path / "epoch-001.keras")
    with pytest.raises(DataError, match=r"epoch-001\.keras: cannot be read .*--fresh"):
        load_checkpoint(tmp_path, "now")
    state = json.loads((tmp_path / "state.json").read_text())
    (tmp_path / "state.json").write_text(json.dumps(state | {"history": [7]}))
    with pytest.raises(DataError, match=r"state\.json: damaged .*--fresh"):
        load_checkpoint(tmp_path, "now")


@pytest.mark.usefixtures("untraced")
@pytest.mark.filterwarnings("ignore:Even though the")
def test_a_classifier_that_diverges_keeps_what_it_had(
    faces_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_epoch(model: object, feed: object, epoch: int, *given: object) -> tuple:
        return {"epoch": epoch + 1, "loss": math.nan if epoch else 1.0}, model.get_weights()

    monkeypatch.setattr(classifier_training, "_one_epoch", one_epoch)
    data, out = read_face_data(faces_folder), tmp_path / "run"
    with pytest.raises(UsageError, match=r"diverged at epoch 2.*lower the rate"):
        train_classifier(data, _tiny(), "none", out)
    (out / "history.csv").unlink()
    with pytest.raises(UsageError, match="diverged at epoch 2"):
        train_classifier(data, _tiny(), "none", out)
    assert [row["epoch"] for row in json.loads((out / "history.json").read_text())] == [1]
    assert (out / "history.csv").is_file() and (out / "checkpoint" / "averaged.keras").is_file()


def _tiny() -> ClassifierConfig:
    config = overridden(ClassifierConfig(), "network", alpha=0.35, input_size=32)
    return replace(config, schedule=replace(config.schedule, epochs=2, batch_size=12))


def test_a_number_that_json_has_no_word_for_is_told_and_not_written(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text("old")
    with pytest.raises(ModelError, match=r"metrics\.json: not written, .*NaN"):
        write_json(path, {"validation": {"loss": math.nan}})
    assert path.read_text() == "old"
