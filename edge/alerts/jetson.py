"""A Jetson's header as a pin factory of gpiozero, over NVIDIA's library Jetson.GPIO.

A factory, not outputs of its own: every kind of output then works unchanged, and so does
whatever is tested with gpiozero's mock pins.  The header has the Raspberry Pi's layout, and
Jetson.GPIO takes BCM numbers for its positions, so gpiozero's map of a Pi's header is right.
Outputs only: no edges, no pulls.  PWM is the chip's own, on the pins that have it.
"""

from __future__ import annotations

import importlib
import time
from typing import Any

from gpiozero import PinInvalidFunction, PinPWMUnsupported, PinSetInput
from gpiozero.pins.pi import PiFactory, PiPin

from edge.errors import OutputError

# Any Raspberry Pi with 40 pins; this is the 3B, gpiozero's own choice for its mock.
_HEADER_LIKE = 0xA02082


def open_jetson(board: str, library: str = "Jetson.GPIO") -> JetsonFactory:
    """Return the pins of *board*, whose model that names, through *library*.

    Raises OutputError when it is not installed or refuses to work here.
    """
    try:
        return JetsonFactory(importlib.import_module(library))
    except Exception as error:  # it raises RuntimeError for rights, Exception for the model
        raise OutputError(
            f"the pins of this {board or 'board'} cannot be used ({error}); install {library}, "
            "add this user to the group 'gpio', or run with --no-pins"
        ) from None


class JetsonFactory(PiFactory):  # type: ignore[misc]  # gpiozero has no type hints
    """The pins of a Jetson's 40-pin header by their BCM numbers; *gpio* is Jetson.GPIO."""

    def __init__(self, gpio: Any) -> None:
        super().__init__()
        self.gpio = gpio
        self.pin_class = JetsonPin
        # It warns of pins that an earlier program left set up, which a crash does.
        gpio.setwarnings(False)
        gpio.setmode(gpio.BCM)

    def _get_revision(self) -> int:
        return _HEADER_LIKE

    @staticmethod
    def ticks() -> float:
        return time.monotonic()

    @staticmethod
    def ticks_diff(later: float, earlier: float) -> float:
        return later - earlier


class JetsonPin(PiPin):  # type: ignore[misc]  # gpiozero has no type hints
    """One pin of a Jetson.  It is not touched before it is used."""

    def __init__(self, factory: JetsonFactory, info: Any) -> None:
        super().__init__(factory, info)
        self._gpio = factory.gpio
        self._direction = ""
        self._pwm: Any = None
        self._duty = 0.0
        self._hertz: float | None = None

    def close(self) -> None:
        self._set_frequency(None)
        if self._direction:
            self._gpio.cleanup(self._number)
            self._direction = ""

    def output_with_state(self, state: bool) -> None:
        self._set_up(bool(state))

    def _set_up(self, high: bool) -> None:
        gpio = self._gpio
        # Always with a level: without one Jetson.GPIO begins an output high.
        gpio.setup(self._number, gpio.OUT, initial=gpio.HIGH if high else gpio.LOW)
        self._direction = "output"

    def _get_function(self) -> str:
        return self._direction or "input"

    def _set_function(self, value: str) -> None:
        if value == "output":
            self._set_up(False)
        elif value == "input":
            self._gpio.setup(self._number, self._gpio.IN)
            self._direction = "input"
        else:
            raise PinInvalidFunction(f"invalid function {value!r} for pin {self!r}")

    def _get_state(self) -> float | bool:
        if self._pwm is not None:
            return self._duty
        return bool(self._gpio.input(self._number))

    def _set_state(self, value: float) -> None:
        if self._pwm is not None:
            self._pwm.ChangeDutyCycle(value * 100)
            self._duty = float(value)
        elif self._get_function() == "input":
            raise PinSetInput(f"cannot set state of pin {self!r}")
        else:
            self._gpio.output(self._number, self._gpio.HIGH if value else self._gpio.LOW)

    def _get_frequency(self) -> float | None:
        return self._hertz

    def _set_frequency(self, value: float | None) -> None:
        if value is None:
            if self._pwm is not None:
                self._pwm.stop()
                self._pwm, self._duty = None, 0.0
                self._gpio.cleanup(self._number)
                self._set_up(False)
        elif self._pwm is None:
            try:
                self._pwm = self._gpio.PWM(self._number, value)
            except (ValueError, OSError) as error:
                raise PinPWMUnsupported(f"{self!r} of this Jetson has no PWM ({error})") from None
            self._pwm.start(0)
        else:
            self._pwm.ChangeFrequency(value)
        self._hertz = value
