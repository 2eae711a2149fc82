"""A seeded self-test: proof that a model computes the same numbers here as where it was made."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import ModelError
from edge.modelfile import ModelFile
from edge.vision.crop import Image
from edge.vision.interpreter import Network
from edge.vision.selftest_pictures import self_test_images

VALUES_PER_TENSOR = 64
MOST_TOLERANCE = 32
"""Steps of 256.  Released self-tests tolerate 30 and 16, twice what two correct runtimes differ by;
one that asks for far more asks for no test."""


def sample_outputs(network: Network, images: list[Image]) -> dict[str, list[list[int]]]:
    """Return, for each output tensor's name, one row per picture of evenly spaced integers."""
    rows: dict[str, list[list[int]]] = {}
    for image in images:
        for name, (values, _, _) in network.run_raw(image).items():
            rows.setdefault(name, []).append(_evenly(values))
    return rows


def run_self_test(model: ModelFile, threads: int = 1) -> int:
    """Run the self-test in *model*'s card here; return the largest difference in int8 steps.

    Raises :class:`ModelError` when the card has none, the outputs are other tensors, or a
    value differs by more than the card's tolerance.
    """
    test = model.card.self_test
    if test is None:
        raise ModelError(f"{model.path} has no self-test in its card; convert it again")
    network = Network.from_model(model, threads)
    spec = model.card.input
    if network.shape != (spec.height, spec.width, 3):
        raise ModelError(
            f"{model.path}: its card says {spec.width}x{spec.height} pixels, its network takes "
            f"{network.shape}; convert it again"
        )
    images = self_test_images(spec, test.seed, test.inputs, test.pictures)
    found = sample_outputs(network, images)
    shapes = {name: [len(row) for row in rows] for name, rows in found.items()}
    wanted = {name: [len(row) for row in rows] for name, rows in test.outputs.items()}
    if shapes != wanted:
        raise ModelError(
            f"{model.path}: its outputs are {sorted(shapes)}, its self-test expects "
            f"{sorted(wanted)} with as many values; convert it again"
        )
    worst = 0
    for name, rows in test.outputs.items():
        gap = int(np.abs(np.array(found[name], np.int64) - np.array(rows, np.int64)).max())
        if gap > test.tolerance:
            raise ModelError(
                f"{model.path} fails its self-test on {network.runtime}: {name} is off by {gap} "
                f"steps, {test.tolerance:g} are allowed; use another model or runtime"
            )
        worst = max(worst, gap)
    return worst


def _evenly(values: npt.NDArray[Any]) -> list[int]:
    flat = values.reshape(-1)
    places = np.linspace(0, len(flat) - 1, min(len(flat), VALUES_PER_TENSOR)).astype(np.int64)
    return [int(value) for value in flat[places]]
