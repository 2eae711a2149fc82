"""The outputs of a gate as they are configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from edge.alerts.kinds import RESTING, find_kind
from edge.alerts.patterns import Pattern, parse_pattern
from edge.errors import UsageError
from edge.gate.policy import GateState

# What a 40-pin header has; 0 and 1 belong to the memory chip of an add-on board.
LOWEST_PIN, HIGHEST_PIN = 2, 27
_LEAST_LIMIT, _MOST_LIMIT = 0.05, 3600.0


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """One output, ``[outputs.NAME]``.

    kind            buzzer, tonal_buzzer, led, rgb_led, traffic_lights, relay, or a kind that
                    another package brings
    pins            the BCM numbers of its pins, 2 to 27; rgb_led: red, green, blue;
                    traffic_lights: red, amber, green; the others have one
    active_high     whether a high level switches it on; false for relay boards and lights that
                    are switched on by a low one; default true
    max_on_seconds  its limit: a sound or a relay is off so long after its state began, a light
                    so long after the program last confirmed its state; 0.05 to 3600; default
                    10, for sounds the longest alarm and a little more; longer, and a program
                    that hangs is noticed later
    states          patterns that differ from the kind's own: a state's name (idle, looking,
                    pass, alarm, camera_fault, software_fault, shutdown, crash) to what is shown
                    then, such as "red 0.25/0.25" (see :mod:`edge.alerts.patterns`); shutdown
                    and crash can be off, or for a light or relay a level that stays

    Raises UsageError for a value that is not allowed.
    """

    kind: str
    pins: tuple[int, ...]
    active_high: bool = True
    max_on_seconds: float | None = None
    states: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kind = find_kind(self.kind)
        if len(self.pins) != len(kind.pin_names):
            names = ", ".join(kind.pin_names).strip(", ")
            raise UsageError(
                f"pins is {list(self.pins)}; {self.kind} needs {len(kind.pin_names)}"
                + (f": {names}" if names else "")
            )
        for pin in self.pins:
            if not LOWEST_PIN <= pin <= HIGHEST_PIN:
                raise UsageError(
                    f"pins has {pin}; allowed: BCM numbers from {LOWEST_PIN} to {HIGHEST_PIN}"
                )
            if self.pins.count(pin) > 1:
                raise UsageError(f"pins is {list(self.pins)}, {pin} twice; give each its own")
        if not self.active_high and not kind.inverts:
            raise UsageError(
                f"active_high is false; a {self.kind} has none such: drive it by a transistor"
            )
        if self.max_on_seconds is not None and not (
            _LEAST_LIMIT <= self.max_on_seconds <= _MOST_LIMIT
        ):
            raise UsageError(
                f"max_on_seconds is {self.max_on_seconds:g}; allowed: {_LEAST_LIMIT:g} to "
                f"{_MOST_LIMIT:g}"
            )
        self.patterns()

    def limit(self, default: float) -> float:
        """Return the limit in seconds; *default* where neither these settings nor the kind say."""
        own = self.max_on_seconds
        return own if own is not None else find_kind(self.kind).max_on_seconds or default

    def patterns(self) -> Mapping[GateState, Pattern]:
        """Return the pattern of every state."""
        kind = find_kind(self.kind)
        names = [state.value for state in GateState]
        for name in self.states:
            if name not in names:
                raise UsageError(f"states has {name!r}; allowed: {', '.join(names)}")
        patterns = {}
        for state in GateState:
            try:
                text = self.states.get(state.value, kind.states[state])
                pattern = parse_pattern(text, kind.level)
                if state in RESTING:
                    _check_rest(text, pattern, kind.sounds)
                if pattern.repeats == 1:
                    self._check_pulse(pattern)
            except UsageError as error:
                raise UsageError(f"states: {state.value}: {error}") from None
            patterns[state] = pattern
        return MappingProxyType(patterns)

    def _check_pulse(self, pattern: Pattern) -> None:
        limit = self.limit(_MOST_LIMIT)
        if pattern.on_seconds > limit:
            raise UsageError(
                f"{str(pattern)!r} is longer than max_on_seconds, {limit:g}; raise that"
            )


def _check_rest(text: str, pattern: Pattern, sounds: bool) -> None:
    if pattern.off or (pattern.stays and not sounds):
        return
    allowed = "off" if sounds else "off, or a level that stays"
    raise UsageError(f"{text!r} has nobody left to end it; allowed: {allowed}")


DEFAULT_OUTPUTS: Mapping[str, OutputSettings] = MappingProxyType({
    "buzzer": OutputSettings("buzzer", (17,)),
    "led": OutputSettings("led", (27,)),
})
"""A buzzer on GPIO 17 and a light on GPIO 27."""
