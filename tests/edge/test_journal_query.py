"""Reading the journal: filters, times as typed, other users, following, and never in the way."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edge
from edge.errors import OutputError, UsageError
from edge.journal.query import Entry, Filter, Reader, follow
from edge.journal.rows import event_row, incident_row
from edge.journal.store import MOST_ROWS, Store
from edge.journal.times import day_span, parse_day, parse_since, parse_until
from edge.report.events import Event

ROOT = Path(edge.__file__).parents[1]
NOW = datetime(2024, 1, 31, 9, 30, tzinfo=timezone.utc)
BERLIN = ZoneInfo("Europe/Berlin")
VERDICTS = (None, "mask", "no_mask", "incorrect", "unsure")
KINDS = ("person_judged", "person_left", "alarm_started", "started")


def row(person: int | None = 1, at: datetime = NOW, kind="person_left", verdict="mask"):
    event = Event(0.0, kind, person, verdict)
    return event_row(event, at, session="s1", uptime=1.0, model="m")


def journal_of(folder: Path, rows) -> Path:
    file = folder / "journal.db"
    store = Store(file, max_days=3660, max_bytes=2**26, now=NOW)
    for first in range(0, len(rows), MOST_ROWS):
        store.append(rows[first : first + MOST_ROWS], NOW)
    store.close()
    return file


def matches(entry: Entry, wanted: Filter) -> bool:
    return (
        (wanted.since is None or entry.at >= wanted.since)
        and (wanted.until is None or entry.at < wanted.until)
        and (not wanted.kinds or entry.kind in wanted.kinds)
        and (not wanted.verdicts or entry.verdict in wanted.verdicts)
        and (wanted.person is None or entry.person == wanted.person)
    )


moments = st.integers(0, 5000).map(lambda ms: NOW + timedelta(milliseconds=ms / 2))
rows = st.lists(
    st.tuples(
        st.none() | st.integers(1, 3), moments, st.sampled_from(KINDS), st.sampled_from(VERDICTS)
    ),
    max_size=30,
)
filters = st.builds(
    Filter,
    since=st.none() | moments,
    until=st.none() | moments,
    kinds=st.lists(st.sampled_from(KINDS), max_size=2).map(tuple),
    verdicts=st.lists(st.sampled_from(VERDICTS[1:]), max_size=2).map(tuple),
    person=st.none() | st.integers(1, 4),
)


@settings(max_examples=60, deadline=None)
@given(rows, filters, st.none() | st.integers(1, 40), st.integers(0, 10))
def test_a_query_gives_what_looking_at_each_event_gives(rows, wanted, last, after) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = journal_of(Path(folder), [row(*values) for values in rows])
        with Reader(file) as reader:
            everything = list(reader.entries(Filter()))
            found = list(reader.entries(wanted, last=last, after=after))
    expected = [e for e in everything if matches(e, wanted) and e.id > after]
    assert found == (expected if last is None else expected[-last:])
    assert len(everything) == len(rows)


def test_many_events_come_in_order_and_whole(tmp_path) -> None:
    file = journal_of(tmp_path, [row(n) for n in range(1700)])
    with Reader(file) as reader:
        assert [entry.person for entry in reader.entries(Filter())] == list(range(1700))
        assert [entry.person for entry in reader.entries(Filter(), last=3)] == [1697, 1698, 1699]


def test_a_reader_that_pauses_keeps_nobody_from_writing_or_emptying_the_log(tmp_path) -> None:
    file = journal_of(tmp_path, [row(n) for n in range(1700)])
    store = Store(file, max_days=3660, max_bytes=2**26, now=NOW)
    with Reader(file) as reader:
        entries = reader.entries(Filter())
        next(entries)
        store.append([row(9999)], NOW)
        assert store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        assert len(list(entries)) == 1699
    store.close()


def test_following_shows_what_is_new_and_goes_on_in_a_journal_that_replaces_it(tmp_path) -> None:
    file = journal_of(tmp_path, [row(1), row(2), row(3)])
    seen: list[int | None] = []
    steps = iter(
        [
            lambda: journal_of(tmp_path, [row(4), row(5, kind="person_judged")]),
            lambda: None,
            lambda: [Path(f"{file}{end}").unlink(True) for end in ("", "-wal", "-shm")],
            lambda: journal_of(tmp_path, [row(6)]),
        ]
    )

    def wait() -> bool:
        step = next(steps, None)
        if step is not None:
            step()
        return step is not None

    for entry in follow(file, Filter(kinds=("person_left",)), last=2, wait=wait):
        seen.append(entry.person)
    assert seen == [2, 3, 4, 6]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no journal"),
        (b"", "is empty: no service has written"),
        (b"damaged" * 1000, "is damaged"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_line_that_helps(tmp_path, content, words) -> None:
    if content is not None:
        (tmp_path / "journal.db").write_bytes(content)
    with pytest.raises(OutputError, match=words):
        Reader(tmp_path / "journal.db")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", 4611686018427387904), ("at", -(2**62)), ("at", 253402300799000), ("at", "abc"),
        ("at", 1.5), ("box", "1,zz"), ("box", b"1,2"), ("detail", b"\xff\x00"),
        ("confidence", "x"), ("person", "=1+1"), ("verdict", b""), ("seconds", "late"),
    ],
)
def test_a_value_that_is_never_written_is_damage_and_names_the_event(
    tmp_path, column, value
) -> None:
    file = journal_of(tmp_path, [row(1), row(2)])
    with sqlite3.connect(file) as raw:
        raw.execute(f"UPDATE event SET {column} = ? WHERE id = 2", [value])
    with Reader(file) as reader, pytest.raises(OutputError) as told:
        list(reader.entries(Filter()))
    assert "is damaged (event 2: " in str(told.value) and len(str(told.value)) < 400
    with Reader(file) as reader:
        assert next(reader.entries(Filter(person=1)), None) is not None


def test_a_folder_and_another_programs_database_are_no_journal(tmp_path) -> None:
    with pytest.raises(OutputError):
        Reader(tmp_path)
    with sqlite3.connect(tmp_path / "other.db") as file:
        file.execute("CREATE TABLE accounts (money)")
    with pytest.raises(OutputError, match="is not a maskgate journal"):
        Reader(tmp_path / "other.db")


NOBODY = """
import os, sys
from pathlib import Path
from edge.errors import OutputError
from edge.journal.query import Filter, Reader
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    with Reader(Path(sys.argv[1])) as reader:
        print(len(list(reader.entries(Filter()))))
except OutputError as error:
    print(error)
"""


def read_as_nobody(file: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", NOBODY, str(file)],
        capture_output=True, text=True, timeout=60, cwd=ROOT, check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("running", [False, True])
def test_another_user_reads_what_is_readable_and_is_told_what_is_not(running) -> None:
    # pytest's own folders are closed to others.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        file = journal_of(folder, [row(1), row(2)])
        store = Store(file, max_days=90, max_bytes=2**26, now=NOW) if running else None
        if store is not None:
            store.append([row(3)], NOW)
        assert read_as_nobody(file) == ("3" if running else "2")
        if store is not None:
            store.close()
        file.chmod(0o640)
        assert "may not be read by this user: use sudo, or join the group" in read_as_nobody(file)
        file.chmod(0o600)
        assert read_as_nobody(file).endswith("use sudo")


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("2024-01-30", "2024-01-29T23:00", "2024-01-30T23:00"),
        ("today", "2024-01-30T23:00", "2024-01-31T23:00"),
        ("Yesterday", "2024-01-29T23:00", "2024-01-30T23:00"),
        ("8:15", "2024-01-31T07:15", "2024-01-31T07:15"),
        ("08:15:30", "2024-01-31T07:15:30", "2024-01-31T07:15:30"),
        ("2024-01-30 23:59", "2024-01-30T22:59", "2024-01-30T22:59"),
        ("2024-01-30T23:59:00Z", "2024-01-30T23:59", "2024-01-30T23:59"),
        ("90s", "2024-01-31T09:28:30", "2024-01-31T09:28:30"),
        ("2h", "2024-01-31T07:30", "2024-01-31T07:30"),
        ("7d", "2024-01-24T09:30", "2024-01-24T09:30"),
    ],
)
def test_times_mean_what_a_person_means(text, since, until) -> None:
    def utc(moment: str) -> datetime:
        return datetime.fromisoformat(moment).replace(tzinfo=timezone.utc)

    assert parse_since(text, NOW, BERLIN) == utc(since)
    assert parse_until(text, NOW, BERLIN) == utc(until)


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", "2024-02-30", "25:00", "5 weeks", "999999d", "\N{ARABIC-INDIC DIGIT ONE}d"],
)
def test_what_is_no_time_is_refused_with_what_is(text) -> None:
    with pytest.raises(UsageError, match="allowed: a date such as"):
        parse_since(text, NOW, BERLIN)
    with pytest.raises(UsageError, match="is no day"):
        parse_day(text, NOW, BERLIN)


@given(st.text(max_size=20))
def test_any_text_is_a_time_or_refused(text) -> None:
    with contextlib.suppress(UsageError):
        assert parse_since(text, NOW, BERLIN).tzinfo is timezone.utc


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2024, 3, 31), 23.0),
        ("Europe/Berlin", date(2024, 10, 27), 25.0),
        ("Europe/Berlin", date(2024, 7, 1), 24.0),
        ("Australia/Lord_Howe", date(2024, 10, 6), 23.5),
        ("Australia/Lord_Howe", date(2024, 4, 7), 24.5),
        # There is no midnight on this day: the clocks go from 23:59 to 01:00.
        ("America/Havana", date(2024, 3, 10), 23.0),
        ("Asia/Kathmandu", date(2024, 3, 31), 24.0),
    ],
)
def test_a_day_is_from_midnight_to_midnight_of_its_zone(zone, day, hours) -> None:
    start, end = day_span(day, ZoneInfo(zone))
    assert end - start == timedelta(hours=hours)
    assert start.astimezone(ZoneInfo(zone)).date() == day
    assert (end - timedelta(milliseconds=1)).astimezone(ZoneInfo(zone)).date() == day


def test_the_machines_own_zone_is_used_when_none_is_named() -> None:
    program = (
        "from datetime import date; from edge.journal.times import day_span;"
        "a, b = day_span(date(2024, 10, 27), None); print((b - a).total_seconds() / 3600)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=ROOT,
        env={**os.environ, "TZ": "Europe/Berlin"}, check=True,
    )
    assert done.stdout.strip() == "25.0"


def test_incidents_have_no_person(tmp_path) -> None:
    file = journal_of(tmp_path, [incident_row("started", NOW, session="s1", uptime=3.5)])
    with Reader(file) as reader:
        (entry,) = reader.entries(Filter())
    assert (entry.person, entry.verdict, entry.box, entry.model) == (None, None, (), "")
    assert entry.uptime == 3.5
