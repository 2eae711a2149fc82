"""Training by torch's own operators: KERAS_BACKEND=torch python -m pytest tests/train."""

from __future__ import annotations

import os

import numpy as np
import pytest

pytest.importorskip("torch", reason="pip install torch for the faster training")
if os.environ.get("KERAS_BACKEND") != "torch":
    pytest.skip("runs under KERAS_BACKEND=torch", allow_module_level=True)

import keras
import torch

from train.classifier.config import NetworkConfig
from train.classifier.network import build_classifier
from train.detector.loss import detector_loss
from train.detector.network import DetectorShape, build_detector, training_view
from train.detector.targets import Scene, cell_targets
from train.torch_step import TorchStep, cosine_rate, native_forward


def small_detector() -> keras.Model:
    keras.utils.set_random_seed(5)
    return training_view(build_detector(DetectorShape((4, 8, 8, 16, 16), (1, 1, 1), 8)))


def batch(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    pictures = np.random.default_rng(seed).random((2, 64, 64, 3), np.float32)
    boxes = np.array([[10, 10, 40, 44]], np.float32)
    scene = Scene(boxes, np.full((1, 5, 2), np.nan, np.float32), np.zeros((0, 4), np.float32))
    return pictures, np.stack([cell_targets(scene, 64, 64)] * 2)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("network", ["detector", "classifier"])
def test_torch_computes_what_keras_computes(network, training):
    if network == "detector":
        model, pictures = small_detector(), batch()[0]
    else:
        model = build_classifier(NetworkConfig(0.35, 64, dropout=0.0), "none", 3)
        pictures = batch()[0]
    said = keras.ops.convert_to_numpy(model(pictures, training=training))
    with torch.no_grad():
        ours = native_forward(model)(torch.from_numpy(pictures), training).numpy()
    assert np.allclose(said, ours, atol=1e-3 * np.abs(said).max())


def step_of(model: keras.Model, averaging: float = 0.0) -> TorchStep:
    return TorchStep(model, detector_loss, lambda _: 3e-3, 1e-4, averaging)


def test_the_loss_falls():
    step = step_of(small_detector())
    losses = [step.train(*batch()) for _ in range(30)]
    assert losses[-1] < 0.6 * losses[0]


def test_a_resumed_training_goes_on_as_if_it_had_not_stopped():
    whole = step_of(small_detector(), 0.9)
    for number in range(3):
        whole.train(*batch(number))
    kept = [array.copy() for array in whole.arrays()]
    expected = whole.train(*batch(9))
    other = step_of(small_detector(), 0.9)
    other.restore(iter(kept))
    assert other.train(*batch(9)) == pytest.approx(expected, rel=1e-5)


def test_the_average_is_lent_and_given_back():
    step = step_of(small_detector(), 0.9)
    for number in range(4):
        step.train(*batch(number))
    before = step.test(*batch())
    step.swap_average()
    lent = step.test(*batch())
    step.swap_average()
    assert lent != before and step.test(*batch()) == before


def test_an_unknown_layer_is_named():
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.layers.MaxPooling2D(name="pool")(inputs))
    with pytest.raises(TypeError, match="pool is a MaxPooling2D"):
        native_forward(model)


def test_the_rate_warms_up_and_cools_down():
    rate = cosine_rate(1.0, warmup=10, steps=110)
    assert (rate(0), rate(10)) == (pytest.approx(0.01), pytest.approx(1.0))
    assert rate(60) == pytest.approx(0.505) and rate(110) == pytest.approx(0.01)
