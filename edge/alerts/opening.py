"""From the configuration to outputs at work, and to outputs that are left as they should be."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

from edge.alerts.kinds import RESTING
from edge.alerts.pins import Pins
from edge.alerts.player import PinOutput
from edge.alerts.settings import OutputSettings
from edge.errors import MaskgateError, OutputError, UsageError
from edge.gate.policy import GateState


def open_outputs(
    settings: Mapping[str, OutputSettings], pins: Pins, *, max_on_seconds: float = 60.0
) -> tuple[PinOutput, ...]:
    """Return the outputs of *settings*, by name, all off.

    *max_on_seconds* is the limit of sounds that have none configured: the gate's longest alarm
    and a little more.  All of them or none: raises OutputError for a pin that two outputs want
    and for one that cannot be used, and what was open by then is closed.
    """
    check_pins(settings)
    with ExitStack() as opened:
        outputs = []
        for name, one in settings.items():
            output = PinOutput(name, one, pins, max_on_seconds=max_on_seconds)
            opened.callback(output.close)
            outputs.append(output)
        opened.pop_all()
    return tuple(outputs)


def check_pins(settings: Mapping[str, OutputSettings]) -> None:
    """Raise OutputError, naming the outputs, for a pin that two of them want."""
    owners: dict[int, str] = {}
    for name, one in settings.items():
        for pin in one.pins:
            if pin in owners:
                raise OutputError(
                    f"outputs {owners[pin]} and {name} are both on GPIO {pin}; "
                    "give each pins of its own"
                )
            owners[pin] = name


def settle(
    settings: Mapping[str, OutputSettings], pins: Pins, state: GateState
) -> dict[str, str]:
    """Leave every output at its level for *state*, SHUTDOWN or CRASH, and give the pins back.

    This is for what cleans up behind a program that ended.  Returns what each output shows now,
    as in the configuration.  Every output is tried; raises OutputError, naming each that failed,
    after that, and UsageError for another state, which nobody would be left to end.
    """
    if state not in RESTING:
        allowed = ", ".join(one.value for one in RESTING)
        raise UsageError(f"state is {state.value}; outputs are left in: {allowed}")
    done: dict[str, str] = {}
    failed = []
    for name, one in settings.items():
        try:
            output = PinOutput(name, one, pins)
            try:
                output.show(state)
            finally:
                output.close()
        except MaskgateError as error:
            failed.append(str(error))
        except Exception as error:  # one broken output must not keep the others on
            failed.append(f"{name}: cannot be left ({type(error).__name__}: {error})")
        else:
            done[name] = str(one.patterns()[state])
    if failed:
        raise OutputError("; ".join(failed))
    return done
