"""The kinds of output there are: what each is made of, can show, and shows by default.

Another package adds a kind by naming a :class:`Kind` in its entry points, in the group
``maskgate.outputs``, under the word that goes into the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, Protocol

from edge.errors import OutputError, UsageError
from edge.gate.policy import GateState

GROUP = "maskgate.outputs"

RESTING = (GateState.SHUTDOWN, GateState.CRASH)
"""The states that outlast the program: nobody is left to make a level change, or to end it."""

# A light that nobody looks after must not go on saying what was true once.
_LIGHT_SECONDS = 10.0
# Door openers heat up; most are made for a few seconds.
_RELAY_SECONDS = 10.0

# A3 to A7, as piezo buzzers are loudest between 2 and 4 kHz; A4 is 440 Hz and MIDI note 69.
TONE_MIDDLE, TONE_OCTAVES = "A5", 2
_LOWEST_NOTE, _HIGHEST_NOTE = 57, 105
_NOTE = re.compile(r"([A-G])([#b]?)([0-9])", re.ASCII)
_ACCIDENTALS = {"": 0, "#": 1, "b": -1}
_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


class Driver(Protocol):
    """The hardware of one output."""

    @property
    def pins(self) -> Sequence[Any]:
        """gpiozero's pins that it drives, in the order of the settings; none for other wires."""

    def set(self, level: Any) -> None:
        """Show *level*, what the kind's ``level`` returned, or its ``nothing``."""

    def close(self) -> None:
        """Give the hardware back."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of output.

    *drive* opens one: BCM numbers of its pins, whether a high level is on, and gpiozero's pin
    factory, to a :class:`Driver`.  *level* turns a word of a pattern into what the driver
    takes, and raises ValueError with the words it knows for another; *nothing* is off.
    *states* has a pattern for every state.  *pin_names* says what each pin is for.

    *sounds*: it is silent in quiet hours, and after the program has ended.
    *renews*: its limit counts from the last time the state was confirmed, not from the state's
    beginning; for lights.
    *inverts*: it can be wired so that a low level is on.
    *tries*: a self-test may switch it on for an instant.
    *max_on_seconds*: its limit where none is configured; None takes what the gate offers.
    """

    drive: Callable[[Sequence[int], bool, Any], Driver]
    level: Callable[[str], object]
    nothing: object
    states: Mapping[GateState, str]
    pin_names: tuple[str, ...] = ("",)
    sounds: bool = False
    renews: bool = False
    inverts: bool = True
    tries: bool = True
    max_on_seconds: float | None = None


def find_kind(name: str) -> Kind:
    """Return the kind called *name*; raises UsageError when there is none.

    Ours need no installation.  Another package cannot replace them, so that no ``led`` is ever
    something else.
    """
    if name in KINDS:
        return KINDS[name]
    for entry in entry_points(group=GROUP, name=name):
        try:
            kind = entry.load()
        except Exception as error:  # another package's code raises what it likes
            raise OutputError(
                f"kind {name!r} cannot be loaded from {entry.value} "
                f"({type(error).__name__}: {error}); install its package again"
            ) from error
        if isinstance(kind, Kind):
            return kind
        raise OutputError(f"kind {name!r}: {entry.value} is no edge.alerts.kinds.Kind")
    raise UsageError(f"kind is {name!r}; allowed: {', '.join(kind_names())}")


def kind_names() -> tuple[str, ...]:
    """Return the names of all kinds, ours first."""
    others = {entry.name for entry in entry_points(group=GROUP)} - KINDS.keys()
    return (*KINDS, *sorted(others))


def note_hertz(name: str) -> float:
    """Return the frequency of a note such as ``A4``, ``C#5`` or ``Bb4``, from A3 to A7.

    Raises ValueError for any other text.
    """
    found = _NOTE.fullmatch(name)
    if found is not None:
        number = 12 * (int(found[3]) + 1) + _SEMITONES[found[1]] + _ACCIDENTALS[found[2]]
        if _LOWEST_NOTE <= number <= _HIGHEST_NOTE:
            return float(440.0 * 2 ** ((number - 69) / 12))
    raise ValueError("on (which is A6), or a note from A3 to A7, such as A4, C#5 or Bb4")


def _one(word: str) -> int:
    if word != "on":
        raise ValueError("on, off")
    return 1


_COLORS = {
    "red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "yellow": (1, 1, 0),
    "cyan": (0, 1, 1), "magenta": (1, 0, 1), "white": (1, 1, 1), "on": (1, 1, 1),
}


def _color(word: str) -> tuple[int, int, int]:
    if word not in _COLORS:
        raise ValueError(f"{', '.join(_COLORS)} (which is white), off")
    return _COLORS[word]


def _lights(word: str) -> tuple[int, int, int]:
    wanted = ["red", "amber", "green"] if word == "on" else word.split("+")
    if not set(wanted) <= {"red", "amber", "green"} or len(set(wanted)) != len(wanted):
        raise ValueError("red, amber, green, several of them as in red+amber, on (all), off")
    return int("red" in wanted), int("amber" in wanted), int("green" in wanted)


def _tone(word: str) -> float:
    return note_hertz("A6" if word == "on" else word)


def _buzzer(pins: Sequence[int], active_high: bool, factory: Any) -> Driver:
    from edge.alerts.drivers import OnePin

    return OnePin("Buzzer", pins, active_high, factory)


def _led(pins: Sequence[int], active_high: bool, factory: Any) -> Driver:
    from edge.alerts.drivers import OnePin

    return OnePin("LED", pins, active_high, factory)


def _relay(pins: Sequence[int], active_high: bool, factory: Any) -> Driver:
    from edge.alerts.drivers import OnePin

    return OnePin("OutputDevice", pins, active_high, factory)


def _rgb_led(pins: Sequence[int], active_high: bool, factory: Any) -> Driver:
    from edge.alerts.drivers import ColorLight

    return ColorLight(pins, active_high, factory)


def _traffic_lights(pins: Sequence[int], active_high: bool, factory: Any) -> Driver:
    from edge.alerts.drivers import ThreeLights

    return ThreeLights(pins, active_high, factory)


def _tonal_buzzer(pins: Sequence[int], active_high: bool, factory: Any) -> Driver:
    from edge.alerts.drivers import Tones

    return Tones(pins, factory)


def _states(**patterns: str) -> Mapping[GateState, str]:
    """Return a pattern for every state: those given, and off."""
    table = {GateState(name.rstrip("_")): pattern for name, pattern in patterns.items()}
    return MappingProxyType({state: table.get(state, "off") for state in GateState})


BUZZER = Kind(_buzzer, _one, 0, _states(alarm="0.25/0.25"), sounds=True)
TONAL_BUZZER = Kind(
    _tonal_buzzer, _tone, None, _states(alarm="A6 0.25/0.25"),
    sounds=True, inverts=False, tries=False,
)
LED = Kind(
    _led, _one, 0,
    _states(alarm="on", camera_fault="0.1/1.9", software_fault="0.1/1.9"),
    renews=True, max_on_seconds=_LIGHT_SECONDS,
)
RGB_LED = Kind(
    _rgb_led, _color, (0, 0, 0),
    _states(
        looking="blue", pass_="green", alarm="red 0.25/0.25",
        camera_fault="magenta 0.1/1.9", software_fault="magenta 0.1/1.9",
    ),
    ("red", "green", "blue"), renews=True, max_on_seconds=_LIGHT_SECONDS,
)
TRAFFIC_LIGHTS = Kind(
    _traffic_lights, _lights, (0, 0, 0),
    _states(
        looking="amber", pass_="green", alarm="red",
        camera_fault="amber 0.1/1.9", software_fault="amber 0.1/1.9",
    ),
    ("red", "amber", "green"), renews=True, max_on_seconds=_LIGHT_SECONDS,
)
RELAY = Kind(
    _relay, _one, 0, _states(pass_="pulse 1"), tries=False, max_on_seconds=_RELAY_SECONDS,
)

KINDS: Mapping[str, Kind] = MappingProxyType({
    "buzzer": BUZZER,
    "tonal_buzzer": TONAL_BUZZER,
    "led": LED,
    "rgb_led": RGB_LED,
    "traffic_lights": TRAFFIC_LIGHTS,
    "relay": RELAY,
})
"""Our kinds, by the word that stands for each in the configuration."""
