"""The models: whole, signed where keys are configured, and computing right on this board."""

from __future__ import annotations

from dataclasses import replace

from edge.doctor.context import Context
from edge.doctor.finding import Finding, failure, ok, skipped, together, warning
from edge.doctor.past import state_environ
from edge.errors import MaskgateError, ModelError
from edge.modelfile import Kind, ModelFile, parse_model, read_bytes, read_model, released_model
from edge.modelstore import state as states
from edge.modelstore.keys import signer
from edge.modelstore.loading import chosen_file
from edge.modelstore.state import KINDS, Known, State
from edge.modelstore.store import Store
from edge.modelstore.trialrun import Child, Passed
from edge.vision.interpreter import WITHOUT_XNNPACK

MODEL_SECONDS = 30.0
"""How long the self-test of one model may take."""


def check_models(ctx: Context) -> Finding:
    """Read, verify and try the two models that run, and read every stored one."""
    config = ctx.settings()
    named = dict(zip(KINDS, (config.models.detector, config.models.classifier), strict=True))
    parts = []
    store = Store(config.updates.root(state_environ(ctx)))
    state: State | None = None
    if not any(named.values()):
        try:
            state = store.read()
        except MaskgateError as error:
            trouble = failure if isinstance(error, ModelError) else skipped
            parts.append(trouble(str(error)))
    chosen: list[ModelFile] = []
    for kind in KINDS:
        try:
            own = read_model(named[kind] or released_model(kind), kind)
            chosen.append(
                own if state is None
                else chosen_file(store, state, kind, {kind: own}, config.updates.keys)
            )
        except MaskgateError as error:
            parts.append(failure(str(error), _way_back(kind, state)))
    parts += _tried(ctx, chosen)
    if state is not None:
        active = {model.sha256 for model in chosen}
        rest = [known for known in states.stored(state) if known.sha256 not in active]
        parts += [_stored(store, known, config.updates.keys) for known in rest]
    return together(*parts)


def _tried(ctx: Context, models: list[ModelFile]) -> list[Finding]:
    settings = replace(ctx.settings().updates, trial_seconds=MODEL_SECONDS)
    parts = []
    for model in models:
        name = f"{model.card.name} {model.card.version} ({model.sha256[:12]})"
        try:
            # In a process of its own, and a new one for each: a damaged model may crash it.
            with Child(settings) as child:
                passed = child.ask(model.path, model.card.kind, None, str(model.path))
        except (MaskgateError, OSError) as error:
            parts.append(failure(str(error), "install maskgate again, or copy the model again"))
        else:
            parts.append(judged(name, passed))
    return parts


def judged(name: str, passed: Passed) -> Finding:
    """Return what to say of the model *name* that *passed* its self-test."""
    if WITHOUT_XNNPACK in passed.runtime:
        return warning(
            f"{name}: {passed.words()}, but {passed.runtime}, many times slower",
            "install ai-edge-litert, and let the program read /sys/devices/system/cpu",
        )
    return ok(f"{name}: {passed.words()}, {passed.runtime}")


def _stored(store: Store, known: Known, keys: tuple[str, ...]) -> Finding:
    """Return whether a model that is only kept to go back to could be gone back to."""
    path = store.path_of(known)
    words = f"{known.name} {known.version}, kept to go back to,"
    try:
        data = read_bytes(path)
        if parse_model(data, path, known.kind).sha256 != known.sha256:
            return warning(f"{words} is damaged", "copy it again")
        signer(data, keys, str(path))
    except MaskgateError as error:
        return warning(f"{words} cannot be used: {error}")
    return ok(f"{words} is whole")


def _way_back(kind: Kind, state: State | None) -> str:
    if state is not None and state.active(kind) is not None:
        return f"maskgate model rollback {kind}"
    return "install maskgate again"
