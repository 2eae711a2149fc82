"""The model card that a person reads, written from the card that a device reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from convert.tables import markdown_table
from edge.modelfile import LABELS, ModelCard, ModelFile

TITLES = {"face-detector": "Face detector", "mask-classifier": "Mask classifier"}
# Told in sections of their own, in docs/scores.md, or of use to a machine only.
_NOT_MEASURES = frozenset({"confusion", "worst", "forced"})
_TOLD_ELSEWHERE = frozenset(
    {"slices", "slice_meanings", "shares", "masked_bare_gap", "known_state"}
)


def card_text(
    model: ModelFile, notes: str = "", evaluation: Mapping[str, Any] | None = None
) -> str:
    """Return the Markdown card of *model*.

    *notes* is Markdown on known weaknesses and sources, put in as it is.  *evaluation* is
    what ``python -m train evaluate`` measured on the finished file.
    """
    card = model.card
    measured = dict(card.metrics)
    parity = measured.pop("parity", None)
    if evaluation is not None:
        measured["this file, int8"] = evaluation
    sections = [
        ("", f"# {TITLES[card.kind]}: {card.name}, version {card.version}"),
        ("", _summary(model)),
        ("Measured", _measures(measured)),
        ("Float against int8", _parity(parity)),
        ("Known weaknesses", notes.strip()),
        ("Data", _data(card.provenance.get("data", {}))),
        ("How it was made", _provenance(card)),
    ]
    parts = [f"## {title}\n\n{body}" if title else body for title, body in sections if body]
    return "\n\n".join(parts) + "\n"


def _summary(model: ModelFile) -> str:
    card = model.card
    spec = card.input
    rows = [
        ("file", f"`{model.path.name}`, {model.path.stat().st_size:,} bytes"),
        ("SHA-256", f"`{model.sha256}`"),
        ("needs", f"maskgate {card.minimum_maskgate} or newer"),
        ("input", f"{spec.width}x{spec.height} {spec.color.upper()}, "
                  f"(pixel - {spec.mean:g}) / {spec.std:g}, int8"),
        ("labels", ", ".join(card.labels)),
    ]
    if card.crop_margin is not None:
        margin = f"the face box's longer side, and {card.crop_margin:g} of it on every side"
        rows.append(("crop", margin))
    rows += [(_words(key), f"{value:.4g}") for key, value in card.decision.items()]
    return markdown_table(("", ""), rows)


def _measures(metrics: Mapping[str, Any]) -> str:
    parts: list[str] = []
    for name, tree in metrics.items():
        if isinstance(tree, Mapping):
            parts += _measured(name, tree)
    return "\n\n".join(parts)


def _measured(name: str, tree: Mapping[str, Any]) -> Iterator[str]:
    plain = [(key, value) for key, value in tree.items() if _is_measure(key, value)]
    if plain:
        rows = [(_words(key), *_cells(value)) for key, value in plain]
        yield markdown_table((name, "value", "95 % interval"), rows)
    if "confusion" in tree:
        yield _confusion(tree["confusion"])
    for key, value in tree.items():
        if not isinstance(value, Mapping) or "value" in value or key in _TOLD_ELSEWHERE:
            continue
        if value and all(isinstance(row, Mapping) for row in value.values()):
            yield _matrix(f"{name}: {_words(key)}", value)
            # A row that holds tables of its own, as a range of face sizes does, tells them below.
            for row, cells in value.items():
                tables = {k: v for k, v in cells.items() if _is_table(v)}
                yield from _measured(f"{name}, {_words(row)}", tables)
        else:
            yield from _measured(f"{name}: {_words(key)}", value)


def _is_table(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(row, Mapping) and "value" not in row for row in value.values())
    )


def _is_measure(key: str, value: Any) -> bool:
    if isinstance(value, Mapping):
        return "value" in value
    return key not in _NOT_MEASURES and type(value) in (int, float)


def _matrix(name: str, table: Mapping[str, Mapping[str, Any]]) -> str:
    flat = {row: dict(_flat(cells)) for row, cells in table.items()}
    columns = list(dict.fromkeys(column for cells in flat.values() for column in cells))
    rows = [
        (_words(row), *(" ".join(_cells(cells[c])).strip() if c in cells else "" for c in columns))
        for row, cells in flat.items()
    ]
    return markdown_table((name, *columns), rows)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if _is_measure(key, value):
            yield prefix + _words(key), value
        elif isinstance(value, Mapping) and not _is_table(value) and key not in _TOLD_ELSEWHERE:
            yield from _flat(value, f"{prefix}{_words(key)}: ")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _cells(value: Any) -> tuple[str, str]:
    if not isinstance(value, Mapping):
        return _number(value), ""
    low, high = value.get("low"), value.get("high")
    span = "" if low is None or high is None else f"{low:.4f} to {high:.4f}"
    return _number(value["value"]), span


def _number(value: Any) -> str:
    if value is None:
        return "none to measure"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def _confusion(rows: Any) -> str:
    head = ("true, below; said, right", *LABELS)
    return markdown_table(
        head, [(label, *map(str, row)) for label, row in zip(LABELS, rows, strict=True)]
    )


def _parity(parity: Mapping[str, Any] | None) -> str:
    if parity is None:
        return ""
    rows = [(name, _number(value)) for name, value in _flat(parity)]
    table = markdown_table(("same pictures, both networks", ""), rows)
    if parity.get("forced"):
        table += "\n\n**Out of bounds; written with `--force`.**"
    return table


def _data(data: Mapping[str, Any]) -> str:
    parts = []
    for split in ("train", "validation"):
        table = data.get(split)
        if not isinstance(table, Mapping) or not table:
            continue
        columns = sorted({column for row in table.values() for column in row}, key=_label_order)
        rows = [
            (source, *(f"{row.get(column, 0):,}" for column in columns))
            for source, row in table.items()
        ]
        head = (f"{split}, by source", *map(_words, columns))
        parts.append(markdown_table(head, rows))
    if data.get("synthetic"):
        parts.append(
            f"Synthetic and in no reported number: {', '.join(data['synthetic'])}."
        )
    if data.get("checksum"):
        parts.append(f"Checksum of the data: `{data['checksum']}`.")
    return "\n\n".join(parts)


def _label_order(column: str) -> tuple[int, str]:
    return (LABELS.index(column) if column in LABELS else len(LABELS), column)


def _file(named: Mapping[str, str]) -> str:
    return f"`{named['file']}`, SHA-256 `{named['sha256']}`"


def _provenance(card: ModelCard) -> str:
    made = card.provenance
    commands = [made[key] for key in ("command", "convert_command") if made.get(key)]
    parts = ["```sh\n" + "\n".join(commands) + "\n```"] if commands else []
    rows = [
        (_words(key), f"`{value}`")
        for key, value in made.items()
        if isinstance(value, (str, int, float)) and key not in ("command", "convert_command")
    ]
    if made.get("start"):
        rows.append(("went on from", _file(made["start"])))
    rows += [("average of", _file(one)) for one in made.get("average_of") or ()]
    if made.get("libraries"):
        listed = ", ".join(f"{name} {version}" for name, version in made["libraries"].items())
        rows.append(("trained with", listed))
    if rows:
        parts.append(markdown_table(("", ""), rows))
    if made.get("config"):
        text = json.dumps(made["config"], indent=1)
        parts.append(
            f"<details><summary>Every setting</summary>\n\n```json\n{text}\n```\n\n</details>"
        )
    return "\n\n".join(parts)
