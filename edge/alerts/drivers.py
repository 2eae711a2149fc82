"""gpiozero's devices behind one small interface: set a level, tell the pins, give them back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gpiozero
from gpiozero.tones import Tone

from edge.alerts.kinds import TONE_MIDDLE, TONE_OCTAVES


class OnePin:
    """gpiozero's device called *name* on one pin: a buzzer, a light, a relay."""

    def __init__(self, name: str, pins: Sequence[int], active_high: bool, factory: Any) -> None:
        device = getattr(gpiozero, name)
        self._device = device(pins[0], active_high=active_high, pin_factory=factory)
        self.pins = (self._device.pin,)

    def set(self, level: int) -> None:
        self._device.value = level

    def close(self) -> None:
        self._device.close()


class ColorLight:
    """gpiozero's RGBLED in its seven pure colours.

    Switched, not dimmed: software PWM in this program would flicker while the networks work,
    and a Jetson has PWM on three pins at most.
    """

    def __init__(self, pins: Sequence[int], active_high: bool, factory: Any) -> None:
        self._device = gpiozero.RGBLED(
            *pins, active_high=active_high, pwm=False, pin_factory=factory
        )
        self.pins = tuple(factory.pin(pin) for pin in pins)

    def set(self, level: tuple[int, int, int]) -> None:
        self._device.value = level

    def close(self) -> None:
        self._device.close()


class ThreeLights:
    """gpiozero's TrafficLights, red, amber and green."""

    def __init__(self, pins: Sequence[int], active_high: bool, factory: Any) -> None:
        # TrafficLights knows no lights that a low level switches on.  Begun high and then turned
        # over, each is off from the first moment.
        self._device = gpiozero.TrafficLights(
            *pins, initial_value=not active_high, pin_factory=factory
        )
        for light in self._device.leds:
            light.active_high = active_high
        self.pins = tuple(light.pin for light in self._device.leds)

    def set(self, level: tuple[int, int, int]) -> None:
        self._device.value = level

    def close(self) -> None:
        self._device.close()


class Tones:
    """gpiozero's TonalBuzzer; a level is a frequency in hertz, None is silence."""

    def __init__(self, pins: Sequence[int], factory: Any) -> None:
        self._device = gpiozero.TonalBuzzer(
            pins[0], mid_tone=Tone(TONE_MIDDLE), octaves=TONE_OCTAVES, pin_factory=factory
        )
        self.pins = (self._device.pwm_device.pin,)

    def set(self, level: float | None) -> None:
        if level is None:
            self._device.stop()
            # A PWM that stops may leave the pin high, and a coil would warm up in silence.
            self.pins[0].state = False
        else:
            self._device.play(Tone.from_frequency(level))

    def close(self) -> None:
        self._device.close()
