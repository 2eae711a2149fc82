"""``maskgate model``: what a person or a fleet tool types about models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge.modelstore.state import KINDS
from edge.modelstore.status import EXIT_PENDING, EXIT_ROLLED_BACK
from edge.rim import Number

_EXIT_CODES = f"""\b
Exit codes:
  0    done; of status: every chosen model is trusted
  1    a bug in maskgate; MASKGATE_DEBUG=1 shows where
  2    an option, a key or a configuration that is not allowed
  4    the model file was refused, for the reason given
  5    the store, or a file, cannot be read or written
  {EXIT_PENDING}    of status: a new model is on probation; ask again later
  {EXIT_ROLLED_BACK}    of status: the last update was rolled back
  130  stopped by Ctrl-C; nothing is half done
"""


@click.group("model", epilog=_EXIT_CODES, short_help="Bring in, list and roll back models.")
def model() -> None:
    """See which models a gate has, bring in another, go back, and sign models.

    A gate at work follows within a few seconds; otherwise it counts from the next start on.
    """


def _where(command: Any) -> Any:
    options = (
        click.option(
            "--config", metavar="FILE",
            help="The gate's configuration. The default is /etc/maskgate/gate.toml where there is "
            "one, otherwise the defaults.",
        ),
        click.option(
            "--folder", metavar="FOLDER",
            help="The store. The default is the configuration's.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


_json = click.option("--json", "as_json", is_flag=True, help="Print JSON. The default is a text.")
_file = click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
_kind = click.argument("kind", metavar="KIND", type=click.Choice(KINDS))


@model.command("list", epilog=_EXIT_CODES, short_help="List the models of this gate.")
@_where
@_json
def list_models(**options: Any) -> None:
    """List the released and the stored models of both kinds, and what happened last."""
    from edge.modelstore import actions

    actions.list_models(**options)


@model.command(epilog=_EXIT_CODES, short_help="Print what a model file says of itself.")
@_file
@_json
@click.option(
    "--all", "everything", is_flag=True,
    help="Every figure, and every setting of the training. The default is what fits a screen or "
    "two; --json has everything.",
)
def show(file: Path, as_json: bool, everything: bool) -> None:
    """Print the card of the model FILE; nothing of it is run."""
    from edge.modelstore import actions

    actions.show(file, as_json, everything)


@model.command(epilog=_EXIT_CODES, short_help="Bring in a model file.")
@_file
@_where
@_json
@click.option(
    "--allow-downgrade", is_flag=True,
    help="Take a version that is not newer than the one that runs; the journal will say so. "
    "The default is to refuse it.",
)
@click.option(
    "--again", is_flag=True,
    help="Take a model that was rolled back before. The default is to refuse it.",
)
def install(**options: Any) -> None:
    """Check the model FILE, try it here, and let the gate run it on probation.

    It is safe to repeat: what runs already is left alone.
    """
    from edge.modelstore import actions

    actions.install(**options)


@model.command(epilog=_EXIT_CODES, short_help="Go back to the model before this one.")
@_kind
@_where
def rollback(**options: Any) -> None:
    """Go back from the model of KIND to the one before it, down to the released one.

    It is not taken again by itself; `install --again` brings it back. KIND is face-detector or
    mask-classifier.
    """
    from edge.modelstore import actions

    actions.rollback(**options)


@model.command(epilog=_EXIT_CODES, short_help="Keep the model that runs, whatever is copied in.")
@_kind
@click.option("--off", is_flag=True, help="Let updates in again. The default is to keep them out.")
@_where
def pin(**options: Any) -> None:
    """Refuse every new model of KIND, face-detector or mask-classifier, until `--off`."""
    from edge.modelstore import actions

    actions.pin(**options)


@model.command(epilog=_EXIT_CODES, short_help="Say how the last update stands.")
@_where
@_json
@click.option(
    "--wait", type=Number(0, 86_400), default=0, metavar="S",
    help="Wait up to so many seconds for the end of probation, 0 to 86400. The default is 0.",
)
def status(**options: Any) -> int:
    """Say which models are chosen and how the last update stands, also by the exit code."""
    from edge.modelstore import actions

    return actions.status(**options)


@model.command(epilog=_EXIT_CODES, short_help="Make a key to sign models with.")
@_file
def keygen(file: Path) -> None:
    """Write a new private key to FILE, for its owner's eyes only, and print its public key."""
    from edge.modelstore import actions

    actions.keygen(file)


@model.command(epilog=_EXIT_CODES, short_help="Sign a model file.")
@_file
@click.option(
    "--key", required=True, metavar="KEYFILE", type=click.Path(path_type=Path),
    help="The private key, as keygen wrote it.",
)
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path),
    help="Write the signed file here. The default is to replace FILE.",
)
def sign(file: Path, key: Path, out: Path | None) -> None:
    """Put a signature into the model FILE; one that is in it already is replaced."""
    from edge.modelstore import actions

    actions.sign(file, key, out)


@model.command(epilog=_EXIT_CODES, short_help="Check a model file's signature.")
@_file
@click.option(
    "--public", "keys", multiple=True, metavar="KEY",
    help="A public key, as keygen prints it; may be given several times. The default is the keys "
    "of the configuration.",
)
@click.option("--config", metavar="FILE", help="The gate's configuration, as of install.")
def verify(file: Path, keys: tuple[str, ...], config: str | None) -> None:
    """Say with which key the model FILE is signed; refuse one that none of the keys signed."""
    from edge.modelstore import actions

    actions.verify(file, keys, config)
