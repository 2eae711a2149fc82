"""Training the classifier on cartoon faces: settings, samples, feed, and the loop itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import DataError, ModelError, UsageError
from tests.train.making import BOX, face_picture, face_rows, write_csv
from train.augment.occlusion import KINDS, occlude
from train.classifier.config import ClassifierConfig, overridden, read_config
from train.classifier.feed import (
    TrainingFeed,
    batches_ahead,
    class_weights,
    draw_odds,
    drawn_order,
)
from train.classifier.network import build_classifier
from train.classifier.samples import augmented_sample, jittered_box
from train.classifier.training import train_classifier
from train.data.faces_csv import read_faces_csv
from train.data.read import read_face_data
from train.data.records import FaceRecord
from train.evaluate.faces import evaluate_faces, faces_tables
from train.evaluate.networks import load_judge

CORNERS = (BOX[0], BOX[1], BOX[0] + BOX[2], BOX[1] + BOX[3])
RNG = np.random.default_rng


def _tiny(epochs: int = 2) -> ClassifierConfig:
    config = overridden(ClassifierConfig(), "network", alpha=0.35, input_size=32)
    return overridden(config, "schedule", epochs=epochs, batch_size=12)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[network]\nalpa = 1.0", "alpa is unknown; allowed are alpha"),
        ("[network]\nalpha = 'wide'", "alpha = 'wide'; a float"),
        ("[network]\ninput_size = 8", "input_size is 8; allowed is 32 or more"),
        ("[schedule]\nepochs = true", "epochs = True; a int"),
        ("[schedule]\nhead_epochs = 99", "head_epochs is 99"),
        ("seed = ", "not TOML"),
        ("[nets]\n", "nets is unknown"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=told):
        read_config(path)


def test_settings_in_a_file_win_over_defaults_and_flags_over_both(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("seed = 5\n[network]\nalpha = 0.5\n[sampling]\nsources = { ilc = 2 }\n")
    config = overridden(read_config(path), "network", alpha=0.75, input_size=None)
    assert (config.seed, config.network.alpha, config.network.input_size) == (5, 0.75, 112)
    assert config.sampling.sources == {"ilc": 2.0}


def test_the_committed_configuration_is_valid() -> None:
    assert read_config().sampling.synthetic == ("maskon",)


def test_a_backbone_that_is_no_file_is_refused() -> None:
    with pytest.raises(UsageError, match="neither imagenet, none nor a file"):
        build_classifier(_tiny().network, "gone.h5", seed=0)


def test_a_backbone_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.weights.h5"
    path.write_bytes(b"no weights")
    with pytest.raises(ModelError, match="do not fit"):
        build_classifier(_tiny().network, str(path), seed=0)


@pytest.mark.parametrize("kind", KINDS)
def test_something_before_the_mouth_covers_it_and_little_else(kind: str) -> None:
    image = np.full((128, 128, 3), 128, np.uint8)
    covered = occlude(image, (32, 24, 96, 104), RNG(1), kind=kind)
    changed = (np.abs(covered.astype(int) - 128) > 8).any(axis=-1)
    assert image.max() == 128
    assert changed[70:104].mean() > 0.03
    assert changed[:40].mean() < 0.05


def test_an_unknown_kind_of_occlusion_is_refused() -> None:
    with pytest.raises(ValueError, match="hand, cup"):
        occlude(np.zeros((9, 9, 3), np.uint8), (1, 1, 8, 8), RNG(0), kind="banana")


@pytest.mark.parametrize(("wrong", "label"), [(0.0, 0), (1.0, 2)])
def test_painting_a_mask_changes_the_class(tmp_path: Path, wrong: float, label: int) -> None:
    record = read_faces_csv(write_csv(tmp_path / "f.csv", face_rows(tmp_path, 3)))[1]
    augmentation = replace(
        ClassifierConfig().augmentation, painted=1.0, painted_wrong=wrong, camera=0.0, rotate=0.0
    )
    image = face_picture("without_mask", 1)
    before = image.copy()
    sample, said = augmented_sample(image, record, augmentation, RNG(3), margin=0.2, size=48)
    assert (sample.shape, sample.dtype, said) == ((48, 48, 3), np.uint8, label)
    assert np.array_equal(image, before)


def test_jitter_stays_within_twice_its_reach() -> None:
    augmentation = ClassifierConfig().augmentation
    boxes = np.array([jittered_box(CORNERS, augmentation, RNG(i)) for i in range(300)])
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2 - [32, 32]
    assert np.abs(middles / [32, 40]).max() <= 2 * augmentation.shift + 1e-9
    widths = (boxes[:, 2] - boxes[:, 0]) / 32
    assert widths.max() <= np.exp(2 * augmentation.scale) + 1e-9
    assert widths.std() > 0.05


def test_a_face_cut_by_the_frame_survives_every_jitter() -> None:
    image = np.full((200, 200, 3), 90, np.uint8)
    record = FaceRecord(Path("a.png"), (180.0, 50.0, 280.0, 150.0), "with_mask")
    for seed in range(300):
        crop, _ = augmented_sample(
            image, record, ClassifierConfig().augmentation, RNG(seed), margin=0.2, size=16
        )
        assert crop.shape == (16, 16, 3)


def test_faces_are_drawn_as_often_as_their_source_says(faces_folder: Path) -> None:
    records = read_faces_csv(faces_folder / "train.csv")
    sampling = replace(ClassifierConfig().sampling, labels={"incorrect_mask": 2.0})
    odds = draw_odds(records, sampling)
    drawn = drawn_order(odds, 320, RNG(0))
    wrong = np.mean([records[i].label == "incorrect_mask" for i in drawn])
    assert wrong == pytest.approx(0.5, abs=0.02)
    weights = class_weights(records, odds, 1.0)
    assert weights[0] == pytest.approx(2 * weights[2])
    assert class_weights(records, odds, 0.0) == pytest.approx(np.ones(3))


def test_nothing_to_draw_is_an_error(faces_folder: Path) -> None:
    records = read_faces_csv(faces_folder / "train.csv")
    with pytest.raises(DataError, match="weighs every source"):
        draw_odds(records, replace(ClassifierConfig().sampling, sources={"made": 0.0}))


def test_a_batch_depends_on_seed_epoch_and_place_alone(faces_folder: Path) -> None:
    faces = read_face_data(faces_folder).train
    first, again, later = (TrainingFeed(faces, _tiny(), epoch)[1] for epoch in (3, 3, 4))
    assert first[0].shape == (12, 32, 32, 3)
    assert (first[1].shape, first[2].shape) == ((12, 3), (12,))
    assert -1 <= first[0].min() < first[0].max() <= 1
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], later[0])


def test_batches_made_ahead_are_those_of_the_feed_in_order() -> None:
    assert list(batches_ahead(range(100, 120))) == list(range(100, 120))
    assert list(batches_ahead(range(0))) == []


def test_a_batch_that_cannot_be_made_is_an_error_in_its_turn() -> None:
    class Broken:
        def __len__(self) -> int:
            return 9

        def __getitem__(self, number: int) -> int:
            return 1 // (3 - number)

    made = batches_ahead(Broken())
    assert [next(made) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(made)


@pytest.mark.usefixtures("untraced")
@pytest.mark.filterwarnings("ignore:Even though the")
def test_training_writes_everything_resumes_and_is_evaluated(
    faces_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (faces_folder / "images" / "005.png").write_bytes(b"broken")
    data, out = read_face_data(faces_folder), tmp_path / "run"
    config = _tiny(epochs=2)
    broken_off = _StopsAfter(config)
    with pytest.raises(KeyboardInterrupt):
        broken_off.run(data, out)
    assert len(json.loads((out / "history.json").read_text())) == 1
    outcome = train_classifier(data, config, "none", out, verbose=False)
    assert "resuming after epoch 1 of 2" in capsys.readouterr().out
    assert "skipped 1 pictures" in outcome.notes[0]
    assert [row["epoch"] for row in json.loads((out / "history.json").read_text())] == [1, 2]
    for name in ("curves", "confusion", "precision_recall", "reliability"):
        assert (out / f"{name}.png").stat().st_size > 1000
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["data"]["checksum"] == data.checksum
    assert (metrics["seed"], metrics["crop_margin"]) == (config.seed, 0.2)
    assert 0.2 <= metrics["temperature"] <= 10
    assert metrics["validation"]["faces"] == 12

    result = evaluate_faces(load_judge(out / "model.keras"), data.validation, repeats=10)
    assert result["accuracy"]["value"] == metrics["validation"]["accuracy"]["value"]
    assert "incorrect_mask" in faces_tables(result)

    with pytest.raises(DataError, match="other data or settings"):
        train_classifier(data, replace(config, seed=99), "none", out)


class _StopsAfter:
    """A training that a person ends with Ctrl-C in its second epoch."""

    def __init__(self, config: ClassifierConfig) -> None:
        self._config = config

    def run(self, data: object, out: Path) -> None:
        import train.classifier.training as training

        original = training.TrainingFeed

        def feed(faces: object, config: ClassifierConfig, epoch: int) -> object:
            if epoch == 1:
                raise KeyboardInterrupt
            return original(faces, config, epoch)

        training.TrainingFeed = feed
        try:
            train_classifier(data, self._config, "none", out, verbose=False)
        finally:
            training.TrainingFeed = original


def test_only_synthetic_faces_cannot_be_validated_on(faces_folder: Path, tmp_path: Path) -> None:
    config = _tiny()
    config = replace(config, sampling=replace(config.sampling, synthetic=("made",)))
    with pytest.raises(DataError, match="synthetic"):
        train_classifier(read_face_data(faces_folder), config, "none", tmp_path / "run")
