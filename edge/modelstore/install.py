"""From a copied file to a model that is chosen to run: each check in turn, the cheap ones first.

The steps, in order; a kill after any of them leaves a store that starts (see the tests):

1. ``copying``, ``copied``: our own copy, read once, under a temporary name, on disk.
2. ``checked``: archive, card, digest, labels, signature, version.
3. ``tried``: structure, operators, outputs, self-test and speed, in a child process.
4. ``placed``: renamed to its place in the store.
5. ``chosen: half written``, ``chosen``: the state file says that it runs, on probation.
6. ``swept``: older versions that are no longer kept are gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.errors import ModelError, OutputError
from edge.modelfile import Kind, ModelFile, parse_model, read_bytes
from edge.modelstore import state as states
from edge.modelstore.keys import signer
from edge.modelstore.settings import UpdateSettings
from edge.modelstore.state import Known, State, describe, words_of
from edge.modelstore.store import Copy, Store
from edge.modelstore.structure import check_card
from edge.modelstore.trialrun import Trial


@dataclass(frozen=True, slots=True)
class Permissions:
    """What a person allows that a file alone may not ask for.

    *older*: a version that is not newer than the running one.  *again*: a model that was rolled
    back before.  *pinned*: one of a kind that is pinned.
    """

    older: bool = False
    again: bool = False
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Installed:
    """What became of a file: the *model* in it, whether that *changed* anything, and *words*."""

    model: Known
    changed: bool
    words: str


class Incomplete(ModelError):
    """Error raised when a file cannot be read as a model: bad, or not wholly copied yet."""


def install(
    store: Store,
    source: Path,
    shown: str,
    settings: UpdateSettings,
    released: Mapping[Kind, ModelFile],
    trial: Trial,
    allowed: Permissions = Permissions(),
) -> Installed:
    """Take the file *source* into *store* and choose it to run, on probation.

    *shown* is its name in messages; *released* are the models that came with the program.
    Raises ModelError with one reason when it is refused (Incomplete when it cannot be read as a
    model at all), OutputError when the store cannot be written, Unfinished when the file
    changes while it is read.  What runs keeps running in every case.
    """
    with store.taken_in(source, shown) as copy:
        known = _checked(copy, shown, settings, released)
        state = store.read()
        active = state.active(known.kind)
        if known.sha256 == (active or released[known.kind]).sha256:
            return Installed(known, False, f"{_name(known)} is installed already")
        reason = refusal(state, known, released[known.kind], allowed)
        if reason:
            raise ModelError(f"{shown} is refused: {reason}")
        store.step("checked")
        passed = trial(copy.path, known.kind, _running(store, state, known.kind, released), shown)
        store.step("tried")
        older = not known.version > _version(state, known.kind, released)

        def change(now: State) -> State:
            # Somebody else may have installed another one during the trial.
            reason = refusal(now, known, released[known.kind], allowed)
            if reason:
                raise ModelError(f"{shown} is refused: {reason}")
            after = (
                "it was proved before and runs without probation" if states.is_good(now, known)
                else f"it runs on probation for {settings.probation_minutes:g} minutes"
            )
            words = (
                f"{_name(known)} from {shown} was installed"
                f"{' ALTHOUGH IT IS NO NEWER (--allow-downgrade)' if older else ''}"
                f"{f', signed by {known.key}' if known.key else ''}; {passed.words()}; {after}, "
                f"before it was {words_of(now.active(known.kind), known.kind)}"
            )
            now = states.kept(states.chosen(now, known), settings.keep)
            return states.noted(now, store.today(), "model_installed", words, _name(known), shown)

        words = store.adopt(copy, known, change, "chosen").notes[-1].words
    store.sweep()
    store.step("swept")
    return Installed(known, True, words)


def refusal(state: State, known: Known, released: ModelFile, allowed: Permissions) -> str:
    """Return why *known* may not take the place of what runs as its kind; "" where it may."""
    slot, active = state.slot(known.kind), state.active(known.kind)
    if slot.pinned and not allowed.pinned:
        return (
            f"{known.kind} is pinned to {words_of(active, known.kind)}; "
            f"`maskgate model pin {known.kind} --off` lets updates in"
        )
    before = state.models.get(known.sha256)
    if before is not None and before.standing == "bad" and not allowed.again:
        return (
            f"it was rolled back before ({before.reason}); "
            "`maskgate model install --again` tries it once more"
        )
    version = active.version if active is not None else released.card.version
    if known.version <= version and not allowed.older:
        name = active.name if active is not None else released.card.name
        return (
            f"it is version {known.version}, and {name} {version} runs; give it a higher version, "
            "or see `maskgate model install --allow-downgrade`"
        )
    return ""


def refused(store: Store, shown: str, reason: str) -> bool:
    """Note that the file *shown* was refused for *reason*; return whether that was possible."""
    try:
        store.update(
            lambda state: states.noted(
                state, store.today(), "model_refused", reason, file=shown
            ),
            "refused",
        )
    except (ModelError, OutputError):
        return False
    return True


def _checked(
    copy: Copy, shown: str, settings: UpdateSettings, released: Mapping[Kind, ModelFile]
) -> Known:
    """Return what *copy* holds, having checked all that can be checked without loading it."""
    name = Path(shown)
    data = read_bytes(copy.path)
    try:
        model = parse_model(data, name)
    except ModelError as error:
        raise Incomplete(str(error)) from error
    key = signer(data, settings.keys, shown)
    check_card(data, model)
    card = model.card
    return Known(
        sha256=copy.sha256,
        kind=card.kind,
        name=card.name if card.name.isprintable() and len(card.name) <= 80 else card.kind,
        version=card.version,
        standing="probation",
        key=key,
        over=released[card.kind].card.version,
    )


def _running(
    store: Store, state: State, kind: Kind, released: Mapping[Kind, ModelFile]
) -> Path:
    active = state.active(kind)
    path = store.path_of(active) if active is not None else released[kind].path
    return path if path.is_file() else released[kind].path


def _version(state: State, kind: Kind, released: Mapping[Kind, ModelFile]) -> int:
    active = state.active(kind)
    return active.version if active is not None else released[kind].card.version


def _name(known: Known) -> str:
    return describe(known.name, known.version, known.sha256)
