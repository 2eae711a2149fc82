"""Whether the wall clock may say which events are old.

A board without a battery clock can be years off until it has asked the network, and what it
deletes by a wrong clock is gone when the clock is right again.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

_LEAP = timedelta(days=1)
# systemd asks for the time at least every 34 minutes: a wrong answer is put right by then.
_DOUBT = timedelta(hours=3)


class Doubt:
    """Doubts a wall clock for three hours after it has leapt by more than a day.

    At *uptime*, the monotonic clock in seconds, it showed *now*.  *known* says whether an event
    is from :func:`span_before` then; without one it is doubted from the beginning.
    """

    def __init__(self, now: datetime, uptime: float, *, known: bool) -> None:
        self._ahead = now.timestamp() - uptime
        self._until = -math.inf if known else uptime + _DOUBT.total_seconds()

    def holds(self, now: datetime, uptime: float) -> bool:
        """Return whether *now*, at *uptime* monotonic seconds, is in doubt."""
        before, self._ahead = self._ahead, now.timestamp() - uptime
        if abs(self._ahead - before) > _LEAP.total_seconds():
            self._until = uptime + _DOUBT.total_seconds()
        return uptime < self._until


def span_before(now: datetime) -> tuple[datetime, datetime]:
    """Return from when to when an event must be for *now* to be believed at a start.

    What was written while the clock was in doubt is younger than that, and does not attest it.
    """
    return now - _LEAP - _DOUBT, now - _DOUBT
