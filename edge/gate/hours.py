"""Hours of the day in which the gate makes no sound."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time

from edge.errors import UsageError

_SHAPE = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From *start* to just before *end*, local time, over midnight where *end* is earlier.

    Raises UsageError when both are the same, which could mean never or always.
    """

    start: time
    end: time

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise UsageError(
                f"quiet hours start and end at {self.start:%H:%M}; give two different times"
            )

    def hold(self, at: time) -> bool:
        """Return whether *at*, local time, is within them."""
        if self.start < self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end


def parse_quiet_hours(text: str) -> QuietHours:
    """Return the hours that *text* names as ``HH:MM-HH:MM``.

    Raises UsageError for anything else.
    """
    found = _SHAPE.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        numbers = [int(part) for part in found.groups()]
        start, end = time(numbers[0], numbers[1]), time(numbers[2], numbers[3])
    except ValueError:
        raise UsageError(
            f"quiet hours are {text!r}; allowed: HH:MM-HH:MM from 00:00 to 23:59, "
            "such as 22:00-07:00"
        ) from None
    return QuietHours(start, end)
