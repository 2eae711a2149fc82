"""One model's card in words: what a person asks first, and the rest on demand."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from edge.modelfile import ModelFile

_WIDTH = 100
_LONGEST_VALUE = 90
# A detector's figures by distance lie so deep: validation, ranges, gate.  Those by label and by
# source are deeper, and fill screens.
_MEASURED_DEPTH = 3
_MADE_DEPTH = 0
_ALL = 100
_MORE = " (--all)"
# A name and its figure stay in one line; it is shown as a space.
_TOGETHER = "\N{NO-BREAK SPACE}"


def card_text(model: ModelFile, key: str, everything: bool = False) -> str:
    """Return *model*'s card for people; *key* is the id of the key that signs it, "" for none.

    With *everything*, every figure and every setting of the training too.
    """
    card, test = model.card, model.card.self_test
    rows = [
        ("file", str(model.path)),
        ("sha256", model.sha256),
        ("kind", card.kind),
        ("name", card.name),
        ("version", str(card.version)),
        ("needs maskgate", f"{card.minimum_maskgate} or newer"),
        ("input", f"{card.input.width}x{card.input.height} {card.input.color.upper()}, "
                  f"(pixel - {card.input.mean:g}) / {card.input.std:g}"),
        ("labels", ", ".join(card.labels)),
        ("crop margin", "" if card.crop_margin is None else f"{card.crop_margin:g}"),
        ("decision", ", ".join(f"{name} {value:.4g}" for name, value in card.decision.items())),
        ("self-test", "none" if test is None else
         f"{test.inputs} pictures, {test.tolerance:g} steps tolerated"),
        ("signed by", f"{key}; `maskgate model verify` checks it" if key else "nobody"),
    ]
    lines = [f"{name:<15} {value}" for name, value in rows if value]
    for title, tree, depth in (
        ("measured", card.metrics, _MEASURED_DEPTH), ("made from", card.provenance, _MADE_DEPTH),
    ):
        if tree:
            lines += ["", title, *_root(tree, _ALL if everything else depth)]
    return "\n".join(map(_printable, lines))


def _root(tree: Mapping[str, Any], depth: int) -> Iterator[str]:
    """Yield a line for each plain value of *tree*, then its branches, *depth* of them deep."""
    longest = _LONGEST_VALUE if depth < _ALL else None
    for name, value in tree.items():
        if not _is_branch(value):
            yield f"  {name:<16} {_value(value, longest)}"
    if depth > 0:
        yield from _branches(tree, "  ", depth - 1)
    elif named := _named(tree):
        yield f"  {named}"


def _branches(tree: Mapping[str, Any], indent: str, depth: int) -> Iterator[str]:
    """Yield the branches of *tree*, a line for the plain values of each; deeper ones are named."""
    for name, branch in tree.items():
        if not _is_branch(branch):
            continue
        parts = [
            f"{key}{_TOGETHER}{_value(one)}" for key, one in branch.items() if not _is_branch(one)
        ]
        if depth <= 0 and (named := _named(branch)):
            parts.append(named)
        yield from _wrapped(f"{indent}{name}{': ' if parts else ''}", ", ".join(parts))
        if depth > 0:
            yield from _branches(branch, f"{indent}  ", depth - 1)


def _named(tree: Mapping[str, Any]) -> str:
    inner = ", ".join(str(name) for name, value in tree.items() if _is_branch(value))
    return f"and {inner}{_MORE}" if inner else ""


def _is_branch(value: object) -> bool:
    return isinstance(value, Mapping) and bool(value) and not _is_interval(value)


def _is_interval(value: Mapping[str, Any]) -> bool:
    # Figures only: what a stranger nested is shown as the branches that it is.
    return "value" in value and set(value) <= {"value", "low", "high"} and not any(
        isinstance(one, Mapping | list) for one in value.values()
    )


def _wrapped(start: str, text: str) -> list[str]:
    indent = " " * (len(start) - len(start.lstrip()) + 4)
    lines = textwrap.wrap(
        start + text, _WIDTH, subsequent_indent=indent, break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_TOGETHER, " ") for line in lines]


def _value(value: object, longest: int | None = None) -> str:
    """Return *value* in one line: intervals as such, matrices by rows, cut at *longest*."""
    if isinstance(value, Mapping):
        if not value:
            return "none"
        ends = " to ".join(_value(value[end]) for end in ("low", "high") if end in value)
        return _value(value["value"]) + (f" ({ends})" if ends else "")
    if isinstance(value, list) and value and all(isinstance(row, list) for row in value):
        return " / ".join(" ".join(map(str, row)) for row in value)
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        return f"{len(value)} entries"
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    if value is None:
        return "none"
    text = f"{value:.4g}" if isinstance(value, float) else " ".join(str(value).split())
    return text if longest is None or len(text) <= longest else text[: longest - 3] + "..."


def _printable(text: str) -> str:
    # Whoever wrote the file must not steer the terminal of who looks at it.
    return "".join(c if c.isprintable() else "?" for c in text)
