"""A seeded self-test: proof that a model computes the same numbers here as where it was made."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import ModelError
from edge.modelfile import InputSpec, ModelFile
from edge.vision.crop import Image
from edge.vision.interpreter import Network

VALUES_PER_TENSOR = 64
MOST_TOLERANCE = 32
"""Steps of 256.  Released self-tests tolerate 30 and 16, twice what two correct runtimes differ by;
one that asks for far more asks for no test."""


def self_test_images(spec: InputSpec, seed: int, count: int) -> list[Image]:
    """Return *count* pictures, (height, width, 3) uint8 BGR, that depend only on the arguments.

    Each is a ramp between four corner colours, coarse blocks, and noise, so that edges,
    colours and flat areas all reach the network.  Only integers are used, and only PCG64's
    raw stream, which NumPy keeps the same for ever, unlike the distributions above it: every
    machine draws the same bytes.
    """
    source = np.random.PCG64(seed)
    return [_draw(source, spec.height, spec.width) for _ in range(count)]


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
    found = sample_outputs(network, self_test_images(spec, test.seed, test.inputs))
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


def _draw(source: np.random.PCG64, height: int, width: int) -> Image:
    corners = _bytes(source, 12).reshape(4, 1, 1, 3)
    y = np.arange(height, dtype=np.int64)[:, None, None]
    x = np.arange(width, dtype=np.int64)[None, :, None]
    last_y, last_x = max(height - 1, 1), max(width - 1, 1)
    top = corners[0] * (last_x - x) + corners[1] * x
    bottom = corners[2] * (last_x - x) + corners[3] * x
    ramp = (top * (last_y - y) + bottom * y) // (last_x * last_y)
    blocks = _bytes(source, 8 * 8 * 3).reshape(8, 8, 3)[y[:, 0, 0] * 8 // height][
        :, x[0, :, 0] * 8 // width
    ]
    noise = _bytes(source, height * width * 3).reshape(height, width, 3)
    return np.asarray((ramp * 4 + blocks * 3 + noise) // 8, np.uint8)


def _bytes(source: np.random.PCG64, count: int) -> npt.NDArray[np.int64]:
    words = np.asarray(source.random_raw(-(-count // 8)), dtype="<u8")
    return words.view(np.uint8)[:count].astype(np.int64)


def _evenly(values: npt.NDArray[Any]) -> list[int]:
    flat = values.reshape(-1)
    places = np.linspace(0, len(flat) - 1, min(len(flat), VALUES_PER_TENSOR)).astype(np.int64)
    return [int(value) for value in flat[places]]
