"""Int8 tensors whose steps are made finer."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from ai_edge_litert.interpreter import Interpreter

from convert.graph import operator_name, unpacked
from convert.narrow import narrow_branches, narrow_outputs
from convert.quantise import float_function, quantise, quiet_native_output
from edge.errors import ModelError
from tests.networks import int8_network


def dequantised(network: bytes, image: np.ndarray) -> dict[str, tuple[np.ndarray, float]]:
    interpreter = Interpreter(model_content=network)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    results = {}
    for output in interpreter.get_output_details():
        scale, zero = output["quantization"]
        integers = interpreter.get_tensor(output["index"]).astype(float)
        results[output["name"]] = ((integers - zero) * scale, scale)
    return results


def test_a_narrowed_output_says_the_same_in_finer_steps_and_saturates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("convert.narrow.FINEST", 1e6)
    network = int8_network("face-detector")
    image = np.random.default_rng(0).integers(-128, 128, (1, 96, 128, 3)).astype(np.int8)
    shape = Interpreter(model_content=network).get_input_details()[0]["shape"]
    image = image[:, : shape[1], : shape[2]]
    wide, step = dequantised(network, image)["box8"]
    low, high = np.quantile(wide, [0.2, 0.8])
    low, high = min(low, 0.0), max(high, 0.0)
    fine, finer = dequantised(narrow_outputs(network, {"box8": (low, high)}), image)["box8"]
    assert finer < step
    assert np.abs(fine - np.clip(wide, low, high)).max() <= step


@pytest.mark.parametrize("limits", [(-1e-4, 1e-4), (-1e-4, 1e9), (-1e9, 0.0)])
def test_steps_are_made_twice_as_fine_at_most(limits: tuple[float, float]) -> None:
    network = int8_network("face-detector")
    image = np.zeros(Interpreter(model_content=network).get_input_details()[0]["shape"], np.int8)
    _, step = dequantised(network, image)["box8"]
    _, finer = dequantised(narrow_outputs(network, {"box8": limits}), image)["box8"]
    assert step / 2 - 1e-9 <= finer <= step * 1.001


@pytest.mark.parametrize(
    ("name", "limits", "says"),
    [("box9", (-1, 1), "'box9' is not that of"), ("box8", (1e6, 2e6), "nothing is left")],
)
def test_an_output_that_cannot_be_narrowed_is_refused(
    name: str, limits: tuple[float, float], says: str
) -> None:
    with pytest.raises(ModelError, match=says):
        narrow_outputs(int8_network("face-detector"), {name: limits})


def steps(network: bytes) -> list[float]:
    model = unpacked(network)
    written = [o.outputs[0] for o in model.subgraphs[0].operators]
    return [float(model.subgraphs[0].tensors[index].quantization.scale[0]) for index in written]


def test_only_branches_that_a_clamp_follows_get_finer_steps() -> None:
    network = int8_network("face-detector")
    model = unpacked(network)
    kinds = [operator_name(model, operator) for operator in model.subgraphs[0].operators]
    finer = [
        kind for kind, before, after in
        zip(kinds, steps(network), steps(narrow_branches(network)), strict=True) if after < before
    ]
    assert finer and set(finer) == {"CONV_2D"} and len(finer) <= kinds.count("ADD")
    classifier = int8_network("mask-classifier")
    assert steps(narrow_branches(classifier)) == steps(classifier)


def test_a_narrowed_branch_gives_what_the_float_network_gives_and_nearer() -> None:
    with quiet_native_output():
        import keras

        keras.utils.set_random_seed(0)
        image = keras.Input((8, 8, 3))
        shortcut = keras.layers.ReLU(6.0)(keras.layers.Conv2D(8, 1)(image))
        branch = keras.layers.Conv2D(8, 3, padding="same", kernel_initializer="he_normal")(shortcut)
        # As training leaves them: most of what the branch says is beyond the clamp.
        branch = keras.layers.Rescaling(20.0)(branch)
        model = keras.Model(image, keras.layers.ReLU(6.0)(branch + shortcut))
    pictures = np.random.default_rng(1).uniform(-3, 3, (16, 8, 8, 3)).astype(np.float32)
    network = quantise(model, 8, 8, list(pictures))
    (wanted,) = float_function(model)(pictures).values()
    wide = np.abs(answers(network, pictures) - wanted).mean()
    narrow = np.abs(answers(narrow_branches(network), pictures) - wanted).mean()
    assert narrow < 0.7 * wide


def answers(network: bytes, pictures: np.ndarray) -> np.ndarray:
    scale, zero = Interpreter(model_content=network).get_input_details()[0]["quantization"]
    images = np.clip(np.round(pictures / scale + zero), -128, 127).astype(np.int8)
    said = [dequantised(network, image[None]) for image in images]
    return np.concatenate([value for one in said for value, _ in one.values()])
