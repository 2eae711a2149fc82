"""What ``maskgate model`` does; what is typed is in command.py."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from edge.errors import MaskgateError, ModelError, OutputError, UsageError
from edge.files import write_whole
from edge.modelfile import Kind, ModelFile, read_bytes, read_model, released_model
from edge.modelstore import keys as keyring
from edge.modelstore import listing
from edge.modelstore import state as states
from edge.modelstore.arrival import shown_name
from edge.modelstore.cardwords import card_text
from edge.modelstore.install import Permissions, refused
from edge.modelstore.install import install as install_file
from edge.modelstore.settings import UpdateSettings
from edge.modelstore.state import KINDS, State, words_of
from edge.modelstore.status import exit_code, status_line, status_values
from edge.modelstore.store import Store, Unfinished
from edge.modelstore.trialrun import Passed, run_trial

USUAL_CONFIG = Path("/etc/maskgate/gate.toml")
_ASK_AGAIN = 1.0  # seconds


def list_models(config: str | None, folder: str | None, as_json: bool) -> None:
    """Print the models of the store and the released ones."""
    store, _, released = _opened(config, folder)
    state = store.read()
    if as_json:
        click.echo(json.dumps(listing.list_values(state, released), indent=1))
    else:
        click.echo(listing.list_text(state, released))


def show(file: Path, as_json: bool, everything: bool) -> None:
    """Print the card of a model file; *everything* of it is long."""
    model = read_model(file)
    _, signature = keyring.split(read_bytes(file))
    key = signature.key if signature is not None else ""
    if as_json:
        values = {**asdict(model.card), "sha256": model.sha256, "signed_by": key}
        click.echo(json.dumps(values, indent=1))
    else:
        click.echo(card_text(model, key, everything))


def install(
    file: Path,
    config: str | None,
    folder: str | None,
    as_json: bool,
    allow_downgrade: bool,
    again: bool,
) -> None:
    """Install a model file; a refusal goes to the gate's journal, too."""
    store, settings, released = _opened(config, folder)
    shown = shown_name(file.name)

    def trial(path: Path, kind: Kind, running: Path | None, shown: str) -> Passed:
        return run_trial(path, kind, running, shown, settings)

    try:
        # A link that the owner names is the owner's; only those in the watched folder are not.
        done = install_file(
            store, Path(os.path.realpath(file)), shown, settings, released, trial,
            Permissions(older=allow_downgrade, again=again),
        )
    except Unfinished as error:
        raise ModelError(f"{error}; install it again when that has ended") from None
    except ModelError as error:
        refused(store, shown, str(error))
        raise
    if as_json:
        values = {"changed": done.changed, "sha256": done.model.sha256,
                  "version": done.model.version, "kind": done.model.kind, "words": done.words}
        click.echo(json.dumps(values))
    else:
        click.echo(done.words)


def rollback(kind: Kind, config: str | None, folder: str | None) -> None:
    """Go back to the model before the active one."""
    store, _, _ = _opened(config, folder)
    if store.read().active(kind) is None:
        raise UsageError(f"{words_of(None, kind)} runs; there is none before it to go back to")
    after = store.update(lambda s: store.rolled(s, kind, "by hand"))
    store.sweep()
    click.echo(after.notes[-1].words)


def pin(kind: Kind, off: bool, config: str | None, folder: str | None) -> None:
    """Pin the active model of a kind, or let updates in again."""
    store, _, _ = _opened(config, folder)

    def change(state: State) -> State:
        name = words_of(state.active(kind), kind)
        words = f"{name} is {'no longer ' if off else ''}pinned"
        state = states.pinned(state, kind, not off)
        return states.noted(state, store.today(), "model_pinned", words, name)

    click.echo(store.update(change).notes[-1].words)


def status(config: str | None, folder: str | None, as_json: bool, wait: float) -> int:
    """Print how the last update stands and return the exit code that says so."""
    store, _, released = _opened(config, folder)
    give_up = time.monotonic() + wait
    while True:
        values = _with_running(status_values(store.read(), released), store.status_path)
        if values["update"] != "probation" or time.monotonic() >= give_up:
            break
        time.sleep(_ASK_AGAIN)
    click.echo(status_line(values) if as_json else listing.status_text(values))
    return exit_code(values)


def keygen(file: Path) -> None:
    """Make a key and say where its public half goes."""
    public = keyring.make_key(file)
    click.echo(
        f"{file}: a private key; keep it off the gates, and keep a copy in a safe place.\n"
        f"Its id is {keyring.key_id(public)}. Into the configuration of every gate:\n\n"
        f'[updates]\nkeys = ["{public}"]'
    )


def sign(file: Path, key: Path, out: Path | None) -> None:
    """Sign a model file."""
    secret = keyring.read_private_key(key)
    model = read_model(file)
    content = keyring.signed(read_bytes(file), secret, str(file))
    try:
        write_whole(out or file, content)
    except OSError as error:
        raise OutputError(
            f"cannot write {out or file}: {error.strerror or error}; name a file with --out"
        ) from error
    _, signature = keyring.split(content)
    name = signature.key if signature is not None else ""
    click.echo(f"{out or file}: {model.card.name} {model.card.version}, signed by {name}")


def verify(file: Path, keys: tuple[str, ...], config: str | None) -> None:
    """Check a signature."""
    chosen = keys or _settings(config, None)[0].keys
    if not chosen:
        raise UsageError(
            "no key is configured, so any signature would do; name one with --public"
        )
    model = read_model(file)
    key = keyring.signer(read_bytes(file), chosen, str(file))
    click.echo(f"{file}: {model.card.name} {model.card.version} is signed by {key}")


def _opened(
    config: str | None, folder: str | None
) -> tuple[Store, UpdateSettings, dict[Kind, ModelFile]]:
    settings, named = _settings(config, folder)
    released = {
        kind: read_model(path or released_model(kind), kind) for kind, path in named.items()
    }
    return Store(settings.root()), settings, released


def _settings(
    config: str | None, folder: str | None
) -> tuple[UpdateSettings, dict[Kind, str]]:
    from edge.config import default_config, read_config

    try:
        usual = str(USUAL_CONFIG) if USUAL_CONFIG.is_file() else None
    except OSError:
        usual = None
    path = config or usual
    whole = read_config(path) if path is not None else default_config()
    settings = replace(whole.updates, folder=folder) if folder else whole.updates
    named = (whole.models.detector, whole.models.classifier)
    return settings, dict(zip(KINDS, named, strict=True))


def _with_running(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return *values* with what the gate at work wrote of itself into its status file."""
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        for kind, model in values["models"].items():
            theirs = written["models"][kind]
            if theirs["sha256"] == model["sha256"]:
                model["running"] = theirs["running"]
        values["activity"] = written["activity"]
    except (OSError, ValueError, KeyError, TypeError, MaskgateError):
        pass
    return values
