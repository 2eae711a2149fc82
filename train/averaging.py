"""Averages trained networks that have a common ancestor.

Trainings that went on from the same weights, by other pictures, end on the same slope, and
between them lies a network that errs less than each, at no cost on the device (Wortsman et al.,
"Model soups", 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge.errors import ModelError
from train.detector.network import Upsample
from train.evaluate.networks import seed_beside
from train.report.files import readable


def is_classifier(path: Path) -> bool:
    """Tell whether the ``.keras`` file at *path* is a mask classifier, by its one output.

    Raises ModelError when it cannot be read.
    """
    with readable(path):
        network = keras.saving.load_model(
            path, compile=False, custom_objects={"maskgate>Upsample": Upsample}
        )
    return not isinstance(network.output, dict)


def seeds_beside(paths: Sequence[Path]) -> set[int]:
    """Return the seeds that the networks at *paths* were trained with, as far as they are told."""
    return {seed for path in paths if (seed := seed_beside(path)) is not None}


def averaged(networks: Sequence[Any], paths: Sequence[Path]) -> Any:
    """Return the first of *networks*, Keras models, with the mean of the weights of all.

    The statistics of batch normalisation are averaged like weights.
    Raises ModelError that names the one of *paths* whose network has another shape.
    """
    first = networks[0]
    shapes = [[tuple(weight.shape) for weight in network.weights] for network in networks]
    for path, shape in zip(paths, shapes, strict=True):
        if shape != shapes[0]:
            raise ModelError(f"{path}: is a network of another shape than {paths[0]}")
    weights = zip(*(network.get_weights() for network in networks), strict=True)
    first.set_weights([np.mean(values, axis=0, dtype=np.float64) for values in weights])
    return first
