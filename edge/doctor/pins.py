"""The pins: there, free, doing as they are told; and, on demand, to be seen and heard."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace

from edge.alerts.kinds import find_kind
from edge.alerts.opening import settle
from edge.alerts.pins import Pins
from edge.alerts.player import PinOutput
from edge.alerts.settings import OutputSettings
from edge.board.reading import read_text
from edge.doctor.context import Context
from edge.doctor.finding import Finding, failure, ok, skipped, together, warning
from edge.doctor.past import newest_of, when
from edge.errors import MaskgateError
from edge.gate.policy import GateState

OUTPUT_SECONDS = 1.0
"""How long each output is on with ``--outputs``."""

_SHOWN: Mapping[str, tuple[str, ...]] = {
    "buzzer": ("0.2/0.2",), "led": ("0.2/0.2",), "tonal_buzzer": ("A5 0.2/0.2",),
    "rgb_led": ("red", "green", "blue"), "traffic_lights": ("red", "amber", "green"),
    "relay": ("pulse 1",),
}
_LIMIT = 2.0  # seconds; whatever happens here, an output is off after that


def check_pins(ctx: Context) -> Finding:
    """Open every output, set each pin and read it; with --outputs, show each for a second."""
    outputs = ctx.settings().outputs
    if not outputs:
        return skipped("no outputs are configured")
    if ctx.service.running:
        return _as_the_service_says(ctx)
    try:
        with elsewhere():
            pins = ctx.open_pins()
    except MaskgateError as error:
        return failure(str(error))
    parts = [_one(ctx, name, settings, pins) for name, settings in outputs.items()]
    # Left as the gate itself would leave them: never floating.
    with contextlib.suppress(MaskgateError):
        settle(outputs, pins, GateState.SHUTDOWN)
    parts.append(_back_end(ctx, pins))
    found = together(*parts)
    if pins.mock and found.level == "ok":
        return skipped(f"{pins.why}, so that none was driven")
    return found


@contextlib.contextmanager
def elsewhere() -> Iterator[None]:
    """Be in an empty folder for the time of the block; it is gone afterwards.

    lgpio makes a pipe in the folder that it is loaded in, leaves it there, and drives no pin
    where it cannot.
    """
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        with tempfile.TemporaryDirectory(prefix="maskgate-doctor-") as folder:
            os.chdir(folder)
            try:
                yield
            finally:
                os.fchdir(before)
    finally:
        os.close(before)


def _one(ctx: Context, name: str, settings: OutputSettings, pins: Pins) -> Finding:
    numbers = ", ".join(str(pin) for pin in settings.pins)
    what = f"{name} on GPIO {numbers}"
    # Where pins are only pretended there is nothing to see, and nobody is told to look.
    shows = ctx.wishes.outputs and not pins.mock
    patterns = _SHOWN.get(settings.kind, ()) if shows else ()
    if shows and not patterns:
        # Another package's kind: what it shows for an alarm is what it is for.
        patterns = (find_kind(settings.kind).states[GateState.ALARM],)
    try:
        # Set high and low for less than a millisecond each, except for what must not be, such
        # as a relay.
        output = PinOutput(name, _at_work(settings, "off"), replace(pins, read_back=True))
        output.close()
        if patterns:
            ctx.say(f"now: {settings.kind} {what}, for {OUTPUT_SECONDS:g} second")
        for pattern in patterns:
            output = PinOutput(name, _at_work(settings, pattern), pins)
            try:
                output.show(GateState.ALARM)
                ctx.sleep(OUTPUT_SECONDS / len(patterns))
            finally:
                output.close()
    except MaskgateError as error:
        return failure(str(error))
    return ok(f"{what} {'was on' if patterns else 'does as it is told'}")


def _at_work(settings: OutputSettings, alarm: str) -> OutputSettings:
    return replace(settings, max_on_seconds=_LIMIT, states={"alarm": alarm})


def _back_end(ctx: Context, pins: Pins) -> Finding:
    if not pins.mock:
        return ok(f"through {pins.why}")
    if ctx.environ.get("GPIOZERO_PIN_FACTORY") == "mock":
        return warning("GPIOZERO_PIN_FACTORY is mock: no real pin was driven", "unset it")
    board = read_text(ctx.root / "proc/device-tree/model")
    if board:
        return warning(
            f"this {board} has no pins that gpiozero knows: the gate would ring nothing",
            "install the board's pin library, or use a Raspberry Pi or a Jetson",
        )
    return ok("on mock pins")


def _as_the_service_says(ctx: Context) -> Finding:
    newest = newest_of(ctx, ("started", "output_fault", "output_recovered"))
    advice = "sudo maskgate doctor --stop-service --outputs tries them"
    if isinstance(newest, str):
        return skipped(f"the service has them ({newest})", advice)
    if newest is not None and newest.kind == "output_fault":
        return failure(
            f"the service has them and has told of a fault since {when(newest)}: {newest.detail}",
            advice,
        )
    if ctx.wishes.outputs:
        return skipped("the service has them, so that none was switched on", advice)
    return ok("the service has them and tells of no fault")
