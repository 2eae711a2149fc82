"""``python -m train.studio.promote``: from a run's model file to a release.

The network stays the one that was measured, weight for weight: only its version and origin are
written anew, so that parity and self-test go on being true, and no data are needed.
"""

from __future__ import annotations

import base64
import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click
import msgspec

from convert.cardtext import card_text
from edge.errors import MaskgateError, ModelError, UsageError
from edge.files import write_whole
from edge.modelfile import ModelFile, parts_of, read_bytes, read_model
from edge.modelstore import keys
from edge.rim import Rim
from edge.vision.classifier import LOGITS
from edge.vision.selftest import run_self_test
from train.studio import releases
from train.studio.releases import Facts, Release
from train.studio.runs import read_json
from train.studio.tracking import chosen_uri, mark_released

_FILE = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is promoted: *model* as *version*, with *notes* (Markdown on sources and weaknesses).

    *evaluation* is what was measured on the file, None for nothing.  *secret* are the 32 bytes of
    an Ed25519 key, None for a release without a signature.
    """

    model: ModelFile
    version: int
    notes: str = ""
    evaluation: Mapping[str, Any] | None = None
    secret: bytes | None = None


def promote(runs: Path, wish: Wish, now: datetime) -> Release:
    """Put the release that is wished for into its folder below *runs*, whole; return it.

    *now* is the time it bears.  Raises UsageError for a version that is not above all others of
    its kind, ModelError for a model that fails its self-test, OutputError where it cannot be
    written; then there is no folder.
    """
    card = wish.model.card
    releases.check_version(runs, card.kind, wish.version)
    at = now.astimezone(timezone.utc).isoformat(timespec="seconds")
    run = wish.model.path.resolve().parent.name
    content = restamped(wish.model, wish.version, {"released": at, "released_from": run})
    public = ""
    with tempfile.TemporaryDirectory() as place:
        trial = Path(place) / wish.model.path.name
        trial.write_bytes(content)
        run_self_test(read_model(trial, card.kind))
    if wish.secret is not None:
        public = public_key(wish.secret)
        content = keys.signed(content, wish.secret, str(wish.model.path))
        # As a gate does that has this key under [updates].
        keys.signer(content, [public], str(wish.model.path))
    sha256 = hashlib.sha256(content).hexdigest()
    facts = Facts(
        card.kind, wish.version, card.name, sha256, at, run,
        keys.key_id(public) if public else "", public, wish.notes,
    )
    folder = releases.folder_of(runs, card.kind, wish.version)
    with releases.appearing(folder) as inner:
        file = Release(inner, facts).model
        write_whole(file, content)
        text = card_text(read_model(file, card.kind), wish.notes, wish.evaluation)
        write_whole(file.with_suffix(".md"), text)
        write_whole(inner / releases.SUMS_NAME, f"{sha256}  {file.name}\n")
        write_whole(
            inner / releases.FACTS_NAME, msgspec.json.format(msgspec.json.encode(facts), indent=1)
        )
    return Release(folder, facts)


def restamped(model: ModelFile, version: int, origin: Mapping[str, str]) -> bytes:
    """Return the file of *model* with *version*, and *origin* in its provenance; unsigned.

    Raises UsageError where the libraries that write model files are not installed.
    """
    try:
        from convert.modelwriter import assemble
        from convert.release import described
    except ModuleNotFoundError as error:
        raise UsageError(
            f"a release needs {error.name}; install it with: pip install 'maskgate[train]'"
        ) from None
    _, network = parts_of(read_bytes(model.path), model.path)
    card = replace(model.card, version=version, provenance={**model.card.provenance, **origin})
    labelled = LOGITS if card.kind == "mask-classifier" else None
    return assemble(network, card, described(network), labelled)


def public_key(secret: bytes) -> str:
    """Return the public key that belongs to the 32 *secret* bytes, as a gate is given it."""
    from nacl.signing import SigningKey

    return keys.PUBLIC_PREFIX + base64.b64encode(bytes(SigningKey(secret).verify_key)).decode()


@click.group(cls=Rim, program="python -m train.studio.promote")
def main() -> None:
    """Promote a run to a release."""


@main.command()
@click.option("--model", required=True, type=_FILE, metavar="FILE", help="The .tflite of a run.")
@click.option("--runs", default=Path("runs"), type=_FILE, metavar="DIR", show_default=True,
              help="Folder of the runs; the release goes into releases/ there.")
@click.option("--release-version", "version", type=click.IntRange(1, 10**6), metavar="N",
              help="Only ever grows. Default: one above the newest released of its kind.")
@click.option("--notes", type=_FILE, metavar="FILE",
              help="Markdown on sources and known weaknesses, for the card.")
@click.option("--evaluation", type=_FILE, metavar="FILE",
              help="JSON that `python -m train evaluate` wrote for the model, for the card.")
@click.option("--signing-key", "key", type=_FILE, metavar="FILE",
              help="Private key, as `maskgate model keygen` writes it. Default: no signature.")
@click.option("--tracking", metavar="URI",
              help="MLflow's store, to mark the run there. Default: the studio's, or none.")
def release(
    model: Path, runs: Path, version: int | None, notes: Path | None, evaluation: Path | None,
    key: Path | None, tracking: str | None,
) -> None:
    """Release the model of a run: versioned, with its card, and signed."""
    uri = chosen_uri(tracking)
    file = read_model(model)
    wish = Wish(
        file,
        version or releases.newest_version(runs, file.card.kind) + 1,
        _text(notes),
        _evaluation(evaluation),
        keys.read_private_key(key) if key is not None else None,
    )
    done = promote(runs, wish, datetime.now(timezone.utc))
    facts = done.facts
    click.echo(f"released {done.title} in {done.folder}")
    click.echo(f"sha256 {facts.sha256}")
    click.echo(f"signed by {facts.key}" if facts.key else "not signed: no --signing-key was given")
    if facts.public:
        click.echo(f'gates that take only such models have [updates] keys = ["{facts.public}"]')
    _mark(model.parent, done, uri)


def _text(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as text: {error}") from error
    if len(text) > releases.LONGEST_NOTES:
        raise UsageError(
            f"{path} has {len(text)} letters; {releases.LONGEST_NOTES} are allowed"
        )
    return text


def _evaluation(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    found = read_json(path)
    if not found:
        raise ModelError(f"{path} holds no evaluation; make one with `python -m train evaluate`")
    return found


def _mark(run: Path, done: Release, uri: str) -> None:
    if not uri:
        return
    try:
        for line in mark_released(run, done, uri):
            click.echo(line)
    except MaskgateError as error:
        # The release stands; what tells of it can be caught up on.
        click.echo(f"not marked in MLflow: {error}")


if __name__ == "__main__":
    main()
