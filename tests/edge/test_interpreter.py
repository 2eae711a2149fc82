"""The adapter around a network: pixels to integers, channel order, shapes, refusals."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ModelError
from edge.modelfile import InputSpec, ModelFile, SelfTestPictures
from edge.vision.interpreter import (
    Network,
    dequantise,
    every_integer,
    lookup_shift,
    quantise_lookup,
    to_float,
)
from edge.vision.selftest import run_self_test
from edge.vision.selftest_pictures import self_test_images
from tests.networks import COLORS


@given(
    mean=st.floats(0, 255),
    std=st.floats(1, 255),
    scale=st.floats(1e-4, 0.1),
    zero_point=st.integers(-128, 127),
)
def test_the_lookup_agrees_with_the_float_formula(
    mean: float, std: float, scale: float, zero_point: int
) -> None:
    spec = InputSpec(8, 8, "bgr", mean, std)
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 256, 1)
    exact = to_float(pixels, spec).reshape(-1)
    table = quantise_lookup(spec, scale, zero_point, np.int8)
    stands_for = dequantise(table, scale, zero_point)
    inside = (table > -128) & (table < 127)
    assert np.abs(stands_for - exact)[inside].max(initial=0) <= 0.52 * scale + 1e-4
    assert (np.diff(table.astype(int)) >= 0).all()


@pytest.mark.parametrize(("dtype", "zero_point"), [(np.int8, -1), (np.int8, 0), (np.uint8, 127)])
def test_every_pixel_value_keeps_its_own_integer(dtype: type, zero_point: int) -> None:
    spec = InputSpec(8, 8, "rgb", 127.5, 127.5)
    table = quantise_lookup(spec, float(np.float32(2 / 255)), zero_point, dtype)
    assert len(np.unique(table)) >= 255


def test_a_tensor_that_is_not_quantised_has_no_lookup() -> None:
    with pytest.raises(ValueError, match="scale is 0"):
        quantise_lookup(InputSpec(8, 8, "rgb", 0, 1), 0.0, 0, np.int8)


def test_red_reaches_the_channel_the_card_says() -> None:
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 2] = 255
    rgb = to_float(red, InputSpec(2, 2, "rgb", 127.5, 127.5))
    bgr = to_float(red, InputSpec(2, 2, "bgr", 127.5, 127.5))
    assert rgb[0, 0].tolist() == [1, -1, -1]
    assert bgr[0, 0].tolist() == [-1, -1, 1]


def test_to_float_takes_batches_and_leaves_its_input_alone() -> None:
    images = np.full((2, 3, 4, 3), 255, np.uint8)
    values = to_float(images, InputSpec(4, 3, "rgb", 127.5, 127.5))
    assert values.shape == images.shape and values.dtype == np.float32
    assert (values == 1).all() and (images == 255).all()


@pytest.mark.parametrize("label", COLORS)
def test_a_network_sees_colours_as_a_float_network_does(
    classifier_file: ModelFile, label: str
) -> None:
    image = np.full((32, 32, 3), COLORS[label], np.uint8)
    logits = Network.from_model(classifier_file).run(image)["logits"][0]
    assert classifier_file.card.labels[int(logits.argmax())] == label


def test_outputs_are_the_callers_own(classifier_file: ModelFile) -> None:
    network = Network.from_model(classifier_file)
    first = network.run_raw(np.zeros((32, 32, 3), np.uint8))["logits"][0]
    before = first.copy()
    network.run_raw(np.full((32, 32, 3), 255, np.uint8))
    assert (first == before).all()


def test_a_detector_can_be_resized_and_back(detector_file: ModelFile) -> None:
    network = Network.from_model(detector_file)
    small = np.full((64, 96, 3), 90, np.uint8)
    before = network.run(small)
    network.set_shape(128, 64)
    assert network.shape == (64, 128, 3)
    assert network.run(np.zeros((64, 128, 3), np.uint8))["score8"].shape == (1, 8, 16, 1)
    network.set_shape(96, 64)
    after = network.run(small)
    parts = ("score", "box", "landmark")
    assert set(after) == {f"{part}{stride}" for part in parts for stride in (8, 16, 32)}
    assert all((after[name] == before[name]).all() for name in after)


def test_a_size_the_network_cannot_take_is_refused_and_the_old_one_kept(
    detector_file: ModelFile,
) -> None:
    network = Network.from_model(detector_file)
    with pytest.raises(ModelError, match="100x50"):
        network.set_shape(100, 50)
    assert network.shape == (64, 96, 3)
    network.run(np.zeros((64, 96, 3), np.uint8))


def test_a_picture_of_another_size_is_refused(classifier_file: ModelFile) -> None:
    with pytest.raises(ValueError, match=r"\(8, 8, 3\)"):
        Network.from_model(classifier_file).run(np.zeros((8, 8, 3), np.uint8))


def test_a_file_that_changed_since_it_was_read_is_refused(
    classifier_file: ModelFile, tmp_path: Path
) -> None:
    path = tmp_path / "door.tflite"
    path.write_bytes(classifier_file.path.read_bytes() + b"x")
    with pytest.raises(ModelError, match="changed"):
        Network(path, classifier_file.card.input, sha256=classifier_file.sha256)


def test_a_float_network_is_refused(tmp_path: Path) -> None:
    tensorflow = pytest.importorskip("tensorflow")

    @tensorflow.function(input_signature=[tensorflow.TensorSpec([1, 4, 4, 3])])
    def twice(x: object) -> object:
        return x + x  # type: ignore[operator]

    function = twice.get_concrete_function()
    path = tmp_path / "float.tflite"
    path.write_bytes(tensorflow.lite.TFLiteConverter.from_concrete_functions([function]).convert())
    with pytest.raises(ModelError, match="not an int8 network"):
        Network(path, InputSpec(4, 4, "rgb", 127.5, 127.5))


@pytest.mark.parametrize(("plain", "words"), [(False, " (XNNPACK)"), (True, " (without XNNPACK)")])
def test_it_says_whether_the_fast_kernels_are_used(
    classifier_file: ModelFile, plain: bool, words: str
) -> None:
    network = Network(classifier_file.path, classifier_file.card.input, plain_kernels=plain)
    assert network.runtime.endswith(words)


def test_without_a_runtime_the_message_says_what_to_install(
    classifier_file: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", None)
    with pytest.raises(ModelError, match="pip install ai-edge-litert"):
        Network.from_model(classifier_file)


@pytest.mark.parametrize("fixture", ["classifier_file", "detector_file"])
def test_the_self_test_passes_where_the_file_was_made(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    assert run_self_test(request.getfixturevalue(fixture)) == 0


def test_the_self_test_fails_when_the_numbers_differ(
    classifier_file: ModelFile,
) -> None:
    from dataclasses import replace

    test = classifier_file.card.self_test
    assert test is not None
    off = {name: [[v + 50 for v in row] for row in rows] for name, rows in test.outputs.items()}
    card = replace(classifier_file.card, self_test=replace(test, outputs=off))
    with pytest.raises(ModelError, match="off by 50 steps"):
        run_self_test(replace(classifier_file, card=card))


@pytest.mark.parametrize(
    ("pictures", "sums"), [("blocks", [71311, 75762]), ("faces", [70874, 68959])]
)
def test_self_test_pictures_are_the_same_everywhere_and_not_of_each_other(
    pictures: SelfTestPictures, sums: list[int]
) -> None:
    images = self_test_images(InputSpec(16, 12, "rgb", 127.5, 127.5), 7, 2, pictures)
    assert [image.shape for image in images] == [(12, 16, 3)] * 2
    assert not (images[0] == images[1]).all()
    # Worked out once; other sums mean that older files would fail their self-test.
    assert [int(image.sum()) for image in images] == sums


@given(width=st.integers(1, 70), height=st.integers(1, 70), seed=st.integers(0, 2**63))
def test_faces_of_any_size_are_drawn(width: int, height: int, seed: int) -> None:
    images = self_test_images(InputSpec(width, height, "rgb", 127.5, 127.5), seed, 3, "faces")
    assert [image.shape for image in images] == [(height, width, 3)] * 3


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@given(shift=st.integers(0, 255))
def test_a_table_that_only_adds_is_added(dtype: type, shift: int) -> None:
    pixels = np.arange(256, dtype=np.uint8)
    table = (pixels + np.uint8(shift)).view(dtype)
    found = lookup_shift(table)
    assert found is not None
    assert np.array_equal(np.add(pixels, found).view(dtype), table)


def test_a_table_that_does_more_is_looked_up() -> None:
    half = quantise_lookup(InputSpec(8, 8, "rgb", 0, 1), 2.0, -128, np.int8)
    assert lookup_shift(half) is None
    one_off = np.arange(256, dtype=np.uint8)
    one_off[200] = 7
    assert lookup_shift(one_off) is None


def test_the_usual_normalisation_only_adds() -> None:
    table = quantise_lookup(InputSpec(8, 8, "rgb", 127.5, 127.5), 2 / 255, -1, np.int8)
    assert lookup_shift(table) == 128


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_every_integer_stands_where_it_points_to(dtype: type) -> None:
    every = every_integer(dtype)
    limits = np.iinfo(dtype)
    values = np.arange(limits.min, limits.max + 1).astype(dtype)
    assert np.array_equal(every[values], values)


def test_an_output_can_be_read_alone(classifier_file: ModelFile) -> None:
    network = Network.from_model(classifier_file)
    image = np.full((32, 32, 3), 200, np.uint8)
    whole = network.run_raw(image)["logits"]
    network.see(np.zeros((32, 32, 3), np.uint8))
    before = network.integers("logits")
    network.see(image)
    assert np.array_equal(network.integers("logits"), whole[0])
    assert not np.array_equal(before, whole[0])
    assert network.quantisation["logits"] == (whole[0].dtype, *whole[1:])
