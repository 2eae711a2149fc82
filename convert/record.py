"""What a training wrote beside its network: ``metrics.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.errors import ModelError, UsageError
from edge.modelfile import InputSpec


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in *path*; NaN and infinity, which a card cannot hold, become None.

    Raises UsageError when it is missing or is no JSON object.
    """
    try:
        tree = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda _: None)
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist; give a JSON file that exists") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(tree, dict):
        raise UsageError(f"{path} holds a {type(tree).__name__}; a JSON object is needed")
    return tree


def classifier_input(record: Mapping[str, Any], model: Any) -> InputSpec:
    """Return the input of a trained classifier, from its *record* and the Keras *model*."""
    shape = tuple(model.input_shape)
    if len(shape) != 4 or shape[1] is None or shape[1] != shape[2] or shape[3] != 3:
        raise ModelError(f"the network's input is {shape}; (None, S, S, 3) is needed")
    return _spec(record.get("input", {}), int(shape[1]), int(shape[1]))


def priors(record: Mapping[str, Any]) -> dict[str, float]:
    """Return ``prior_LABEL`` for each label a classifier was calibrated on, from its *record*.

    Empty where the record does not tell: the device then takes the labels as equally common.
    """
    shares = record.get("calibration", {}).get("priors", {})
    return {f"prior_{label}": float(share) for label, share in shares.items() if share > 0}


def detector_input(record: Mapping[str, Any], width: int | None, height: int | None) -> InputSpec:
    """Return the input of a trained detector; *width* and *height* override its *record*.

    Raises UsageError when they stand nowhere or are no multiples of 32.
    """
    config = record.get("config", {})
    width = width or config.get("input_width")
    height = height or config.get("input_height")
    for option, value in (("--width", width), ("--height", height)):
        if not isinstance(value, int) or value < 32 or value % 32:
            raise UsageError(
                f"{option} is {value}; the detector takes multiples of 32, such as 320x256"
            )
    return _spec(record.get("input", {}), width, height)


def wanted(value: float | None, record: Mapping[str, Any], key: str, option: str) -> float:
    """Return *value*, or else what *record* says under *key*; UsageError that names *option*."""
    found = record.get(key) if value is None else value
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        raise UsageError(
            f"the training's metrics have no {key}; pass {option} or the right --metrics"
        )
    return float(found)


def _spec(given: Mapping[str, Any], width: int, height: int) -> InputSpec:
    # Both trainings feed RGB from -1 to 1; a record that says otherwise is believed.
    return InputSpec(
        width,
        height,
        given.get("color", "rgb"),
        float(given.get("mean", 127.5)),
        float(given.get("std", 127.5)),
    )
