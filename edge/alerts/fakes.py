"""Stand-ins for what is at the end of the wires that record how they were used.

They ship with the package, as gpiozero's mock pins do, so that whoever builds on maskgate can
test without hardware.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

# A Jetson Orin Nano's and NX's header, by BCM numbers, in Jetson.GPIO's own table.
ORIN_PINS = frozenset({4, 17, 18, 27, 22, 23, 24, 10, 9, 25, 11, 8, 7, 5, 6, 12, 13, 19, 16, 26,
                       20, 21})
ORIN_PWM_PINS = frozenset({12, 13, 22})


class FakeJetsonGPIO:
    """Jetson.GPIO, as far as outputs go, on a header with *pins*, *pwm_pins* among them.

    *calls* is what was asked of it, *levels* what each output has now, *states* every level
    that each was given, in turn.  What a pin in *stuck* is told never reaches it: it reads as
    low.  As the real one, it begins an output high where no level is given, and refuses what
    was not set up.
    """

    BCM, OUT, IN, HIGH, LOW = "BCM", 0, 1, 1, 0

    def __init__(
        self,
        pins: Collection[int] = ORIN_PINS,
        pwm_pins: Collection[int] = ORIN_PWM_PINS,
        stuck: Collection[int] = (),
    ) -> None:
        self.pins, self.pwm_pins, self.stuck = pins, pwm_pins, stuck
        self.mode: str | None = None
        self.calls: list[tuple[Any, ...]] = []
        self.directions: dict[int, int] = {}
        self.levels: dict[int, float] = {}
        self.states: dict[int, list[float]] = {}

    def setwarnings(self, state: bool) -> None:
        self.calls.append(("setwarnings", state))

    def setmode(self, mode: str) -> None:
        self.calls.append(("setmode", mode))
        self.mode = mode

    def setup(self, channel: int, direction: int, initial: int | None = None) -> None:
        self.calls.append(("setup", channel, direction, initial))
        self._check(channel)
        self.directions[channel] = direction
        if direction == self.OUT:
            self._drive(channel, self.HIGH if initial is None else initial)

    def output(self, channel: int, value: int) -> None:
        self.calls.append(("output", channel, value))
        if self.directions.get(channel) != self.OUT:
            raise RuntimeError("The GPIO channel has not been set up as an OUTPUT")
        self._drive(channel, value)

    def input(self, channel: int) -> int:
        self.calls.append(("input", channel))
        if channel not in self.directions:
            raise RuntimeError("You must setup() the GPIO channel first")
        return int(self.levels.get(channel, self.LOW))

    def cleanup(self, channel: int) -> None:
        self.calls.append(("cleanup", channel))
        self.directions.pop(channel, None)
        self.levels.pop(channel, None)

    def PWM(self, channel: int, frequency_hz: float) -> FakeJetsonPWM:
        self.calls.append(("PWM", channel, frequency_hz))
        self._check(channel)
        if channel not in self.pwm_pins:
            raise ValueError(f"Channel {channel} is not a PWM")
        self.directions.pop(channel, None)
        return FakeJetsonPWM(self, channel)

    def _check(self, channel: int) -> None:
        if self.mode is None:
            raise RuntimeError("Please set pin numbering mode")
        if channel not in self.pins:
            raise ValueError(f"Channel {channel} is invalid")

    def _drive(self, channel: int, value: float) -> None:
        self.levels[channel] = self.LOW if channel in self.stuck else value
        self.states.setdefault(channel, []).append(value)


class FakeJetsonPWM:
    """Jetson.GPIO's PWM on one pin of *gpio*, which records what is asked of it."""

    def __init__(self, gpio: FakeJetsonGPIO, channel: int) -> None:
        self._gpio = gpio
        self._channel = channel

    def start(self, duty_cycle_percent: float) -> None:
        self._gpio.calls.append(("start", self._channel, duty_cycle_percent))

    def ChangeFrequency(self, frequency_hz: float) -> None:
        self._gpio.calls.append(("ChangeFrequency", self._channel, frequency_hz))

    def ChangeDutyCycle(self, duty_cycle_percent: float) -> None:
        self._gpio.calls.append(("ChangeDutyCycle", self._channel, duty_cycle_percent))

    def stop(self) -> None:
        self._gpio.calls.append(("stop", self._channel))
