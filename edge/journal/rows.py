"""One row of the journal, from an event of the gate or an incident of the service."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from edge.report.events import Event

# What one text may take, in bytes of UTF-8, so that a row is never more than about a kibibyte
# and a batch of rows has a bound.
_WORD = 64
_LINE = 200
_BEGINNING = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)


class Row(NamedTuple):
    """The columns of table ``event`` but for its id, in their order; *model* by its name.

    *at* is the wall clock in milliseconds since 1970 UTC, *uptime* the monotonic clock in
    seconds, *seconds* the source's time.  *box* is ``x0,y0,x1,y1`` in pixels.
    """

    at: int
    session: str
    uptime: float
    seconds: float | None
    kind: str
    person: int | None
    verdict: str | None
    confidence: float | None
    box: str
    picture: str
    lack: str
    muted: int
    fault: str
    detail: str
    evidence: str
    model: str


def event_row(
    event: Event, at: datetime, *, session: str, uptime: float, model: str, evidence: str = ""
) -> Row:
    """Return the row of *event*, which happened at *at*; a datetime without zone is local time.

    Raises ValueError or TypeError for what a database cannot hold: a row that is made can be
    written, and never stands in the way of those behind it.
    """
    return Row(
        at=milliseconds(at),
        session=session,
        uptime=round(uptime, 3),
        seconds=round(float(event.time), 3),
        kind=clean(event.event, _WORD),
        person=None if event.person is None else _whole(event.person),
        verdict=None if event.verdict is None else clean(event.verdict, _WORD),
        confidence=None if event.confidence is None else round(float(event.confidence), 4),
        box="" if event.box is None else ",".join(f"{float(side):.1f}" for side in event.box),
        picture=clean(event.picture, _LINE),
        lack=clean(event.lack, _WORD),
        muted=int(event.muted),
        fault=clean(event.fault, _WORD),
        detail=clean(event.detail, _LINE),
        evidence=clean(evidence, _LINE),
        model=clean(model, _LINE),
    )


def incident_row(
    kind: str,
    at: datetime,
    *,
    session: str,
    uptime: float,
    detail: str = "",
    fault: str = "",
    model: str = "",
) -> Row:
    """Return the row of something that happened to the service itself."""
    return Row(
        at=milliseconds(at),
        session=session,
        uptime=round(uptime, 3),
        seconds=None,
        kind=clean(kind, _WORD),
        person=None,
        verdict=None,
        confidence=None,
        box="",
        picture="",
        lack="",
        muted=0,
        fault=clean(fault, _WORD),
        detail=clean(detail, _LINE),
        evidence="",
        model=clean(model, _LINE),
    )


def _whole(number: int) -> int:
    # Also of numpy's kinds of numbers, which SQLite does not know.
    whole = int(number)
    if not -(2**63) <= whole < 2**63:
        raise ValueError(f"{whole} does not fit into 64 bits")
    return whole


def milliseconds(at: datetime) -> int:
    """Return *at* in whole milliseconds since 1970 UTC."""
    return (at.astimezone(timezone.utc) - _BEGINNING) // _MILLISECOND


def moment(at: int) -> datetime:
    """Return milliseconds since 1970 as a time in UTC."""
    return _BEGINNING + at * _MILLISECOND


def clean(text: str, most: int) -> str:
    """Return *text* on one line, without control characters, in at most *most* bytes of UTF-8.

    Names of files and messages of drivers go into the journal, and from there to a terminal:
    what could move its cursor, and bytes that are no UTF-8, become visible escapes.
    """
    line = " ".join(str(text).split())
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    cut = safe.encode("utf-8", "backslashreplace")[:most]
    return cut.decode("utf-8", "ignore")
