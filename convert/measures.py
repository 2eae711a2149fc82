"""Figures that were measured on a network, checked before a card prints them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from edge.errors import UsageError
from edge.modelfile import LABELS


def is_number(value: Any) -> bool:
    """Return whether *value* is a number that a float can hold; True and NaN are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def check_measures(tree: Mapping[str, Any], where: str) -> None:
    """Raise UsageError, naming *where* and the entry, for what a card could not print of *tree*."""
    for key, value in tree.items():
        place = f"{where}: {key}"
        if key == "confusion":
            _check_confusion(value, place)
        elif isinstance(value, Mapping) and "value" in value:
            for part in ("value", "low", "high"):
                if value.get(part) is not None and not is_number(value[part]):
                    raise wrong(f"{place}: {part}", value[part], "a number")
        elif isinstance(value, Mapping):
            check_measures(value, place)


def wrong(place: str, value: object, allowed: str) -> UsageError:
    """Return the error for an entry of a training's or an evaluation's file."""
    text = repr(value)
    seen = text if len(text) <= 80 else f"{text[:77]}..."
    return UsageError(f"{place} is {seen}; {allowed} is needed; give the file as it was written")


def _check_confusion(rows: Any, place: str) -> None:
    count = len(LABELS)
    square = isinstance(rows, list) and len(rows) == count and all(
        isinstance(row, list) and len(row) == count and all(map(is_number, row)) for row in rows
    )
    if not square:
        raise wrong(place, rows, f"a table of {count} by {count} numbers")
