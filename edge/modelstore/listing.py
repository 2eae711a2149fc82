"""Models in words: the list of a gate's models, and one model's card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from edge.modelfile import Kind, ModelFile
from edge.modelstore import state as states
from edge.modelstore.state import KINDS, Known, State

_SHOWN_NOTES = 5
_LONGEST_VALUE = 90


def list_values(state: State, released: Mapping[Kind, ModelFile]) -> dict[str, Any]:
    """Return everything that is known as JSON values."""
    return {
        "models": [
            {**_released_values(kind, state, released[kind]), "kind": kind} for kind in KINDS
        ]
        + [
            {**asdict(known), "active": state.slot(known.kind).active == known.sha256}
            for known in sorted(state.models.values(), key=lambda m: -m.order)
        ],
        "pinned": [kind for kind in KINDS if state.slot(kind).pinned],
        "notes": [asdict(note) for note in state.notes],
    }


def list_text(state: State, released: Mapping[Kind, ModelFile]) -> str:
    """Return the models of both kinds, a line each, and the last notes."""
    lines: list[str] = []
    for kind in KINDS:
        slot = state.slot(kind)
        lines.append(f"{kind}{', pinned' if slot.pinned else ''}")
        for known in _of(state, kind):
            lines.append(_line(known, slot.active == known.sha256))
        own = released[kind]
        mark = "*" if slot.active == states.RELEASED else " "
        lines.append(
            f"  {mark} {own.card.version:>5}  {own.sha256[:12]}  released   {own.card.name}"
        )
    lines.append("* is chosen to run.")
    for note in state.notes[-_SHOWN_NOTES:]:
        lines.append(f"{note.at}  {note.words}")
    return "\n".join(lines)


def status_text(values: Mapping[str, Any]) -> str:
    """Return the status values in words."""
    lines = [
        f"{kind}: {model['name']} {model['version']} ({model['sha256'][:12]}), "
        f"{model['standing']}{', pinned' if model['pinned'] else ''}"
        f"{'' if model['running'] is not False else ', not running yet'}"
        for kind, model in values["models"].items()
    ]
    if values["activity"]:
        lines.append(values["activity"])
    if values["last"] is not None:
        lines.append(f"{values['last']['at']}  {values['last']['words']}")
    return "\n".join(lines)


def card_text(model: ModelFile, key: str) -> str:
    """Return *model*'s card for people; *key* is the id of the key that signs it, "" for none."""
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
    lines = [f"{name:<15} {_printable(value)}" for name, value in rows if value]
    for title, tree in (("measured", card.metrics), ("made from", card.provenance)):
        found = _leaves(tree)
        if found:
            lines.append(f"\n{title}")
            lines += [f"  {name:<40} {value}" for name, value in found]
    return "\n".join(lines)


def _leaves(tree: object, name: str = "") -> list[tuple[str, str]]:
    """Return the values in *tree* with dotted names; long ones cut, lists of tables left out."""
    if isinstance(tree, Mapping):
        return [leaf for key, value in tree.items()
                for leaf in _leaves(value, f"{name}.{key}" if name else str(key))]
    if isinstance(tree, list) and any(isinstance(item, (dict, list)) for item in tree):
        return [(name, f"{len(tree)} entries")]
    text = f"{tree:.4g}" if isinstance(tree, float) else " ".join(str(tree).split())
    name, text = _printable(name), _printable(text)
    return [(name, text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "...")]


def _printable(text: str) -> str:
    # Whoever wrote the file must not steer the terminal of who looks at it.
    return "".join(c if c.isprintable() else "?" for c in text)


def _of(state: State, kind: Kind) -> list[Known]:
    found = [known for known in state.models.values() if known.kind == kind]
    return sorted(found, key=lambda known: -known.order)


def _line(known: Known, active: bool) -> str:
    end = f": {known.reason}" if known.reason else ""
    signed = f", signed by {known.key}" if known.key else ""
    return (
        f"  {'*' if active else ' '} {known.version:>5}  {known.sha256[:12]}  "
        f"{known.standing:<10} {known.name}{signed}{end}"
    )


def _released_values(kind: Kind, state: State, own: ModelFile) -> dict[str, Any]:
    return {
        "name": own.card.name, "version": own.card.version, "sha256": own.sha256,
        "standing": "released", "active": state.slot(kind).active == states.RELEASED,
    }
