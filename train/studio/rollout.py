"""``python -m train.studio.rollout``: one gate, wait until it trusts the model, then the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from edge.errors import DataError, MaskgateError, OutputError, SourceError
from edge.modelfile import ModelFile, read_model
from edge.rim import Rim
from train.studio.gates import (
    GateSettings,
    gate_status,
    last_number,
    model_of,
    order_of,
    outcome,
    read_fleet,
    send_model,
)

PATIENCE = 1800.0
"""Seconds for a gate to take a model in and trust it; probation alone takes ten minutes."""

_SILENT_TRIES = 10
_LOOK_AGAIN = 5.0


@dataclass(frozen=True, slots=True)
class World:
    """What a roll-out does to the world and asks of it; a test brings its own."""

    send: Callable[[GateSettings, ModelFile], str] = send_model
    status: Callable[[GateSettings], dict[str, Any]] = gate_status
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def roll_out(
    gates: Mapping[str, GateSettings], order: Sequence[str], model: ModelFile, world: World,
    patience: float = PATIENCE, look_again: float = _LOOK_AGAIN,
) -> Iterator[str]:
    """Send *model* to the first gate of *order*, wait until it is trusted, then to the rest.

    Yields a line for each thing that happens.  Raises MaskgateError at the first gate that
    refuses it, rolls it back, or does not trust it within *patience* seconds; those after it keep
    what they have.
    """
    for place, name in enumerate(order):
        yield from _one(name, gates[name], model, world, patience, look_again)
        left = len(order) - place - 1
        if left:
            yield f"{left} to go"
    yield f"done: {len(order)} gates trust {model.card.name} {model.card.version}"


def _one(
    name: str, gate: GateSettings, model: ModelFile, world: World, patience: float,
    look_again: float,
) -> Iterator[str]:
    kind = model.card.kind
    status = world.status(gate)
    before, sent = last_number(status), ""
    if model_of(status, kind).get("sha256") == model.sha256:
        yield f"{name}: has it already"
    else:
        has = model_of(status, kind).get("version")
        if isinstance(has, int) and has >= model.card.version:
            raise DataError(
                f"{name}: runs version {has}; a newer one than {model.card.version} is needed"
            )
        sent = world.send(gate, model)
        yield f"{name}: sent as {sent}"
    until, told, silent = world.clock() + patience, "", 0
    while True:
        try:
            how, words = outcome(world.status(gate), kind, model.sha256, sent, before)
            silent = 0
        except (SourceError, OutputError) as error:
            silent += 1
            if silent >= _SILENT_TRIES:
                raise
            how, words = "waiting", str(error)
        if words != told:
            yield f"{name}: {words}"
            told = words
        if how == "trusted":
            return
        if how == "failed":
            raise DataError(f"{name}: {words}; the roll-out stops here, the old model runs")
        if world.clock() > until:
            raise SourceError(
                f"{name}: does not trust it after {patience / 60:.0f} minutes ({words}); the "
                "roll-out stops here"
            )
        world.sleep(look_again)


@click.group(cls=Rim, program="python -m train.studio.rollout")
def main() -> None:
    """Bring a model to the gates, one first."""


@main.command()
@click.option("--gates", required=True, type=click.Path(path_type=Path), metavar="FILE")
@click.option("--model", required=True, type=click.Path(path_type=Path), metavar="FILE")
@click.option("--first", required=True, metavar="NAME", help="The gate that tries it.")
@click.option("--to", "names", multiple=True, metavar="NAME", help="Default: every gate.")
@click.option("--patience", type=click.FloatRange(1), default=PATIENCE, show_default=True)
def start(
    gates: Path, model: Path, first: str, names: tuple[str, ...], patience: float
) -> None:
    """Send --model to --first, wait until it is trusted there, then to the rest."""
    fleet = read_fleet(gates)
    takers = fleet.takers
    unknown = sorted(set(names) - set(takers))
    if unknown:
        raise DataError(
            f"{gates}: has no gate {unknown[0]} with a folder of models; it has "
            f"{', '.join(takers) or 'none'}"
        )
    order = order_of(list(names or takers), first)
    try:
        for line in roll_out(fleet.gates, order, read_model(model), World(), patience):
            click.echo(line)
    except MaskgateError as error:
        click.echo(f"stopped: {error}")
        raise


if __name__ == "__main__":
    main()
