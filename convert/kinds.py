"""Which of the two networks a Keras model is, told from what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convert.quantise import output_shapes
from edge.errors import ModelError
from edge.modelfile import LABELS, Kind
from edge.vision.detector import LANDMARKS, STRIDES

Shape = tuple[int | None, ...]

MAPS: Mapping[str, int] = {
    f"{part}{stride}": channels
    for part, channels in (("score", 1), ("box", 4), ("landmark", 2 * LANDMARKS))
    for stride in STRIDES
}
"""A detector's outputs, and the channels of each."""


def check_outputs(model: Any, kind: Kind) -> None:
    """Raise ModelError where the Keras *model* does not answer what a gate asks of a *kind*."""
    shapes = output_shapes(model)
    told = _told(shapes)
    if told not in (None, kind):
        command = "detector" if told == "face-detector" else "classifier"
        raise ModelError(
            f"the network is a {told}, a {kind} is needed here; convert it with "
            f"`python -m convert {command}`, or give another --model"
        )
    if kind == "mask-classifier" and [shape[1:] for shape in shapes.values()] != [(len(LABELS),)]:
        raise ModelError(
            f"the network's outputs are {shapes}; one of shape {(None, len(LABELS))} is needed, a "
            f"logit for each of {', '.join(LABELS)}; train it with `python -m train classifier`"
        )
    maps = {name: shape[-1] for name, shape in shapes.items() if len(shape) == 4}
    if kind == "face-detector" and (len(maps) != len(shapes) or maps != MAPS):
        raise ModelError(
            f"the network's outputs are {shapes}; maps with these channels are needed: "
            f"{dict(MAPS)}; train it with `python -m train detector`"
        )


def _told(shapes: Mapping[str, Shape]) -> Kind | None:
    if set(shapes) == set(MAPS):
        return "face-detector"
    return "mask-classifier" if [len(shape) for shape in shapes.values()] == [2] else None
