"""Typed reading of a model's card: what is missing or wrong is named, with what is allowed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from edge.errors import ModelError

_LONGEST_SHOWN = 80


def printable(text: str, longest: int) -> str:
    """Return *text* in one line of printable characters, at most *longest* of them.

    What a stranger wrote must neither steer a terminal nor be more than a journal can take:
    half of a surrogate pair is good JSON, and cannot be written to any file.
    """
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[: longest + 1])
    return text if len(text) <= longest else text[: longest - 3] + "..."


def shown(value: object) -> str:
    """Return *value*, read from a card, as it is shown in messages: escaped, and not long."""
    return printable(repr(value), _LONGEST_SHOWN)


class Fields:
    """Typed reading of a JSON object, with messages that name field, value and what is allowed."""

    def __init__(self, tree: Mapping[str, Any], name: str, prefix: str = "") -> None:
        self.tree, self.name, self.prefix = tree, name, prefix

    def wrong(self, key: str, value: object, allowed: str) -> ModelError:
        return ModelError(
            f"{self.name}: its card says {self._place(key)} = {shown(value)}; {allowed} is "
            "needed; convert it again"
        )

    def _place(self, key: str) -> str:
        return printable(f"{self.prefix}{key}", _LONGEST_SHOWN)

    def _get(self, key: str, default: Any) -> Any:
        value = self.tree.get(key, default)
        if value is None:
            raise ModelError(
                f"{self.name}: its card has no {self._place(key)}; convert it again"
            )
        return value

    def text(self, key: str, default: str | None = None) -> str:
        value = self._get(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, value, "a text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._get(key, None)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(key, value, "a list of texts")
        return tuple(value)

    def integer(self, key: str, low: int, high: int = 2**63) -> int:
        value = self._get(key, None)
        if type(value) is not int or not low <= value <= high:
            raise self.wrong(key, value, f"a whole number from {low} to {high}")
        return value

    def number(self, key: str) -> float:
        value = self._get(key, None)
        # bool is an int in Python, and JSON's NaN and Infinity are floats.
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.wrong(key, value, "a number")
        try:
            real = float(value)
        except OverflowError:
            raise self.wrong(key, value, "a smaller number") from None
        if not math.isfinite(real):
            raise self.wrong(key, value, "a finite number")
        return real

    def mapping(self, key: str, default: dict[str, Any] | None = None) -> dict[str, Any]:
        value = self._get(key, default)
        if not isinstance(value, dict):
            raise self.wrong(key, value, "an object")
        return value

    def numbers(self, key: str) -> dict[str, float]:
        inner = Fields(self.mapping(key, {}), self.name, f"{self.prefix}{key}.")
        return {name: inner.number(name) for name in inner.tree}
