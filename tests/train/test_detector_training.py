"""What the detector is taught, and that it learns it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import DataError, ModelError, UsageError
from edge.vision.detector import STRIDES, decode_cells
from train.cli import main
from train.detector import targets as t
from train.detector.samples import Mixture, Source, compose, seen_from_the_side
from train.detector.targets import Scene, cell_targets

NO_POINTS = np.full((1, 5, 2), np.nan, np.float32)
NOTHING = np.zeros((0, 4), np.float32)


def scene_of(*boxes: tuple[float, ...], ignore: np.ndarray = NOTHING) -> Scene:
    points = np.repeat(NO_POINTS, len(boxes), axis=0)
    return Scene(np.array(boxes, np.float32).reshape(-1, 4), points, ignore)


@given(
    x=st.floats(0, 150), y=st.floats(0, 150), side=st.floats(4, 100), ratio=st.floats(0.6, 1.6)
)
@settings(max_examples=60)
def test_every_face_is_asked_of_some_cell_near_its_middle(x, y, side, ratio):
    box = (x, y, min(x + side, 256.0), min(y + side * ratio, 256.0))
    targets = cell_targets(scene_of(box), 256, 256)
    asked = targets[targets[:, t.POSITIVE] == 1]
    assert len(asked) >= 1
    middle = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
    away = np.abs(asked[:, t.CENTRE : t.CENTRE + 2] - middle) / asked[:, t.STRIDE : t.STRIDE + 1]
    assert away.max() <= t.RADIUS + 1e-4
    assert np.allclose(asked[:, t.BOX : t.BOX + 4], box)


@pytest.mark.parametrize(("side", "strides"), [(16, {8}), (60, {16}), (35, {8, 16}), (200, {32})])
def test_a_face_is_asked_of_the_scale_of_its_size(side, strides):
    targets = cell_targets(scene_of((20, 20, 20 + side, 20 + side)), 256, 256)
    assert set(targets[targets[:, t.POSITIVE] == 1, t.STRIDE]) == strides


def test_an_ignore_region_is_neither_face_nor_background():
    region = np.array([[64, 64, 128, 128]], np.float32)
    targets = cell_targets(scene_of(ignore=region), 256, 256)
    inside = np.all(
        (targets[:, t.CENTRE : t.CENTRE + 2] > 64) & (targets[:, t.CENTRE : t.CENTRE + 2] < 128),
        axis=1,
    )
    assert (targets[inside, t.WEIGHT] == 0).all() and (targets[~inside, t.WEIGHT] == 1).all()


def test_the_smaller_of_two_faces_gets_the_cell_both_claim():
    targets = cell_targets(scene_of((96, 96, 126, 126), (105, 105, 117, 117)), 256, 256)
    fine = targets[(targets[:, t.STRIDE] == 8) & (targets[:, t.POSITIVE] == 1)]
    nearest = fine[np.abs(fine[:, t.CENTRE : t.CENTRE + 2] - 111).sum(axis=1).argmin()]
    assert nearest[t.BOX] == 105


@given(st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_composed_pictures_keep_every_face_inside_and_large_enough(seed):
    path = Path("made.png")
    picture = np.full((120, 160, 3), 128, np.uint8)
    source = Source(path, scene_of((40, 30, 80, 85)), np.array([False]))
    image, scene = compose(
        [source], {path: picture}, np.ones(1), 128, 96 * 128, Mixture(),
        np.random.default_rng(seed)
    )
    assert image.shape == (128, 128, 3) and image.dtype == np.uint8
    for box in scene.boxes:
        assert box.min() >= 0 and box.max() <= 128 and (box[2:] - box[:2]).max() >= 9


@pytest.mark.parametrize(
    "mixture", [Mixture(0, 0, 1, 0, strength=0), Mixture(0, 1, 0, 0, strength=0)],
    ids=["zoom", "door"],
)
def test_a_composed_face_lies_where_its_target_says(mixture):
    path = Path("made.png")
    picture = np.zeros((120, 160, 3), np.uint8)
    picture[30:85, 40:80] = 255
    source = Source(path, scene_of((40, 30, 80, 85)), np.array([False]))
    image, scene = compose(
        [source], {path: picture}, np.ones(1), 192, 96 * 128, mixture, np.random.default_rng(3)
    )
    x0, y0, x1, y1 = scene.boxes[0].round().astype(int)
    assert image[y0 + 2 : y1 - 2, x0 + 2 : x1 - 2].min() > 200


@given(st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_a_part_of_a_photograph_is_shown_about_as_large_as_the_device_sees_it(seed):
    path = Path("made.png")
    source = Source(path, scene_of((200, 100, 240, 150)), np.array([False]))
    _, scene = compose(
        [source], {path: np.zeros((360, 480, 3), np.uint8)}, np.ones(1), 256, 384 * 288,
        Mixture(0, 1, 0, 0), np.random.default_rng(seed),
    )
    for box in scene.boxes:
        if box.min() > 0 and box.max() < 256:
            assert 50 * 0.8 * 0.7 <= box[3] - box[1] <= 50 * 0.8 * 1.36


FRONTAL = ((50, 50), (70, 50), (60, 60), (52, 70), (68, 70))
SIDE = ((350, 50), (356, 50), (366, 60), (354, 70), (358, 70))


def test_a_nose_beyond_an_eye_is_a_side_view_and_unknown_landmarks_are_none():
    landmarks = np.concatenate([np.array([FRONTAL, SIDE], np.float32), NO_POINTS])
    assert seen_from_the_side(landmarks).tolist() == [False, True, False]


@given(st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_profiles_are_zoomed_onto_as_often_as_is_asked(seed):
    path = Path("made.png")
    boxes = np.array([(40, 30, 80, 85), (340, 30, 380, 85)], np.float32)
    points = np.array([FRONTAL, SIDE], np.float32)
    source = Source(path, Scene(boxes, points, NOTHING), np.array([False, False]))
    _, scene = compose(
        [source], {path: np.zeros((120, 420, 3), np.uint8)}, np.ones(1), 128, 96 * 128,
        Mixture(0, 0, 1, 0, painted=0, strength=0, smallest=0.5, profile=1e9),
        np.random.default_rng(seed),
    )
    assert seen_from_the_side(scene.landmarks).any()


keras = pytest.importorskip("keras", reason="training needs Keras: pip install '.[train]'")


def packed(values: np.ndarray) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(values))


def perfect_answers(targets: np.ndarray) -> np.ndarray:
    """Return what a network would say that knows *targets*, (1, cells, 15)."""
    box, stride = targets[:, t.BOX : t.BOX + 4], targets[:, t.STRIDE : t.STRIDE + 1]
    centre, side = targets[:, t.CENTRE : t.CENTRE + 2], np.maximum(box[:, 2:] - box[:, :2], 1e-3)
    sure = np.where(targets[:, t.POSITIVE : t.POSITIVE + 1] == 1, 12.0, -12.0)
    offset = ((box[:, :2] + box[:, 2:]) / 2 - centre) / stride
    points = np.zeros((len(targets), 10))
    return np.concatenate([sure, offset, np.log(side / stride), points], axis=1)[None]


def test_loss_is_nought_for_perfect_answers_and_grows_with_the_error():
    from train.detector.loss import detector_loss

    targets = cell_targets(scene_of((30, 30, 70, 80)), 128, 128)
    right = perfect_answers(targets)
    wrong = right.copy()
    wrong[..., 1] += 0.5
    asked = keras.ops.convert_to_tensor(targets[None], "float32")
    losses = [
        float(packed(detector_loss(asked, keras.ops.convert_to_tensor(said, "float32")))[0])
        for said in (right, wrong)
    ]
    assert losses[0] < 0.01 < losses[1]


@pytest.mark.parametrize(("column", "weights"), [(1, {"box": 4.0}), (5, {"landmark": 1.0})])
def test_what_counts_more_costs_more(column, weights):
    from train.detector.loss import LossWeights, make_loss

    targets = cell_targets(scene_of((30, 30, 70, 80)), 128, 128)
    targets[:, t.HAS_POINTS] = targets[:, t.POSITIVE]
    wrong = perfect_answers(targets)
    wrong[..., column] += 0.5
    asked = keras.ops.convert_to_tensor(targets[None], "float32")
    said = keras.ops.convert_to_tensor(wrong, "float32")
    usual, more = (make_loss(LossWeights(**w))(asked, said) for w in ({}, weights))
    assert float(packed(more)[0]) > float(packed(usual)[0]) + 0.5


@pytest.mark.parametrize("weights", [{"least": 0.5}, {"focal": 3.0}])
def test_a_box_that_is_good_enough_is_to_score_one(weights):
    from train.detector.loss import LossWeights, make_loss

    targets = cell_targets(scene_of((30, 30, 70, 80)), 128, 128)
    loose = perfect_answers(targets)
    # A tenth wider and higher than the face: an overlap of 0.82.
    loose[..., 3:5] += np.log(1.105)
    doubted = loose.copy()
    doubted[..., 0] = np.where(targets[:, t.POSITIVE], 0.0, loose[..., 0])
    loss = make_loss(LossWeights(box=0.0, worthless=0.2, perfect=0.8, **weights))
    asked = keras.ops.convert_to_tensor(targets[None], "float32")
    sure, unsure = (
        float(packed(loss(asked, keras.ops.convert_to_tensor(said, "float32")))[0])
        for said in (loose, doubted)
    )
    assert sure < 0.01 < unsure


def test_overlaps_that_are_the_wrong_way_round_are_refused(tmp_path):
    from train.detector.config import DetectorConfig
    from train.settings import read_settings

    (tmp_path / "own.toml").write_text("[loss]\nworthless = 0.9\nperfect = 0.5\n")
    with pytest.raises(UsageError, match=r"worthless = 0\.9"):
        read_settings(DetectorConfig(), tmp_path / "own.toml")


def test_decoding_is_the_inverse_of_what_the_loss_asks():
    targets = cell_targets(scene_of((30, 30, 70, 80)), 128, 128)
    row = np.flatnonzero(targets[:, t.POSITIVE])[0]
    stride = int(targets[row, t.STRIDE])
    column, line = (targets[row, t.CENTRE : t.CENTRE + 2] / stride - 0.5).astype(int)
    answers = perfect_answers(targets)[0, row : row + 1]
    boxes, _ = decode_cells(
        np.array([line]), np.array([column]), stride, answers[:, 1:5], answers[:, 5:]
    )
    assert np.allclose(boxes[0], (30, 30, 70, 80), atol=1e-3)


def test_the_network_takes_pictures_of_any_shape():
    from train.detector.network import DetectorShape, build_detector

    network = build_detector(DetectorShape((4, 4, 8, 8, 8), (1, 1, 1), 8))
    for height, width in ((64, 96), (128, 32)):
        outputs = network(np.zeros((1, height, width, 3), "f"), training=False)
        assert set(outputs) == {f"{k}{s}" for s in STRIDES for k in ("score", "box", "landmark")}
        for stride in STRIDES:
            assert outputs[f"box{stride}"].shape == (1, height // stride, width // stride, 4)


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    """A training on made pictures: bright squares are faces."""
    from tests.train.making import detection_folder
    from train.detector.config import DetectorConfig, ScheduleConfig
    from train.detector.network import DetectorShape

    folder = tmp_path_factory.mktemp("detector")
    detection_folder(folder / "data")
    config = DetectorConfig(
        network=DetectorShape((4, 8, 8, 16, 16), (1, 1, 1), 8),
        schedule=ScheduleConfig(
            epochs=2, pictures=8, batch_size=4, small_size=64, size=96, small_share=0.5
        ),
        input_width=128,
        input_height=96,
    )
    return folder, config


def trained(training, out: str, **changes):
    from train.detector.train import train_detector

    folder, config = training
    config = replace(config, schedule=replace(config.schedule, **changes))
    return train_detector(folder / "data", folder / out, config, quiet=True)


def test_a_training_writes_all_that_it_promises(training):
    metrics = trained(training, "whole")
    names = {path.name for path in (training[0] / "whole").iterdir()}
    assert names >= {"model.keras", "metrics.json", "history.csv", "curves.png"}
    assert "precision_recall.png" in names and not any(name.startswith(".") for name in names)
    assert metrics["validation"]["pictures"] > 0
    assert metrics["decision"]["score_threshold"] >= 0.2


def test_a_finished_training_is_not_trained_again(training):
    first = trained(training, "again")
    second = trained(training, "again")
    assert first["last_epoch"] == second["last_epoch"]


def test_a_training_of_other_settings_is_not_gone_on_with(training):
    trained(training, "other")
    with pytest.raises(DataError, match="--fresh"):
        trained(training, "other", epochs=3)


def test_a_picture_without_a_face_belongs_to_the_training_too(training, tmp_path):
    from tests.train.making import detection_folder, write_json, write_picture

    data = detection_folder(tmp_path / "data")
    document = json.loads((data / "train.json").read_text())
    place = {"id": 50, "file_name": "empty.png", "width": 96, "height": 72}
    write_picture(data / "images" / "empty.png", np.zeros((72, 96, 3), np.uint8))
    trained((tmp_path, training[1]), "run", epochs=1)
    write_json(data / "train.json", document | {"images": [*document["images"], place]})
    with pytest.raises(DataError, match="other data or settings"):
        trained((tmp_path, training[1]), "run", epochs=1)


def test_a_trained_detector_loads_and_answers(training):
    from train.detector.predict import load_keras_detector

    trained(training, "asked")
    faces = load_keras_detector(training[0] / "asked" / "model.keras", 0.01)(
        np.zeros((48, 64, 3), np.uint8)
    )
    assert faces.boxes.shape[1:] == (4,) and faces.landmarks.shape[1:] == (5, 2)


def test_a_file_that_is_no_detector_is_refused(tmp_path):
    from train.detector.predict import load_keras_detector

    (tmp_path / "model.keras").write_bytes(b"not a network")
    with pytest.raises(ModelError, match="cannot be read"):
        load_keras_detector(tmp_path / "model.keras")


def test_upsampling_repeats_every_cell_twice_each_way():
    from train.detector.network import Upsample

    cells = np.arange(12, dtype=np.float32).reshape(1, 2, 3, 2)
    wanted = cells.repeat(2, axis=1).repeat(2, axis=2)
    assert np.array_equal(packed(Upsample()(cells)), wanted)


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read as a Keras model"), (b"TFL3", "cannot be read as a Keras model")],
)
def test_a_training_does_not_go_on_from_what_is_no_detector(training, content, said):
    from train.detector.train import train_detector

    folder, config = training
    start = folder / f"start-{content is None}.keras"
    if content is not None:
        start.write_bytes(content)
    with pytest.raises(ModelError, match=said):
        train_detector(folder / "data", folder / "never", config, start=start, quiet=True)


def test_a_training_goes_on_from_another_detector_of_its_shape(training):
    from train.detector.network import DetectorShape
    from train.detector.train import train_detector

    first = trained(training, "first")
    folder, config = training
    start = folder / "first" / "model.keras"
    second = train_detector(folder / "data", folder / "second", config, start=start, quiet=True)
    assert first["start"] is None and second["start"]["file"] == "model.keras"
    other = replace(config, network=DetectorShape((8, 8, 8, 16, 16), (1, 1, 1), 8))
    with pytest.raises(ModelError, match="of another shape"):
        train_detector(folder / "data", folder / "third", other, start=start, quiet=True)


def test_detectors_are_averaged_weight_by_weight_and_measured(training):
    from train.detector.average import average_detectors
    from train.detector.predict import load_keras_network

    trained(training, "one")
    folder, config = training
    trained((folder, replace(config, seed=3)), "other one")
    models = [folder / name / "model.keras" for name in ("one", "other one")]
    metrics = average_detectors(models, folder / "data", folder / "mean", config)
    one, other, mean = (
        load_keras_network(path).get_weights() for path in (*models, folder / "mean/model.keras")
    )
    assert any(not np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    for a, b, c in zip(one, other, mean, strict=True):
        assert np.allclose((a + b) / 2, c, atol=1e-6)
    assert len(metrics["average_of"]) == 2 and metrics["validation"]["pictures"] > 0


def test_detectors_of_different_shapes_have_no_average(training):
    from train.detector.average import average_detectors
    from train.detector.network import DetectorShape, build_detector

    trained(training, "one")
    folder, config = training
    build_detector(DetectorShape((8, 8, 8, 16, 16), (1, 1, 1), 8)).save(folder / "wide.keras")
    models = [folder / "one" / "model.keras", folder / "wide.keras"]
    with pytest.raises(ModelError, match=r"wide\.keras: is a network of another shape"):
        average_detectors(models, folder / "data", folder / "none", config)
    assert not (folder / "none").exists()


def test_one_detector_has_no_average(tmp_path):
    result = CliRunner().invoke(
        main, ["average", "--model", "a.keras", "--data", str(tmp_path), "--out", str(tmp_path)]
    )
    assert result.exit_code == 2 and "give two or more" in result.output
