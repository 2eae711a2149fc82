"""The journal never grows beyond its bounds in age and size, and gives space back."""

from __future__ import annotations

import sqlite3
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.journal import schema
from edge.journal.rows import event_row, milliseconds
from edge.journal.schema import NewerJournal, migrate
from edge.journal.store import MOST_ROWS, Store
from edge.report.events import Event

NOW = datetime(2024, 1, 31, 9, 30, tzinfo=timezone.utc)
TWO_MEGABYTES = 2 * 2**20


def row(person: int, at: datetime = NOW, detail: str = ""):
    event = Event(0.0, "person_left", person, "mask", 0.9, detail=detail, picture=detail)
    return event_row(event, at, session="s1", uptime=1.0, model="m")


def store_at(folder: Path, max_bytes: int = TWO_MEGABYTES, days: float = 90) -> Store:
    return Store(folder / "journal.db", max_days=days, max_bytes=max_bytes, now=NOW)


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def column(folder: Path, name: str) -> list:
    with sqlite3.connect(folder / "journal.db") as look:
        return [value for (value,) in look.execute(f"SELECT {name} FROM event ORDER BY id")]


def test_files_never_take_more_than_the_limit_and_the_newest_stay(tmp_path) -> None:
    store = store_at(tmp_path)
    for batch in range(60):
        first = batch * MOST_ROWS
        store.append([row(n, detail="x" * 200) for n in range(first, first + MOST_ROWS)], NOW)
        assert size(tmp_path) <= TWO_MEGABYTES
    people = column(tmp_path, "person")
    assert people == list(range(people[0], 60 * MOST_ROWS))
    assert people[0] > 0
    assert size(tmp_path) > TWO_MEGABYTES / 4
    store.close()


def test_a_lower_limit_shrinks_the_file_and_takes_no_more_than_it_must(tmp_path) -> None:
    store = store_at(tmp_path, max_bytes=50 * 2**20)
    for batch in range(60):
        first = batch * MOST_ROWS
        store.append([row(n, detail="x" * 200) for n in range(first, first + MOST_ROWS)], NOW)
    store.close()
    assert size(tmp_path) > 2 * TWO_MEGABYTES
    store = store_at(tmp_path)
    calls = 1
    while not store.prune(NOW):
        calls += 1
    store.close()
    assert TWO_MEGABYTES / 8 < size(tmp_path) <= TWO_MEGABYTES
    assert calls > 1
    people = column(tmp_path, "person")
    assert people == list(range(people[0], 60 * MOST_ROWS))


batches = st.lists(
    st.tuples(
        st.integers(0, 40),  # days that pass before the batch
        st.integers(0, MOST_ROWS),  # events in it
        st.integers(0, 200),  # bytes of their texts
        st.integers(-50, 0),  # days by which their clock is behind
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(batches)
def test_whatever_is_written_age_and_size_hold(batches) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = store_at(folder, days=30)
        now = NOW
        for days, count, length, behind in batches:
            now += timedelta(days=days)
            at = now + timedelta(days=behind)
            store.append([row(n, at, "x" * length) for n in range(count)], now)
            while not store.prune(now):
                pass
            oldest = milliseconds(now - timedelta(days=30))
            assert all(at >= oldest for at in column(folder, "at"))
            assert size(folder) <= TWO_MEGABYTES
        store.close()


def test_ids_are_never_used_again_even_when_everything_aged_out(tmp_path) -> None:
    store = store_at(tmp_path, days=1)
    store.append([row(1), row(2)], NOW)
    later = NOW + timedelta(days=2)
    store.append([row(3, later)], later)
    store.close()
    assert column(tmp_path, "id") == [3]


def test_a_batch_that_fails_leaves_nothing_of_it(tmp_path) -> None:
    store = store_at(tmp_path)
    store.append([row(1)], NOW)
    with pytest.raises(sqlite3.IntegrityError):
        store.append([row(2), row(3)._replace(kind=None)], NOW)
    store.append([row(4)], NOW)
    store.close()
    assert column(tmp_path, "person") == [1, 4]


def test_a_limit_of_sqlites_own_is_an_error_that_loses_nothing_before_it(tmp_path) -> None:
    store = store_at(tmp_path)
    store.append([row(1)], NOW)
    store._connection.execute("PRAGMA max_page_count = 8").fetchall()
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.append([row(n, detail="x" * 200) for n in range(MOST_ROWS)], NOW)
    store._connection.execute("PRAGMA max_page_count = 100000").fetchall()
    store.append([row(2)], NOW)
    store.close()
    assert column(tmp_path, "person") == [1, 2]


def test_what_is_promised_of_the_file_is_so(tmp_path) -> None:
    store = store_at(tmp_path)
    asked = {
        name: store._connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "auto_vacuum", "user_version")
    }
    store.close()
    # 2 is FULL for synchronous and INCREMENTAL for auto_vacuum.
    assert asked == {
        "journal_mode": "wal", "synchronous": 2, "auto_vacuum": 2, "user_version": 1,
    }


def test_an_older_journal_becomes_a_new_one_with_all_that_is_in_it(tmp_path) -> None:
    store = store_at(tmp_path)
    store.append([row(5)], NOW)
    store.close()
    tomorrow = [*schema.MIGRATIONS, ("ALTER TABLE event ADD COLUMN mood TEXT",)]
    with sqlite3.connect(tmp_path / "journal.db", isolation_level=None) as file:
        migrate(file, "journal.db", tomorrow)
        assert file.execute("PRAGMA user_version").fetchone() == (2,)
        assert file.execute("SELECT person, mood FROM event").fetchall() == [(5, None)]
        with pytest.raises(NewerJournal, match="update maskgate"):
            migrate(file, "journal.db")


def test_a_migration_that_fails_changes_nothing(tmp_path) -> None:
    store_at(tmp_path).close()
    broken = [*schema.MIGRATIONS, ("ALTER TABLE event ADD COLUMN mood TEXT", "NONSENSE")]
    with sqlite3.connect(tmp_path / "journal.db", isolation_level=None) as file:
        with pytest.raises(sqlite3.OperationalError):
            migrate(file, "journal.db", broken)
        assert file.execute("PRAGMA user_version").fetchone() == (1,)
        columns = [name for _, name, *_ in file.execute("PRAGMA table_info(event)")]
    assert "mood" not in columns
