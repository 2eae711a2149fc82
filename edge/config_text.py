"""A tree of dataclasses as TOML, and values as a message quotes them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_MOST_CHARACTERS = 80
# Python writes longer numbers in quadratic time, and refuses beyond 4300 digits.
_MOST_BITS = 200


def toml_text(tree: Any, shown: Callable[[str, Any], Any] = lambda key, value: value) -> str:
    """Return *tree*, a dataclass of sections, as TOML that decodes to the same.

    *shown* is asked, with the dotted key, what to write for a value.  A value that is None is
    left out.
    """
    return "\n".join(_lines(tree, "", shown)).strip() + "\n"


def flat(tree: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted key, value) of every plain value in *tree*."""
    for name, value in _entries(tree):
        where = f"{place}.{key_text(name)}" if place else key_text(name)
        if _is_section(value):
            yield from flat(value, where)
        else:
            yield where, value


def key_text(name: str) -> str:
    """Return *name* as a TOML key, quoted where it needs that."""
    return name if _BARE_KEY.fullmatch(name) else _string(name)


def value_text(value: Any) -> str:
    """Return a plain *value* (text, number, truth, list, table of those) as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, Mapping):
        if not value:
            return "{}"
        entries = (f"{key_text(str(k))} = {value_text(v)}" for k, v in value.items())
        return f"{{ {', '.join(entries)} }}"
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(value_text(one) for one in value)}]"
    return str(value)


def value_words(value: Any) -> str:
    """Return *value*, anything a TOML file can hold, as a message quotes it: short, on one line."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, (tuple, list)):
        return "a list"
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return "a very large number"
    if isinstance(value, str) and len(value) > _MOST_CHARACTERS:
        return f"{_string(value[:_MOST_CHARACTERS])}..."
    return value_text(value)


def _lines(tree: Any, place: str, shown: Callable[[str, Any], Any]) -> Iterator[str]:
    later = []
    for name, value in _entries(tree):
        where = f"{place}.{key_text(name)}" if place else key_text(name)
        if _is_section(value):
            later.append((where, value))
        elif value is not None:
            yield f"{key_text(name)} = {value_text(shown(where, value))}"
    for where, value in later:
        if is_dataclass(value):
            yield ""
            yield f"[{where}]"
        yield from _lines(value, where, shown)


def _entries(tree: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(tree, Mapping):
        yield from tree.items()
    else:
        for one in fields(tree):
            yield one.name, getattr(tree, one.name)


def _is_section(value: Any) -> bool:
    if isinstance(value, Mapping):
        return bool(value) and all(is_dataclass(one) for one in value.values())
    return is_dataclass(value)


def _string(text: str) -> str:
    # JSON's escapes are TOML's, but for the one character that only JSON leaves as it stands.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
