"""A buzzer and a light on GPIO pins through gpiozero, or on its mock pins where there are none.

Wiring, by BCM numbers: an active buzzer's + to GPIO 17 and its - to ground; the light's longer
leg through a 330 ohm resistor to GPIO 27 and its shorter leg to ground.  A buzzer that draws
more than 16 mA needs a transistor.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gpiozero
from gpiozero.pins.mock import MockFactory

from edge.alerts.outputs import BUZZER, LED, OFF, Pattern
from edge.errors import OutputError
from edge.gate.policy import GateState

_MODEL_FILE = Path("/proc/device-tree/model")


@dataclass(frozen=True, slots=True)
class Pins:
    """The pins that are driven: gpiozero's *factory*, whether it is a *mock*, and why."""

    factory: Any
    mock: bool
    why: str


@dataclass(frozen=True, slots=True)
class PinChange:
    """A pin that went *on* or off, *seconds* after it was set up."""

    seconds: float
    on: bool


def choose_pins(*, pretend: bool = False, model_file: Path = _MODEL_FILE) -> Pins:
    """Return the pins of this machine, or gpiozero's mock pins where it has none.

    *pretend* takes mock pins in any case, as does ``GPIOZERO_PIN_FACTORY=mock``; another name
    in that variable is used or fails.  A board that has pins which cannot be used fails too: a
    gate that quietly rings nothing is worse than none.  Raises OutputError for those two.
    """
    if pretend:
        return Pins(MockFactory(), True, "as asked for")
    try:
        # gpiozero warns once per pin library that is not there; only the outcome matters.
        with warnings.catch_warnings(record=True) as fallbacks:
            warnings.simplefilter("always")
            gpiozero.Device.ensure_pin_factory()
    except Exception as error:  # pin libraries raise what they like, from ImportError to their own
        named = os.environ.get("GPIOZERO_PIN_FACTORY")
        if named:
            raise OutputError(
                f"GPIOZERO_PIN_FACTORY is {named!r}, which gpiozero cannot use here ({error}); "
                "unset it, or set it to mock"
            ) from None
        board = _board(model_file)
        if "Raspberry Pi" in board:
            reasons = "; ".join(str(w.message) for w in fallbacks) or str(error)
            raise OutputError(
                f"the pins of this {board} cannot be used ({reasons}); install python3-lgpio, "
                "add this user to the group 'gpio', or run with --no-pins"
            ) from None
        return Pins(MockFactory(), True, "this machine has no GPIO pins that gpiozero knows")
    factory: Any = gpiozero.Device.pin_factory
    mock = isinstance(factory, MockFactory)
    why = "gpiozero was told to use its mock" if mock else type(factory).__name__
    return Pins(factory, mock, why)


class PinOutput:
    """One output on one pin, showing *patterns*, never on for longer than *max_on_seconds*.

    One that *sounds* is off while the gate is muted.  Every pattern is handed to gpiozero with
    an end, so that it stops even if this program's main loop hangs.  Raises OutputError when
    the pin does not exist or is taken.
    """

    def __init__(
        self,
        name: str,
        kind: type[gpiozero.DigitalOutputDevice],
        pin: int,
        patterns: Mapping[GateState, Pattern],
        pins: Pins,
        *,
        sounds: bool = False,
        max_on_seconds: float = 60.0,
    ) -> None:
        self.name = name
        self.pin = pin
        self.sounds = sounds
        self._patterns = patterns
        self._limit = max_on_seconds
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._device = kind(pin, pin_factory=pins.factory)
        except Exception as error:  # see choose_pins
            raise OutputError(
                f"{name}: GPIO {pin} cannot be used ({type(error).__name__}: {error}); "
                "choose a free pin by its BCM number"
            ) from None
        self._mock = self._device.pin if pins.mock else None
        if self._mock is not None:
            self._mock.clear_states()

    def show(self, state: GateState, muted: bool = False) -> None:
        pattern = OFF if muted and self.sounds else self._patterns[state]
        on, off, repeats = pattern.times(self._limit)
        if repeats == 0:
            self._device.off()
        else:
            self._device.blink(on_time=on, off_time=off, n=repeats)

    def close(self) -> None:
        if not self._device.closed:
            self._device.off()
            self._device.close()

    @property
    def history(self) -> tuple[PinChange, ...]:
        """What a mock pin recorded, from set-up on; empty for a real pin."""
        changes = []
        seconds = 0.0
        for state in self._mock.states if self._mock is not None else ():
            seconds += state.timestamp
            changes.append(PinChange(seconds, bool(state.state)))
        return tuple(changes)


def buzzer_and_led(
    pins: Pins, *, buzzer_pin: int, led_pin: int, max_on_seconds: float = 60.0
) -> tuple[PinOutput, PinOutput]:
    """Return the buzzer on *buzzer_pin* and the light on *led_pin* (BCM numbers), both off.

    Raises OutputError when a pin does not exist or both are the same.
    """
    if buzzer_pin == led_pin:
        raise OutputError(f"buzzer and LED are both on GPIO {led_pin}; give them two pins")
    limit = max_on_seconds
    buzzer = PinOutput(
        "buzzer", gpiozero.Buzzer, buzzer_pin, BUZZER, pins, sounds=True, max_on_seconds=limit
    )
    try:
        led = PinOutput("LED", gpiozero.LED, led_pin, LED, pins, max_on_seconds=limit)
    except OutputError:
        buzzer.close()
        raise
    return buzzer, led


def _board(model_file: Path) -> str:
    try:
        return model_file.read_text(errors="replace").strip("\0\n ")
    except OSError:
        return ""

