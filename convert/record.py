"""What a training wrote beside its network: ``metrics.json``."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convert.measures import check_measures, is_number, wrong
from edge.errors import ModelError, UsageError
from edge.modelfile import LARGEST_SIDE, InputSpec

MEASURED = ("validation", "evaluation")
"""What the names of entries with measured figures begin with."""
_OBJECTS = ("config", "data", "input", "calibration", "decision", "libraries", "versions")
_LARGEST_SEED = 2**63


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in *path*; NaN and infinity, which a card cannot hold, become None.

    Raises UsageError when it is missing or is no JSON object.
    """
    try:
        tree = json.loads(
            path.read_text(encoding="utf-8"),
            parse_constant=lambda _: None,
            parse_float=lambda text: value if math.isfinite(value := float(text)) else None,
        )
        # Half of a surrogate pair is good JSON that no card can be written with.
        json.dumps(tree, ensure_ascii=False).encode()
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist; give a JSON file that exists") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(tree, dict):
        raise UsageError(f"{path} holds a {type(tree).__name__}; a JSON object is needed")
    return tree


def read_record(path: Path) -> dict[str, Any]:
    """Return what a training wrote into *path*, without entries that are null.

    Raises UsageError that names the entry when one that a conversion reads is of another type,
    or out of its range.
    """
    record = _without_null(read_json(path))
    for key in _OBJECTS:
        if not isinstance(tree := record.get(key, {}), dict):
            raise wrong(f"{path}: {key}", tree, "an object")
        # Settings go onto the card as they are.
        if key in record and key != "config":
            record[key] = _without_null(tree)
    _check_numbers(record, path)
    _check_origin(record, path)
    for key, value in record.items():
        if key.startswith(MEASURED) and isinstance(value, dict):
            check_measures(value, f"{path}: {key}")
    return record


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

    Raises UsageError when they stand nowhere, are no multiples of 32, or are too large.
    """
    config = record.get("config", {})
    width = config.get("input_width") if width is None else width
    height = config.get("input_height") if height is None else height
    for option, value in (("--width", width), ("--height", height)):
        if not isinstance(value, int) or not 32 <= value <= LARGEST_SIDE or value % 32:
            raise UsageError(
                f"{option} is {value}; the detector takes multiples of 32 up to {LARGEST_SIDE}, "
                "such as 320x256"
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


def converted_on(environ: Mapping[str, str]) -> str:
    """Return today's date in UTC as ISO 8601, or that of ``SOURCE_DATE_EPOCH``.

    Reproducible builds set that one.  Raises UsageError when it is no time.
    """
    stamp = environ.get("SOURCE_DATE_EPOCH")
    if not stamp:
        return datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    try:
        made = datetime.datetime.fromtimestamp(int(stamp), datetime.timezone.utc)
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"SOURCE_DATE_EPOCH is {stamp!r}; whole seconds since 1970 are needed; set it so, or "
            "unset it"
        ) from None
    return made.date().isoformat()


def _without_null(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in tree.items() if value is not None}


def _check_numbers(record: Mapping[str, Any], path: Path) -> None:
    given, decided = record.get("input", {}), record.get("decision", {})
    _check_number(record, "crop_margin", path, 0, 2)
    _check_number(record, "temperature", path, 0, 100, above=True)
    _check_number(given, "mean", f"{path}: input", 0, 255)
    _check_number(given, "std", f"{path}: input", 0, 255, above=True)
    _check_number(decided, "score_threshold", f"{path}: decision", 0.0001, 0.9999)
    _check_number(decided, "nms_iou", f"{path}: decision", 0.0001, 0.9999)
    shares = record.get("calibration", {}).get("priors", {})
    if not isinstance(shares, dict):
        raise wrong(f"{path}: calibration: priors", shares, "an object")
    for label in shares:
        _check_number(shares, label, f"{path}: calibration: priors", 0, 1)
    for tree, where in ((record, f"{path}"), (record.get("config", {}), f"{path}: config")):
        seed = tree.get("seed")
        if seed is not None and (type(seed) is not int or not 0 <= seed <= _LARGEST_SEED):
            raise wrong(f"{where}: seed", seed, f"a whole number from 0 to {_LARGEST_SEED}")


def _check_number(
    tree: Mapping[str, Any], key: str, where: Path | str, low: float, high: float, *,
    above: bool = False,
) -> None:
    value = tree.get(key, high)
    if not is_number(value) or not low <= value <= high or (above and value == low):
        span = f"a number above {low} and at most {high}" if above else f"{low} to {high}"
        raise wrong(f"{where}: {key}", value, span)


def _check_origin(record: Mapping[str, Any], path: Path) -> None:
    if (color := record.get("input", {}).get("color", "rgb")) not in ("rgb", "bgr"):
        raise wrong(f"{path}: input: color", color, "'rgb' or 'bgr'")
    data = record.get("data", {})
    texts = (record.get("command", ""), data.get("checksum", ""))
    for name, value in zip(("command", "data: checksum"), texts, strict=True):
        if not isinstance(value, str):
            raise wrong(f"{path}: {name}", value, "a text")
    named = data.get("synthetic", [])
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise wrong(f"{path}: data: synthetic", named, "a list of texts")
    start, average = record.get("start"), record.get("average_of", [])
    if start and not _is_file(start):
        raise wrong(f"{path}: start", start, "an object with the texts file and sha256")
    if not isinstance(average, list) or not all(map(_is_file, average)):
        raise wrong(f"{path}: average_of", average, "a list of objects with file and sha256")


def _is_file(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(value.get(key), str) for key in ("file", "sha256")
    )


def _spec(given: Mapping[str, Any], width: int, height: int) -> InputSpec:
    # Both trainings feed RGB from -1 to 1; a record that says otherwise is believed.
    return InputSpec(
        width,
        height,
        given.get("color", "rgb"),
        float(given.get("mean", 127.5)),
        float(given.get("std", 127.5)),
    )
