"""Pins: which back end drives them, how they are opened, tried, and left behind."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gpiozero
from gpiozero.pins.mock import MockFactory, MockPWMPin

from edge.alerts.kinds import Driver, Kind
from edge.alerts.settings import OutputSettings
from edge.errors import OutputError, UsageError

GROUP = "maskgate.pins"
_MODEL_FILE = Path("/proc/device-tree/model")


@dataclass(frozen=True, slots=True)
class Pins:
    """The pins that are driven: gpiozero's *factory*, whether it is a *mock*, and why.

    *read_back*: every pin is set and read before it is relied upon.
    """

    factory: Any
    mock: bool
    why: str
    read_back: bool = False


@dataclass(frozen=True, slots=True)
class PinChange:
    """A pin that went *on* or off, *seconds* after it was set up."""

    seconds: float
    on: bool


def choose_pins(
    *, pretend: bool = False, back_end: str = "auto", model_file: Path = _MODEL_FILE
) -> Pins:
    """Return the pins of this machine, or gpiozero's mock pins where it has none.

    *back_end* names one: ``gpiozero``, ``jetson``, ``mock``, or one that another package brings
    in the entry-point group ``maskgate.pins``; ``auto`` goes by the board.  *pretend* takes
    mock pins in any case, as does ``GPIOZERO_PIN_FACTORY=mock``; another name in that variable
    is used or fails.  A board that has pins which cannot be used fails too: a gate that quietly
    rings nothing is worse than none.  Raises OutputError for those, UsageError for a back end
    that nobody knows.
    """
    if pretend:
        return mock_pins()
    board = _board(model_file)
    if back_end == "auto":
        jetson = "jetson" in board.lower() or "nvidia" in board.lower()
        back_end = "jetson" if jetson and not _named_factory() else "gpiozero"
    if back_end == "gpiozero":
        return _gpiozero_pins(board)
    return find_back_end(back_end)()


def find_back_end(name: str) -> Callable[[], Pins]:
    """Return what opens the pins by the back end *name*; UsageError when there is none."""
    if name in BACK_ENDS:
        return BACK_ENDS[name]
    for entry in entry_points(group=GROUP, name=name):
        try:
            back_end: Callable[[], Pins] = entry.load()
        except Exception as error:  # another package's code raises what it likes
            raise OutputError(
                f"pins {name!r} cannot be loaded from {entry.value} "
                f"({type(error).__name__}: {error}); install its package again"
            ) from error
        return back_end
    others = sorted({entry.name for entry in entry_points(group=GROUP)} - BACK_ENDS.keys())
    raise UsageError(f"pins is {name!r}; allowed: {', '.join(('auto', *BACK_ENDS, *others))}")


def mock_pins() -> Pins:
    """Return gpiozero's mock pins, which record what is done to them; each can do PWM."""
    return Pins(MockFactory(pin_class=MockPWMPin), True, "as asked for")


def gpiozero_pins() -> Pins:
    """Return the pins that gpiozero finds; mock pins on a machine that has none."""
    return _gpiozero_pins(_board(_MODEL_FILE))


def jetson_pins() -> Pins:
    """Return a Jetson's pins through its own library; raises OutputError without it."""
    from edge.alerts.jetson import open_jetson

    return Pins(open_jetson(_board(_MODEL_FILE)), False, "Jetson.GPIO", read_back=True)


BACK_ENDS: Mapping[str, Callable[[], Pins]] = MappingProxyType(
    {"gpiozero": gpiozero_pins, "jetson": jetson_pins, "mock": mock_pins}
)
"""Our back ends, by the word that stands for each in the configuration."""


def opened(name: str, settings: OutputSettings, kind: Kind, pins: Pins) -> Driver:
    """Return the hardware of the output *name*, off.

    Raises OutputError when a pin does not exist, is taken, or cannot do what the kind needs.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return kind.drive(settings.pins, settings.active_high, pins.factory)
    except Exception as error:  # pin libraries raise what they like
        numbers = ", ".join(str(pin) for pin in settings.pins)
        raise OutputError(
            f"{name}: GPIO {numbers} cannot be used ({type(error).__name__}: {error}); "
            "choose free pins by their BCM numbers"
        ) from None


def read_back(
    name: str, numbers: Sequence[int], pins: Sequence[Any], active_high: bool, *, tries: bool
) -> None:
    """Set each of *pins* and read it again.

    It is on for less than a millisecond, and not at all unless *tries*; off afterwards.
    Raises OutputError for one that does not follow, or that cannot be set or read.
    """
    levels = (active_high, not active_high) if tries else (not active_high,)
    for number, pin in zip(numbers, pins, strict=True):
        try:
            wrong = _unfollowed(pin, levels)
        except Exception as error:  # pin libraries raise what they like
            raise OutputError(
                f"{name}: GPIO {number} cannot be set and read back "
                f"({type(error).__name__}: {error}); check that nothing else uses it and that "
                "this user may"
            ) from None
        if wrong is not None:
            words = ("low", "high")
            raise OutputError(
                f"{name}: GPIO {number} was set {words[wrong]} and reads {words[not wrong]}; "
                "check that nothing else drives it and that it is a GPIO in the board's pin "
                "configuration"
            )


def _unfollowed(pin: Any, levels: Sequence[bool]) -> bool | None:
    """Set *pin* to each of *levels*, the last one being off; return the first it does not read.

    One that does PWM is left alone.
    """
    if pin.frequency is not None:
        return None
    try:
        for level in levels:
            pin.state = level
            if bool(pin.state) is not level:
                return level
    finally:
        pin.state = levels[-1]
    return None


def leave(factory: Any, number: int, high: bool, off_high: bool) -> None:
    """Leave the pin *number* of a closed output behind, as well defined as it can be.

    One that was off becomes an input that is pulled to its off level, where the board can pull:
    gpiozero alone leaves it floating, which a transistor may take for on.  One that was on
    stays an output.  gpiozero forgets the pin, so that it does not undo this when the program
    ends.  What the kernel does then is in docs/outputs.md.
    """
    pin = factory.pin(number)
    if high is off_high:
        # GPIO 2 and 3 have resistors of their own, and a Jetson cannot pull.
        with contextlib.suppress(gpiozero.GPIOZeroError):
            pin.input_with_pull("up" if high else "down")
    else:
        pin.output_with_state(high)
    getattr(factory, "pins", {}).pop(pin.info, None)


def _gpiozero_pins(board: str) -> Pins:
    try:
        # gpiozero warns once per pin library that is not there; only the outcome matters.
        with warnings.catch_warnings(record=True) as fallbacks:
            warnings.simplefilter("always")
            gpiozero.Device.ensure_pin_factory()
    except Exception as error:  # pin libraries raise what they like, from ImportError to their own
        named = _named_factory()
        if named:
            raise OutputError(
                f"GPIOZERO_PIN_FACTORY is {named!r}, which gpiozero cannot use here ({error}); "
                "unset it, or set it to mock"
            ) from None
        if "Raspberry Pi" in board:
            reasons = "; ".join(str(w.message) for w in fallbacks) or str(error)
            raise OutputError(
                f"the pins of this {board} cannot be used ({reasons}); install python3-lgpio, "
                "add this user to the group 'gpio', or run with --no-pins"
            ) from None
        none = mock_pins()
        return Pins(none.factory, True, "this machine has no GPIO pins that gpiozero knows")
    factory: Any = gpiozero.Device.pin_factory
    if not isinstance(factory, MockFactory):
        return Pins(factory, False, type(factory).__name__)
    # By default gpiozero's mock pins cannot do PWM, which every real pin can.
    factory.pin_class = MockPWMPin
    return Pins(factory, True, "gpiozero was told to use its mock")


def _named_factory() -> str:
    return os.environ.get("GPIOZERO_PIN_FACTORY", "")


def _board(model_file: Path) -> str:
    try:
        return model_file.read_text(errors="replace").strip("\0\n ")
    except OSError:
        return ""
