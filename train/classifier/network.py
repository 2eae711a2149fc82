"""MobileNetV2 with three logits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge.errors import ModelError, UsageError
from edge.modelfile import LABELS
from train.classifier.config import NetworkConfig

HEAD = frozenset({"pool", "dropout", "logits"})
# Keras leaves 0.999, which needs thousands of steps to forget ImageNet's statistics; a
# fine-tuning on thousands of faces has about two thousand steps in all.
BATCH_NORM_MOMENTUM = 0.98


def build_classifier(network: NetworkConfig, backbone: str, seed: int) -> Any:
    """Return a Keras model, input (S, S, 3) float from -1 to 1 RGB, output ``logits`` (3,).

    *backbone* is ``imagenet`` (Keras downloads its weights), ``none`` (random, from *seed*), or
    the path of a ``.weights.h5`` without top of the same alpha.  Logits, not probabilities,
    go out: int8 keeps their resolution, and the temperature is applied at the edge.

    Raises UsageError when *backbone* is neither, ModelError when its weights do not fit.
    """
    keras.utils.set_random_seed(seed)
    weights = _weights(backbone)
    shape = (network.input_size, network.input_size, 3)
    try:
        base = keras.applications.MobileNetV2(
            input_shape=shape, alpha=network.alpha, include_top=False, weights=weights
        )
    except (ValueError, OSError) as error:
        raise ModelError(
            f"backbone {backbone}: its weights do not fit MobileNetV2 of alpha {network.alpha:g}, "
            f"or cannot be had: {' '.join(str(error).split())[:300]}"
        ) from error
    except Exception as error:  # Keras raises a bare Exception when a download fails.
        raise ModelError(
            f"backbone {backbone} cannot be had ({error}); without internet pass "
            "--backbone FILE with MobileNetV2 weights, or --backbone none"
        ) from error
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM
    x = keras.layers.GlobalAveragePooling2D(name="pool")(base.output)
    x = keras.layers.Dropout(network.dropout, seed=seed, name="dropout")(x)
    logits = keras.layers.Dense(len(LABELS), name="logits")(x)
    return keras.Model(base.input, logits, name="mask_classifier")


def load_classifier(path: Path, network: NetworkConfig, seed: int) -> Any:
    """Return the classifier in the ``.keras`` file at *path*, of the shape *network* says.

    Its dropout is that of *network*, drawn from *seed*.
    Raises ModelError when it cannot be read or is another network.
    """
    try:
        trained = keras.saving.load_model(path, compile=False)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: is no Keras model that can be read: {error}") from error
    model = build_classifier(network, "none", seed)
    shapes = [[tuple(weight.shape) for weight in one.weights] for one in (trained, model)]
    if shapes[0] != shapes[1] or trained.input_shape != model.input_shape:
        raise ModelError(
            f"{path}: is no mask classifier of alpha {network.alpha:g} at {network.input_size} "
            "pixels; train with the settings it was trained with, or from --backbone"
        )
    model.set_weights(trained.get_weights())
    return model


def freeze_backbone(model: Any, *, frozen: bool) -> None:
    """Let only the head of *model* learn, or all of it; compile afterwards.

    A frozen batch normalisation also uses its stored statistics, which is what a fresh
    head needs.
    """
    for layer in model.layers:
        if layer.name not in HEAD:
            layer.trainable = not frozen


def shift_logits(model: Any, offsets: Sequence[float]) -> None:
    """Add *offsets* (3,) to the logits of *model* for good."""
    layer = model.get_layer("logits")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel, bias + np.asarray(offsets, bias.dtype)])


def _weights(backbone: str) -> str | None:
    if backbone == "none":
        return None
    if backbone == "imagenet":
        return "imagenet"
    if not Path(backbone).is_file():
        raise UsageError(
            f"--backbone {backbone} is neither imagenet, none nor a file of weights"
        )
    return backbone
