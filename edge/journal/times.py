"""The times that people type, and the days they mean.

A zone of None is the machine's own.  A day is from its midnight to the next one, 23 or 25 hours
where the clocks change.
"""

from __future__ import annotations

import re
from datetime import MAXYEAR, date, datetime, timedelta, timezone, tzinfo
from datetime import time as clock_time

from edge.errors import UsageError

_AGO = re.compile(r"(\d{1,6})\s*(s|min|h|d)", re.ASCII)
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?", re.ASCII)
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}
_MOMENTS = (
    "a date such as 2024-01-31, today, yesterday, a time such as 10:30 or '2024-01-31 10:30', "
    "or how long ago: 90s, 30min, 2h, 7d"
)


def parse_day(text: str, now: datetime, zone: tzinfo | None) -> date:
    """Return the day that *text* means: a date, ``today`` or ``yesterday``.

    Raises UsageError for anything else.
    """
    day = _day(text.strip().lower(), now.astimezone(zone).date())
    # At either end of what Python calls dates a midnight is beyond it, here or in UTC.
    if day is None or not 1 < day.year < MAXYEAR:
        raise UsageError(
            f"{text!r} is no day; allowed: a date such as 2024-01-31, today or yesterday"
        )
    return day


def day_span(day: date, zone: tzinfo | None) -> tuple[datetime, datetime]:
    """Return when *day* begins and ends, in UTC."""
    return _midnight(day, zone), _midnight(day + timedelta(days=1), zone)


def parse_since(text: str, now: datetime, zone: tzinfo | None) -> datetime:
    """Return the moment that *text* means, in UTC; a day means its beginning.

    Raises UsageError for what is no moment.
    """
    return _moment(text, now, zone, 0)


def parse_until(text: str, now: datetime, zone: tzinfo | None) -> datetime:
    """Return the moment that *text* means, in UTC; a day means its end.

    Raises UsageError for what is no moment.
    """
    return _moment(text, now, zone, 1)


def _moment(text: str, now: datetime, zone: tzinfo | None, edge: int) -> datetime:
    word = text.strip()
    today = now.astimezone(zone).date()
    try:
        day = _day(word.lower(), today)
        if day is not None:
            return day_span(day, zone)[edge]
        ago = _AGO.fullmatch(word.lower())
        if ago:
            return (now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})).astimezone(timezone.utc)
        if _CLOCK.fullmatch(word):
            hour, minute, second = [*(int(part) for part in word.split(":")), 0][:3]
            return _utc(datetime.combine(today, clock_time(hour, minute, second)), zone)
        # Python 3.10 knows no Z.
        at = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", word))
        return at.astimezone(timezone.utc) if at.tzinfo else _utc(at, zone)
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"{text!r} is no time; allowed: {_MOMENTS}") from None


def _day(word: str, today: date) -> date | None:
    if word == "today":
        return today
    if word == "yesterday":
        return today - timedelta(days=1)
    try:
        return date.fromisoformat(word) if re.fullmatch(r"\d{4}-\d\d-\d\d", word) else None
    except ValueError:
        return None


def _midnight(day: date, zone: tzinfo | None) -> datetime:
    return _utc(datetime.combine(day, clock_time()), zone)


def _utc(local: datetime, zone: tzinfo | None) -> datetime:
    # Without a zone Python takes the machine's.
    return local.replace(tzinfo=zone).astimezone(timezone.utc)
