"""Models in words: the list of a gate's models, and how the last update stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from edge.modelfile import Kind, ModelFile
from edge.modelstore import state as states
from edge.modelstore.state import KINDS, Known, State

_SHOWN_NOTES = 5


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
