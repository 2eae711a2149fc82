"""``maskgate off``: leaves every output as it should be when no gate is at work."""

from __future__ import annotations

import os
from collections.abc import Mapping

import click

_EXIT_CODES = """\b
Exit codes:
  0  every output is left as the configuration says
  2  a configuration or option that is not allowed
  5  an output that cannot be driven; the others are left as they should be
"""


@click.command("off", epilog=_EXIT_CODES, short_help="Switch the outputs off.")
@click.option(
    "--config",
    metavar="FILE",
    envvar="MASKGATE_CONFIG",
    help="The gate's configuration. The default is MASKGATE_CONFIG, and without that a buzzer "
    "on GPIO 17 and a light on GPIO 27. What the gate noted in $RUNTIME_DIRECTORY, as a service "
    "does, goes before it.",
)
@click.option(
    "--state",
    type=click.Choice(["shutdown", "crash"]),
    help="Which of the configured states to leave. The default goes by systemd's "
    "SERVICE_RESULT, and is shutdown without that.",
)
@click.option("--no-pins", is_flag=True, help="Drive gpiozero's mock pins, to see what it does.")
def off(config: str | None, state: str | None, no_pins: bool) -> None:
    """Leave every output at its level for shutdown or crash, which is off unless configured.

    systemd calls this after every end of the service, also one by SIGKILL: a pin keeps its last
    level when the program that drove it is gone.
    """
    from edge.alerts.noted import noted_outputs
    from edge.alerts.opening import settle
    from edge.alerts.pins import choose_pins
    from edge.config import default_config, read_config
    from edge.gate.policy import GateState

    # What was driven, whatever has become of the configuration since.
    outputs = noted_outputs(os.environ)
    if outputs is None:
        outputs = (default_config() if config is None else read_config(config)).outputs
    left = GateState(state or after(os.environ))
    pins = choose_pins(pretend=no_pins)
    if pins.mock:
        click.echo(f"No real pins ({pins.why}): these are gpiozero's mock pins.", err=True)
    for name, level in settle(outputs, pins, left).items():
        click.echo(f"{name}: {level} ({left.value})")


def after(environ: Mapping[str, str]) -> str:
    """Return how the service ended, "shutdown" or "crash", by what systemd says in *environ*.

    systemd.exec(5): ``SERVICE_RESULT`` is "success" after an end in good order, and else a word
    for what went wrong, such as "signal", "watchdog" or "exit-code".
    """
    return "shutdown" if environ.get("SERVICE_RESULT", "success") == "success" else "crash"
