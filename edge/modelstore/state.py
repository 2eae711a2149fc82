"""What the store knows of its models, and how that changes: plain values and pure steps.

All of it stands in one file, so that which model runs and what is known of it can never
disagree: a symbolic link beside it would be a second truth, with a moment between the two.

A kind's *active* model is one of the store, by its SHA-256, or "" for the released one, which
came with the program and is always there.  A model in the store is

- ``probation``: it passed its trial and runs, or will at the next start, under watch;
- ``good``: it ran healthily for as long as was asked;
- ``bad``: it was rolled back, for *reason*; its file is gone, what is known of it stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from edge.cardfields import printable
from edge.modelfile import Kind
from edge.modelstore.probation import Tally

RELEASED = ""
KINDS: tuple[Kind, ...] = ("face-detector", "mask-classifier")
STATE_FORMAT = 1
Standing = Literal["probation", "good", "bad"]
NoteKind = Literal[
    "model_installed",
    "model_refused",
    "model_running",
    "model_trusted",
    "model_rolled_back",
    "model_pinned",
    "model_trouble",
]
# Of a note or a reason; the state file holds 50 of each.
LONGEST_WORDS = 1000
_MOST_NOTES = 50
_MOST_BAD = 50
_MOST_SEEN = 200


@dataclass(frozen=True, slots=True)
class Known:
    """A model that is or was in the store.

    *key* is the id of the key that signed it, "" for none that was asked for.  *over* is the
    version of the released model at the time it was installed: a newer one takes over.
    *order* counts installations.
    """

    sha256: str
    kind: Kind
    name: str
    version: int
    standing: Standing
    key: str = ""
    reason: str = ""
    over: int = 0
    order: int = 0


@dataclass(frozen=True, slots=True)
class Probation:
    """How the active model of a kind fares until it is trusted.

    *fallback* is what runs if it fails.  *starts* counts starts that did not end in good order:
    it is written before the model is first let near a frame.  *before* is what was counted with
    the model before it, *since* with it, as of the last stop in good order.
    """

    fallback: str
    starts: int = 0
    before: Tally = field(default_factory=Tally)
    since: Tally = field(default_factory=Tally)


@dataclass(frozen=True, slots=True)
class Slot:
    """Which model of a kind is to run; *pinned* keeps copied files from replacing it."""

    active: str = RELEASED
    probation: Probation | None = None
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened to the models, for the journal: *number* only grows.

    *at* is the time of day it was written down, ISO 8601; nothing is decided by it.  *model* is
    name, version and start of the checksum; *file* the name of the file that was copied in.
    """

    number: int
    at: str
    event: NoteKind
    words: str
    model: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """Everything the store remembers.

    *told* is the number of the last note that the gate passed on.  *seen* maps the names of
    files in the watched folder to what they looked like when they were dealt with.
    """

    format: int = STATE_FORMAT
    slots: dict[str, Slot] = field(default_factory=dict)
    models: dict[str, Known] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    told: int = 0
    seen: dict[str, str] = field(default_factory=dict)

    def slot(self, kind: Kind) -> Slot:
        """Return the slot of *kind*."""
        return self.slots.get(kind, Slot())

    def active(self, kind: Kind) -> Known | None:
        """Return the model of the store that is to run as *kind*; None for the released one."""
        return self.models.get(self.slot(kind).active)


def describe(name: str, version: int, sha256: str) -> str:
    """Return a model's name, version and the start of its checksum."""
    return f"{name} {version} ({sha256[:12]})"


def words_of(model: Known | None, kind: Kind) -> str:
    """Return *model* in words; None is the released one of *kind*."""
    if model is None:
        return f"the released {kind}"
    return describe(model.name, model.version, model.sha256)


def noted(
    state: State, at: str, event: NoteKind, words: str, model: str = "", file: str = ""
) -> State:
    """Return *state* with one more note; the oldest go."""
    number = state.notes[-1].number + 1 if state.notes else state.told + 1
    note = Note(number, at, event, printable(words, LONGEST_WORDS), model, file)
    return replace(state, notes=(*state.notes, note)[-_MOST_NOTES:])


def told(state: State, last: int) -> State:
    """Return *state* with its notes up to number *last* passed on."""
    return replace(state, told=max(state.told, last))


def chosen(state: State, known: Known) -> State:
    """Return *state* with *known*, just put into the store, to run on probation.

    If the one it replaces was itself on probation, what that would have fallen back to stays
    the fallback, and it goes: nobody proved it.  One that was proved before stays trusted, and
    counts as the newest from now on: what ran until now is the one before it.
    """
    slot = state.slot(known.kind)
    proved_before = is_good(state, known)
    models = {sha: model for sha, model in state.models.items() if sha != known.sha256}
    fallback = slot.active
    if slot.probation is not None:
        fallback = slot.probation.fallback
        models.pop(slot.active, None)
    order = max([0, *(model.order for model in models.values())]) + 1
    if proved_before:
        models[known.sha256] = replace(known, standing="good", reason="", order=order)
        trusted = replace(slot, active=known.sha256, probation=None)
        return _with_slot(replace(state, models=models), known.kind, trusted)
    models[known.sha256] = replace(known, standing="probation", reason="", order=order)
    new = replace(slot, active=known.sha256, probation=Probation(fallback))
    return _with_slot(replace(state, models=models), known.kind, new)


def is_good(state: State, known: Known) -> bool:
    """Return whether *known* is in the store and was proved before."""
    found = state.models.get(known.sha256)
    return found is not None and found.standing == "good"


def started(state: State, kind: Kind, before: Tally | None = None) -> State:
    """Return *state* with one more start of *kind*'s model on probation counted.

    *before* is what was counted with the model before it, if this process ran that.
    """
    slot = state.slot(kind)
    if slot.probation is None:
        return state
    probation = replace(slot.probation, starts=slot.probation.starts + 1)
    if before is not None:
        probation = replace(probation, before=before)
    return _with_slot(state, kind, replace(slot, probation=probation))


def stopped(state: State, kind: Kind, since: Tally) -> State:
    """Return *state* with the last start of *kind*'s model ended in good order."""
    slot = state.slot(kind)
    if slot.probation is None:
        return state
    probation = replace(slot.probation, starts=0, since=since)
    return _with_slot(state, kind, replace(slot, probation=probation))


def proved(state: State, kind: Kind) -> State:
    """Return *state* with *kind*'s model on probation trusted from now on."""
    slot, model = state.slot(kind), state.active(kind)
    if slot.probation is None or model is None:
        return state
    models = {**state.models, model.sha256: replace(model, standing="good")}
    return _with_slot(replace(state, models=models), kind, replace(slot, probation=None))


def rolled_back(state: State, kind: Kind, reason: str, to: str | None = None) -> State:
    """Return *state* with *kind*'s active model bad for *reason*.

    *to* runs in its place: its fallback on probation, else the newest good one before it, else
    the released one.
    """
    slot, model = state.slot(kind), state.active(kind)
    if model is None:
        return replace(state, slots={**state.slots, kind: replace(slot, active=RELEASED,
                                                                  probation=None)})
    if to is None:
        to = slot.probation.fallback if slot.probation is not None else before(state, kind)
    reason = printable(reason, LONGEST_WORDS)
    models = {**state.models, model.sha256: replace(model, standing="bad", reason=reason)}
    bad = sorted((m for m in models.values() if m.standing == "bad"), key=lambda m: m.order)
    for old in bad[:-_MOST_BAD]:
        del models[old.sha256]
    if to not in models:
        to = RELEASED
    return _with_slot(replace(state, models=models), kind, replace(slot, active=to, probation=None))


def unproved_left_out(state: State) -> State:
    """Return *state* without models on probation, for when it cannot be written how they fare."""
    for kind in KINDS:
        if state.slot(kind).probation is not None:
            state = rolled_back(state, kind, "")
    return state


def before(state: State, kind: Kind) -> str:
    """Return the good model of *kind* that ran before the active one; "" for the released one."""
    active = state.active(kind)
    if active is None:
        return RELEASED
    older = [
        model for model in state.models.values()
        if model.kind == kind and model.standing == "good" and model.order < active.order
    ]
    return max(older, key=lambda model: model.order).sha256 if older else RELEASED


def overtaken(state: State, kind: Kind, released: int) -> State:
    """Return *state* with the *released* version of *kind* active where it is newly the newest.

    A program update may bring a newer model than the one that was copied in before it.  One
    that was older than the released one from the start was chosen so, and stays.
    """
    slot, model = state.slot(kind), state.active(kind)
    if model is None or slot.pinned or not released > max(model.version, model.over):
        return state
    models = dict(state.models)
    if slot.probation is not None:
        del models[model.sha256]
    slot = replace(slot, active=RELEASED, probation=None)
    return _with_slot(replace(state, models=models), kind, slot)


def pinned(state: State, kind: Kind, on: bool) -> State:
    """Return *state* with *kind* pinned, or not."""
    return _with_slot(state, kind, replace(state.slot(kind), pinned=on))


def remembered(state: State, seen: dict[str, str]) -> State:
    """Return *state* with *seen* as what was dealt with of the watched folder."""
    return replace(state, seen=dict(list(seen.items())[-_MOST_SEEN:]))


def kept(state: State, keep: int) -> State:
    """Return *state* without the good models that are older than the newest *keep* of a kind.

    What runs, and what it would fall back to, stays.
    """
    needed = set(needed_models(state))
    drop: set[str] = set()
    for kind in KINDS:
        good = [m for m in state.models.values() if m.kind == kind and m.standing == "good"
                and m.sha256 not in needed]
        drop |= {m.sha256 for m in sorted(good, key=lambda m: m.order)[: max(0, len(good) - keep)]}
    return replace(state, models={sha: m for sha, m in state.models.items() if sha not in drop})


def needed_models(state: State) -> Iterable[str]:
    """Yield the models that run, or that one on probation falls back to; never ""."""
    for slot in state.slots.values():
        for sha in (slot.active, slot.probation.fallback if slot.probation else RELEASED):
            if sha:
                yield sha


def stored(state: State) -> list[Known]:
    """Return the models whose file must be in the store, newest first."""
    held = [model for model in state.models.values() if model.standing != "bad"]
    return sorted(held, key=lambda model: -model.order)


Change = Callable[[State], State]


def _with_slot(state: State, kind: Kind, slot: Slot) -> State:
    return replace(state, slots={**state.slots, kind: slot})
