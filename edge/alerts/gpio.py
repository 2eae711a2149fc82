"""The buzzer and the light that a gate has when nothing else is configured."""

from __future__ import annotations

from edge.alerts.opening import open_outputs
from edge.alerts.pins import PinChange, Pins, choose_pins
from edge.alerts.player import PinOutput
from edge.alerts.settings import OutputSettings

__all__ = ["PinChange", "PinOutput", "Pins", "buzzer_and_led", "choose_pins"]


def buzzer_and_led(
    pins: Pins, *, buzzer_pin: int, led_pin: int, max_on_seconds: float = 60.0
) -> tuple[PinOutput, ...]:
    """Return the buzzer on *buzzer_pin* and the light on *led_pin* (BCM numbers), both off.

    Raises UsageError for a pin out of range, OutputError when both are the same or one cannot
    be used.
    """
    settings = {
        "buzzer": OutputSettings("buzzer", (buzzer_pin,)),
        "LED": OutputSettings("led", (led_pin,)),
    }
    return open_outputs(settings, pins, max_on_seconds=max_on_seconds)
