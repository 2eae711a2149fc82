"""A day at the gate in figures: people by verdict and hour, and what lasted when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo

from edge.journal.kinds import SPANS
from edge.journal.query import Entry, Filter, Reader
from edge.journal.settings import VERDICTS
from edge.journal.times import day_span

_HOUR = timedelta(hours=1)
_ENDINGS = ("started", "stopped")
_PEOPLE = ("person_judged", "person_left")

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Day:
    """What happened on *day*, from *start* to *end* in UTC.

    *hours* are the clock's hours as the zone has them, such as "07": 24 of them, 23 or 25 where
    the clocks change.  *people* maps each verdict to how many people it was the last one for,
    in each of these hours.  *spans* maps alarm, camera and output to when they rang or failed.
    """

    day: date
    start: datetime
    end: datetime
    hours: tuple[str, ...]
    people: Mapping[str, tuple[int, ...]]
    spans: Mapping[str, tuple[Span, ...]]

    def total(self, verdict: str) -> int:
        """Return how many people *verdict* was the last one for."""
        return sum(self.people[verdict])

    def lasted(self, what: str) -> float:
        """Return for how many seconds *what* of the spans lasted in all."""
        return sum((end - start).total_seconds() for start, end in self.spans[what])


def read_day(reader: Reader, day: date, now: datetime, zone: tzinfo | None) -> Day:
    """Return *day* as the journal has it; what lasts has lasted until *now*."""
    start, end = day_span(day, zone)
    before = [
        found
        for kinds in SPANS.values()
        if (found := reader.before(start, (*kinds, *_ENDINGS))) is not None
    ]
    during = list(reader.entries(Filter(since=start, until=end)))
    entries = [*before, *_outputs(reader, start), *during, *_later(reader, during, end)]
    return make_day(day, entries, now, zone)


def make_day(day: date, entries: Iterable[Entry], now: datetime, zone: tzinfo | None) -> Day:
    """Return *day* as *entries* tell it, in the order they happened.

    Entries from before it say what lasted when it began, those from after it who was still
    there.  A person counts once, in the hour of the last word on them.
    """
    entries = list(entries)
    start, end = day_span(day, zone)
    hours = _hours(start, end, zone)
    people = {verdict: [0] * len(hours) for verdict in VERDICTS}
    for entry in _last_words(entries):
        if start <= entry.at < end:
            counts = people.get(entry.verdict or "unsure", people["unsure"])
            counts[(entry.at - start) // _HOUR] += 1
    today = min(end, now.astimezone(timezone.utc))
    return Day(
        day=day,
        start=start,
        end=end,
        hours=hours,
        people={verdict: tuple(counts) for verdict, counts in people.items()},
        spans={
            what: _spans(entries, *kinds, start, today) for what, kinds in SPANS.items()
        },
    )


def _outputs(reader: Reader, start: datetime) -> list[Entry]:
    """Return the last word on each output from before *start*, in the session of then."""
    ending = reader.before(start, _ENDINGS)
    wanted = Filter(until=start, kinds=SPANS["output"])
    found = reader.entries(wanted, after=0 if ending is None else ending.id)
    return list({_output(entry): entry for entry in found}.values())


def _later(reader: Reader, during: Sequence[Entry], end: datetime) -> list[Entry]:
    """Return the next word, from *end* on, on each who is there after the entries *during*."""
    if not during:
        return []
    last = during[-1]
    found = []
    for entry in _last_words(during):
        # Another session's people are others.
        if entry.kind == "person_left" or entry.session != last.session:
            continue
        wanted = Filter(since=end, kinds=_PEOPLE, person=entry.person)
        word = next(reader.entries(wanted, after=last.id), None)
        if word is not None and word.session == last.session:
            found.append(word)
    return found


def _last_words(entries: Iterable[Entry]) -> list[Entry]:
    """Return the last of *entries* on each person."""
    gone: list[Entry] = []
    here: dict[tuple[str, int], Entry] = {}
    for entry in entries:
        if entry.person is None or entry.kind not in _PEOPLE:
            continue
        here[entry.session, entry.person] = entry
        # Numbers begin anew with each session and reload, and everybody leaves before that.
        if entry.kind == "person_left":
            gone.append(here.pop((entry.session, entry.person)))
    return [*gone, *here.values()]


def _output(entry: Entry) -> str:
    """Return the name of the output that *entry* is about, "" for the alarm and the camera."""
    # An output's lines, of a fault and of its end, begin with its name and a colon.
    return entry.detail.partition(":")[0] if entry.kind in SPANS["output"] else ""


def _hours(start: datetime, end: datetime, zone: tzinfo | None) -> tuple[str, ...]:
    """Return the names of the hours from *start* on; an hour that comes twice is named twice."""
    names = []
    at = start
    while at < end:
        local = at.astimezone(zone)
        # Half hours are for the island of Lord Howe, which moves its clocks by half an hour.
        names.append(f"{local:%H}" if local.minute == 0 else f"{local:%H:%M}")
        at += _HOUR
    return tuple(names)


def _spans(
    entries: Iterable[Entry], begins: str, ends: str, start: datetime, end: datetime
) -> tuple[Span, ...]:
    """Return from when to when, within *start* and *end*, what *begins* lasted.

    Of several outputs, it lasted while any failed.  The end of a session ends it, whether told
    or, after a power cut, not; then it lasted to that session's last event.
    """
    spans: list[Span] = []
    failing: set[str] = set()
    began: datetime | None = None
    newest: Entry | None = None
    for entry in sorted(entries, key=lambda entry: entry.id):
        if newest is not None and entry.session != newest.session:
            failing.clear()
            if began is not None:
                spans.append((began, newest.at))
                began = None
        if entry.kind == begins:
            failing.add(_output(entry))
            began = began or entry.at
        elif entry.kind == ends:
            failing.discard(_output(entry))
        elif entry.kind in _ENDINGS:
            failing.clear()
        if began is not None and not failing:
            spans.append((began, entry.at))
            began = None
        newest = entry
    if began is not None:
        spans.append((began, end))
    inside = ((max(a, start), min(b, end)) for a, b in spans)
    return tuple((a, b) for a, b in inside if b > a)
