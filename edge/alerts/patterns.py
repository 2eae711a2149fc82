"""What an output does in one state, as text a person writes: ``red 0.25/0.25``.

    off                  nothing
    red                  the level, all the time
    red 0.25/0.25        on for so many seconds, off for so many, again and again
    red 0.1/0.2 x3       the same, three times
    pulse 1.0            once, for so long

The level is a word of the output's kind, or several joined by ``+``; left out, it is ``on``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from edge.errors import UsageError

SHORTEST_SECONDS = 0.02
LONGEST_SECONDS = 3600.0
MOST_REPEATS = 1000

_SHAPES = "off, LEVEL, LEVEL ON/OFF, LEVEL ON/OFF xTIMES, LEVEL pulse SECONDS"
_SECONDS = re.compile(r"(?:\d{1,4}(?:\.\d{1,3})?|\.\d{1,3})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A *level*, on for *on_seconds*, off for *off_seconds*, *repeats* times (None: no end).

    *level* is ``off``, or a word that the output's kind knows.  A level that stays is one whose
    *on_seconds* are infinite; a pulse has one repeat and no time off.  Raises UsageError for
    times or counts that are out of range or do not fit each other.
    """

    level: str = "off"
    on_seconds: float = math.inf
    off_seconds: float = 0.0
    repeats: int | None = None

    def __post_init__(self) -> None:
        if self.on_seconds == math.inf:
            if self.off_seconds != 0 or self.repeats is not None:
                raise UsageError(f"{self.level} stays on; it has no time off and no repeats")
            return
        _check_seconds("on for", self.on_seconds)
        if self.off_seconds != 0 or self.repeats != 1:
            _check_seconds("off for", self.off_seconds)
        if self.repeats is not None and not 1 <= self.repeats <= MOST_REPEATS:
            raise UsageError(f"repeats {self.repeats} times; allowed: 1 to {MOST_REPEATS}")

    def __str__(self) -> str:
        """Return the text that :func:`parse_pattern` reads as this pattern."""
        if self.stays:
            return self.level
        if self.off_seconds == 0:
            return f"{self.level} pulse {_text(self.on_seconds)}"
        times = f" x{self.repeats}" if self.repeats is not None else ""
        return f"{self.level} {_text(self.on_seconds)}/{_text(self.off_seconds)}{times}"

    @property
    def off(self) -> bool:
        return self.level == "off"

    @property
    def stays(self) -> bool:
        """Whether it never changes by itself."""
        return self.off or math.isinf(self.on_seconds)

    def at(self, seconds: float) -> tuple[bool, float]:
        """Return whether it is on *seconds* after its start, and when that changes.

        The change is counted from the start as well, and infinite when there is none to come.
        """
        if self.off:
            return False, math.inf
        if math.isinf(self.on_seconds):
            return True, math.inf
        period = self.on_seconds + self.off_seconds
        done, phase = divmod(seconds, period)
        if self.repeats is not None and done >= self.repeats:
            return False, math.inf
        if phase < self.on_seconds:
            return True, done * period + self.on_seconds
        last = self.repeats is not None and done + 1 >= self.repeats
        return False, math.inf if last else (done + 1) * period


OFF = Pattern()


def parse_pattern(text: str, level: Callable[[str], object]) -> Pattern:
    """Return the pattern that *text* describes.

    *level* is asked about each level's word; it raises ValueError, with what is allowed, for
    one it does not know.  Raises UsageError for that and for everything else that is wrong.
    """
    words = text.split()
    if words == ["off"]:
        return OFF
    if not words or words[0] == "off":
        what = "takes nothing after off" if words else "is empty"
        raise UsageError(f"pattern {text!r} {what}; allowed: {_SHAPES}")
    name = "on"
    if words[0] != "pulse" and "/" not in words[0]:
        name = words.pop(0)
    try:
        level(name)
    except ValueError as error:
        raise UsageError(f"pattern {text!r}: {name!r} is no level; allowed: {error}") from None
    try:
        return _rhythm(name, words)
    except UsageError as error:
        raise UsageError(f"pattern {text!r}: {error}") from None


def _rhythm(level: str, words: list[str]) -> Pattern:
    if not words:
        return Pattern(level)
    if words[0] == "pulse":
        if len(words) != 2:
            raise UsageError("pulse takes one number of seconds, such as pulse 1.0")
        return Pattern(level, _seconds(words[1]), repeats=1)
    on, slash, off = words[0].partition("/")
    if not slash or len(words) > 2:
        raise UsageError(f"{' '.join(words)!r} is not understood; allowed: {_SHAPES}")
    repeats = None
    if len(words) == 2:
        count = re.fullmatch(r"x(\d{1,4})", words[1], re.ASCII)
        if count is None:
            raise UsageError(f"{words[1]!r} is no number of times; write x3 for three")
        repeats = int(count[1])
    return Pattern(level, _seconds(on), _seconds(off), repeats)


def _seconds(text: str) -> float:
    if _SECONDS.fullmatch(text) is None:
        raise UsageError(
            f"{text!r} is no time; allowed: {SHORTEST_SECONDS:g} to {LONGEST_SECONDS:g} seconds "
            "with at most three decimals, such as 0.25"
        )
    seconds = float(text)
    _check_seconds("a time of", seconds)
    return seconds


def _check_seconds(what: str, seconds: float) -> None:
    if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        raise UsageError(
            f"{what} {seconds:g} s; allowed: {SHORTEST_SECONDS:g} to {LONGEST_SECONDS:g} seconds"
        )


def _text(seconds: float) -> str:
    return f"{seconds:.3f}".rstrip("0").rstrip(".")
