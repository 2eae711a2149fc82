"""Classifiers that go on from one another, see what is no face, and are averaged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edge.errors import DataError, ModelError, UsageError
from tests.train.making import face_picture
from train.averaging import is_classifier
from train.classifier.average import average_classifiers
from train.classifier.config import ClassifierConfig, overridden, read_config
from train.classifier.feed import TrainingFeed, class_weights, draw_odds
from train.classifier.network import build_classifier, load_classifier
from train.classifier.samples import KINDS, augmented_sample
from train.classifier.training import train_classifier
from train.cli import main
from train.data.faces_csv import read_faces_csv
from train.data.lookalikes import Lookalike, no_faces, read_lookalikes, write_lookalikes
from train.data.pictures import load_faces
from train.data.read import read_face_data

PLACES = [
    Lookalike("rack.png", "no_face", (10, 10, 50, 60)),
    Lookalike("rack.png", "unclear", (20, 20, 60, 60)),
    Lookalike("gone.png", "no_face", (0, 0, 20, 20)),
]


def _config(listed: Path | None = None) -> ClassifierConfig:
    config = overridden(ClassifierConfig(), "network", alpha=0.35, input_size=32)
    config = overridden(config, "schedule", epochs=1, batch_size=12)
    sampling = replace(config.sampling, lookalikes=str(listed or ""), labels={"no_face": 3.0})
    return replace(config, sampling=sampling)


@pytest.fixture
def rack(tmp_path: Path) -> Path:
    """A folder with a picture of a coat rack, and the list of what in it is no face."""
    folder = tmp_path / "rack"
    folder.mkdir()
    cv2.imwrite(str(folder / "rack.png"), np.full((80, 90, 3), 70, np.uint8))
    write_lookalikes(folder / "listed.csv", PLACES)
    return folder


def test_only_places_seen_to_be_no_face_are_shown_and_only_of_pictures_there(rack: Path) -> None:
    (found,) = no_faces(rack, read_lookalikes(str(rack / "listed.csv")))
    assert (found.picture.name, found.label, found.box) == ("rack.png", "no_face", (10, 10, 50, 60))


def test_a_place_outside_its_picture_is_refused(rack: Path) -> None:
    with pytest.raises(DataError, match=r"rack\.png: box .* lies outside the picture"):
        no_faces(rack, [Lookalike("rack.png", "no_face", (100, 10, 140, 60))])


def test_what_is_no_face_stays_so_whatever_is_done_to_it(rack: Path) -> None:
    (record,) = no_faces(rack, PLACES[:1])
    changes = replace(ClassifierConfig().augmentation, painted=1.0, occluded=1.0)
    image = face_picture("without_mask", 1)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        _, kind = augmented_sample(image, record, changes, rng, margin=0.2, size=16)
        assert KINDS[kind] == "no_face"


def test_a_place_that_is_no_face_is_taught_as_the_configuration_says(
    faces_folder: Path, rack: Path
) -> None:
    records = [*read_faces_csv(faces_folder / "train.csv"), *no_faces(rack, PLACES[:1])]
    config = _config()
    config = replace(
        config, sampling=replace(config.sampling, labels={"no_face": 24.0}, no_face=(0.5, 0.3, 0.2))
    )
    _, shares, weights = TrainingFeed(load_faces(records), config, 0)[0]
    none = np.all(np.isclose(shares, (0.5, 0.3, 0.2)), axis=1)
    assert none.sum() == pytest.approx(6, abs=1)
    assert np.all(weights[none] == 1) and np.all(shares[~none].max(axis=1) == 1)


def test_what_is_no_face_leaves_the_weights_of_the_classes_alone(
    faces_folder: Path, rack: Path
) -> None:
    faces = read_faces_csv(faces_folder / "train.csv")
    both = [*faces, *no_faces(rack, PLACES[:1])]
    sampling = _config().sampling
    alone, beside = (class_weights(r, draw_odds(r, sampling), 0.4) for r in (faces, both))
    assert beside == pytest.approx(alone, rel=1e-5)


@pytest.mark.parametrize("shares", ["[0.5, 0.5]", "[0.5, 0.5, 0.0]", "[0.5, 0.4, 0.2]"])
def test_shares_of_what_is_no_face_must_be_some(tmp_path: Path, shares: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(f"[sampling]\nno_face = {shares}\n")
    with pytest.raises(UsageError, match=r"no_face is .* 3 shares above 0 that sum to 1"):
        read_config(path)


@pytest.mark.usefixtures("untraced")
@pytest.mark.filterwarnings("ignore:Even though the")
def test_a_training_goes_on_from_another_and_sees_what_is_no_face(
    faces_folder: Path, rack: Path, tmp_path: Path
) -> None:
    data, config = read_face_data(faces_folder), _config(rack / "listed.csv")
    first = tmp_path / "first.keras"
    build_classifier(config.network, "none", seed=5).save(first)
    out = tmp_path / "second"
    outcome = train_classifier(
        data, config, "none", out, start=first, lookalikes=rack, verbose=False
    )
    assert outcome.metrics["start"]["file"] == "first.keras" and "backbone" not in outcome.metrics
    assert outcome.metrics["config"]["schedule"]["head_epochs"] == 0
    assert outcome.metrics["data"]["train"]["unnamed"]["no_face"] == 1
    assert "1 places that are no face" in " ".join(outcome.notes)

    run = ["average", "--data", str(faces_folder), "--out", str(tmp_path / "mean")]
    models = [first, out / "model.keras"]
    (tmp_path / "c.toml").write_text("[network]\nalpha = 0.35\ninput_size = 32\n")
    run += ["--config", str(tmp_path / "c.toml")]
    result = CliRunner().invoke(main, [*run, *(f"--model={path}" for path in models)])
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "mean" / "metrics.json").read_text())
    assert [one["file"] for one in metrics["average_of"]] == ["first.keras", "model.keras"]
    assert metrics["validation"]["faces"] == 12
    one, other, mean = (
        load_classifier(path, config.network, 0).get_weights()
        for path in (*models, tmp_path / "mean" / "model.keras")
    )
    # Of the last layer's bias the calibration of the average has its part.
    for a, b, c in zip(one[:-1], other[:-1], mean[:-1], strict=True):
        assert np.allclose((a + b) / 2, c, atol=1e-6)


def test_a_start_of_another_size_is_refused(faces_folder: Path, tmp_path: Path) -> None:
    config = _config()
    wide = replace(config.network, alpha=0.5)
    build_classifier(wide, "none", seed=5).save(tmp_path / "wide.keras")
    assert is_classifier(tmp_path / "wide.keras")
    data = read_face_data(faces_folder)
    with pytest.raises(ModelError, match=r"wide\.keras: is no mask classifier of alpha 0\.35"):
        train_classifier(data, config, "none", tmp_path / "out", start=tmp_path / "wide.keras")
    with pytest.raises(ModelError, match=r"wide\.keras: is no mask classifier"):
        average_classifiers([tmp_path / "wide.keras"] * 2, data, tmp_path / "mean", config)


def test_a_start_that_is_missing_is_told(faces_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone\.keras: cannot be read"):
        train_classifier(
            read_face_data(faces_folder), _config(), "none", tmp_path / "out",
            start=tmp_path / "gone.keras",
        )


def test_lookalikes_of_other_pictures_are_refused(faces_folder: Path, rack: Path) -> None:
    (rack / "rack.png").unlink()
    with pytest.raises(DataError, match=r"holds no picture that .*listed\.csv lists"):
        train_classifier(
            read_face_data(faces_folder), _config(rack / "listed.csv"), "none", rack / "out",
            lookalikes=rack,
        )
