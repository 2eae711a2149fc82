"""The status of the models as one JSON line, for whatever drives a fleet of gates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from edge.modelfile import Kind, ModelFile
from edge.modelstore import state as states
from edge.modelstore.state import Note, State

STATUS_FORMAT = 1
EXIT_PENDING = 8
EXIT_ROLLED_BACK = 9
Settled = Literal["settled", "probation", "rolled_back"]
_UPDATES = ("model_installed", "model_refused", "model_rolled_back", "model_trusted")


def status_values(
    state: State,
    released: Mapping[Kind, ModelFile],
    running: Mapping[Kind, str] | None = None,
    activity: str = "",
) -> dict[str, Any]:
    """Return the status as JSON values.

    ``models`` has, per kind, what is chosen: ``version``, ``sha256``, ``name``, ``standing``
    (``released``, ``probation`` or ``good``), ``pinned``, and ``running``: whether the gate that
    writes this runs it already, None where nobody knows.  *running* are checksums.  ``update``
    is ``settled``, ``probation`` or ``rolled_back``; ``last`` is the last thing that happened to
    a model file; ``activity`` is what is done just now, such as a trial.
    """
    last = latest(state)
    return {
        "format": STATUS_FORMAT,
        "update": settled(state),
        "activity": activity,
        "models": {kind: _model(state, kind, released, running) for kind in states.KINDS},
        "last": None
        if last is None
        else {
            "number": last.number, "at": last.at, "event": last.event, "model": last.model,
            "file": last.file, "words": last.words,
        },
    }


def status_line(values: Mapping[str, Any]) -> str:
    """Return *values* as one line without its end."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def settled(state: State) -> Settled:
    """Return how the last update stands."""
    if any(slot.probation is not None for slot in state.slots.values()):
        return "probation"
    updates = [n for n in state.notes if n.event in _UPDATES and n.event != "model_refused"]
    return "rolled_back" if updates and updates[-1].event == "model_rolled_back" else "settled"


def exit_code(values: Mapping[str, Any]) -> int:
    """Return the exit code of ``maskgate model status`` for *values*."""
    return {"probation": EXIT_PENDING, "rolled_back": EXIT_ROLLED_BACK}.get(values["update"], 0)


def latest(state: State) -> Note | None:
    """Return the last note about an update, None where there was none."""
    found = [note for note in state.notes if note.event in _UPDATES]
    return found[-1] if found else None


def _model(
    state: State,
    kind: Kind,
    released: Mapping[Kind, ModelFile],
    running: Mapping[Kind, str] | None,
) -> dict[str, Any]:
    known, slot, own = state.active(kind), state.slot(kind), released[kind]
    digest = known.sha256 if known is not None else own.sha256
    return {
        "name": known.name if known is not None else own.card.name,
        "version": known.version if known is not None else own.card.version,
        "sha256": digest,
        "standing": known.standing if known is not None else "released",
        "pinned": slot.pinned,
        "running": None if running is None else running.get(kind) == digest,
    }
