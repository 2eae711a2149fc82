"""What goes into the journal is in it, whatever the disk, the clock and the file do."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from edge.errors import UsageError
from edge.journal.journal import Journal, utc_now
from edge.journal.query import Filter, Reader
from edge.journal.rows import clean
from edge.journal.settings import JournalSettings, journal_file
from edge.report.events import Event

NOW = datetime(2024, 1, 31, 9, 30, tzinfo=timezone.utc)
PROMPT = 20.0


class Gate:
    """A journal on *folder*, the problems it told, and a wall clock that is set by hand."""

    def __init__(self, folder: Path, **options) -> None:
        self.problems: list[str] = []
        self.now = NOW
        settings = JournalSettings(file=str(folder / "journal.db"), **options.pop("limits", {}))
        self.journal = Journal(
            settings, self.problems.append, clock=lambda: self.now,
            **{"settle": 0.0, **options},
        )

    def judged(self, person: int, at: datetime = NOW, verdict: str = "no_mask") -> None:
        event = Event(1.5, "person_judged", person, verdict, 0.98765, (1, 2, 33.33, 4))
        self.journal.write(event, at, "masks 2 (abc)")


@pytest.fixture
def gate(tmp_path):
    gate = Gate(tmp_path)
    yield gate
    gate.journal.close()


def read(file: Path, **wanted) -> list:
    with Reader(file) as reader:
        return list(reader.entries(Filter(**wanted)))


def kinds(gate: Gate) -> list[str]:
    assert gate.journal.flush(PROMPT)
    return [entry.kind for entry in read(gate.journal.file)]


def test_an_event_is_read_as_it_was_written(gate) -> None:
    gate.judged(7, NOW + timedelta(milliseconds=1234))
    assert gate.journal.flush(PROMPT)
    (entry,) = read(gate.journal.file)
    assert (entry.kind, entry.person, entry.verdict) == ("person_judged", 7, "no_mask")
    assert entry.at == NOW + timedelta(milliseconds=1234)
    assert entry.confidence == 0.9877
    assert entry.box == (1.0, 2.0, 33.3, 4.0)
    assert (entry.model, entry.session) == ("masks 2 (abc)", gate.journal.session)


def test_numbers_of_numpy_and_none_at_all_are_kept(gate) -> None:
    box = tuple(np.float32([1, 2, 3, 4]))
    event = Event(np.float32(1.5), "person_left", np.int64(7), "mask", np.float32(0.5), box)
    gate.journal.write(event, NOW, "m")
    gate.journal.write(Event(float("nan"), "person_left", 8, "mask", float("nan")), NOW, "m")
    assert gate.journal.flush(PROMPT)
    one, other = read(gate.journal.file)
    assert (one.seconds, one.person, one.confidence, one.box) == (1.5, 7, 0.5, (1, 2, 3, 4))
    assert (other.seconds, other.confidence) == (None, None)


def test_times_are_kept_in_utc_whatever_zone_they_come_in(gate) -> None:
    gate.judged(1, NOW.astimezone(timezone(timedelta(hours=5, minutes=30))))
    assert gate.journal.flush(PROMPT)
    assert read(gate.journal.file)[0].at == NOW


def test_incidents_of_any_kind_are_kept(gate) -> None:
    gate.journal.note("model_changed", NOW, "version 3", model="masks 3 (def)")
    gate.journal.note("a_kind_of_tomorrow", NOW)
    assert kinds(gate) == ["model_changed", "a_kind_of_tomorrow"]


def test_events_are_written_together_after_a_moment(tmp_path) -> None:
    gate = Gate(tmp_path, settle=3600.0)
    gate.judged(1)
    assert gate.journal.flush(PROMPT)
    gate.judged(2)
    gate.judged(3)
    assert [entry.person for entry in read(gate.journal.file)] == [1]
    assert kinds(gate) == ["person_judged"] * 3
    gate.journal.close()


def test_events_are_written_without_anybody_asking(tmp_path) -> None:
    gate = Gate(tmp_path, settle=0.05)
    gate.judged(1)
    deadline = time.monotonic() + PROMPT
    while gate.journal.written < 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(read(gate.journal.file)) == 1
    gate.journal.close()


def test_closing_writes_what_waits(tmp_path) -> None:
    gate = Gate(tmp_path, settle=3600.0)
    for person in range(450):
        gate.judged(person)
    assert gate.journal.close(PROMPT)
    assert [path.name for path in tmp_path.iterdir()] == ["journal.db"]
    assert [entry.person for entry in read(gate.journal.file)] == list(range(450))


def test_after_closing_events_are_counted_as_lost_and_told_once(gate) -> None:
    gate.journal.close()
    gate.judged(1)
    gate.judged(2)
    assert gate.journal.lost == 2
    assert len(gate.problems) == 1 and "closed" in gate.problems[0]
    assert gate.journal.close()


def test_sessions_differ_and_ids_go_on(tmp_path) -> None:
    for _ in range(2):
        gate = Gate(tmp_path)
        gate.judged(1)
        gate.journal.close()
    first, second = read(tmp_path / "journal.db")
    assert first.session != second.session
    assert (first.id, second.id) == (1, 2)


def test_order_survives_a_clock_that_is_set_back(gate) -> None:
    gate.judged(1, NOW)
    gate.judged(2, NOW - timedelta(days=400))
    gate.judged(3, NOW - timedelta(days=400))
    gate.journal.flush(PROMPT)
    gate.judged(4, NOW)
    assert gate.journal.flush(PROMPT)
    with sqlite3.connect(gate.journal.file) as file:
        rows = file.execute("SELECT person, kind, detail FROM event ORDER BY id").fetchall()
    assert [person for person, _, _ in rows if person] == [1, 2, 3, 4]
    jumps = [detail for _, kind, detail in rows if kind == "clock_changed"]
    assert float(jumps[-1].split()[1]) == pytest.approx(400 * 86400, abs=5)


def test_a_queue_that_is_full_is_told_and_marked_in_the_journal(tmp_path) -> None:
    lock = _locked(tmp_path)
    gate = Gate(tmp_path, most_waiting=3)
    for person in range(1, 8):
        gate.judged(person)
    assert gate.journal.lost == 4
    assert sum("events are lost" in problem for problem in gate.problems) == 1
    lock.close()
    assert gate.journal.flush(PROMPT)
    gate.judged(9)
    assert kinds(gate) == ["person_judged"] * 3 + ["events_lost", "person_judged"]
    assert [e.detail for e in read(gate.journal.file, kinds=("events_lost",))] == ["4 events lost"]
    gate.journal.close()


def _locked(folder: Path) -> sqlite3.Connection:
    """Return a connection that keeps everybody else from writing the journal in *folder*."""
    gate = Gate(folder)
    gate.journal.flush(PROMPT)
    gate.journal.close()
    lock = sqlite3.connect(folder / "journal.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    return lock


@pytest.mark.parametrize(
    "event",
    [
        Event(0.0, "person_left", 1, "mask", "very"),
        Event(0.0, "person_left", 2**70, "mask"),
        Event("soon", "person_left", 1, "mask"),
        Event(0.0, "person_left", 1, "mask", 0.9, ("a", "b", "c", "d")),
    ],
)
def test_an_event_that_makes_no_row_is_told_and_the_next_is_kept(gate, event) -> None:
    gate.journal.write(event, NOW, "m")
    gate.judged(2)
    assert kinds(gate) == ["person_judged"]
    assert len(gate.problems) == 1 and "cannot be journalled" in gate.problems[0]


def test_what_is_told_may_fail_without_harm(tmp_path) -> None:
    def fail(line: str) -> None:
        raise RuntimeError(line)

    (tmp_path / "journal.db").write_bytes(b"no database" * 1000)
    journal = Journal(JournalSettings(file=str(tmp_path / "journal.db")), fail, settle=0.0)
    journal.note("started", utc_now())
    assert journal.flush(PROMPT)
    assert journal.close(PROMPT)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("plain", "plain"),
        ("two\nlines\t and  more", "two lines and more"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("p\udcffhoto", "p\\udcffhoto"),
        ("ö" * 20, "ö" * 10),
        ("aö" * 20, "aöaöaöaöaöaöa"),
    ],
)
def test_texts_are_one_harmless_line_of_limited_length(text: str, kept: str) -> None:
    assert clean(text, 20) == kept


def test_a_damaged_journal_is_moved_aside_and_a_new_one_begun(tmp_path) -> None:
    (tmp_path / "journal.db").write_bytes(b"this is no database at all" * 200)
    gate = Gate(tmp_path)
    gate.judged(1)
    assert kinds(gate) == ["journal_replaced", "person_judged"]
    assert "a new journal" in gate.problems[0]
    aside = tmp_path / "journal.db.broken-20240131T093000Z"
    assert aside.read_bytes().startswith(b"this is no")
    gate.journal.close()


def test_at_most_two_damaged_journals_are_kept(tmp_path) -> None:
    for minute in range(4):
        (tmp_path / "journal.db").write_bytes(b"damaged" * 1000 + b"%d" % minute)
        gate = Gate(tmp_path)
        gate.now = NOW + timedelta(minutes=minute)
        gate.judged(1)
        assert gate.journal.flush(PROMPT)
        gate.journal.close()
        (tmp_path / "journal.db").unlink()
    assert len(list(tmp_path.glob("journal.db.broken-*"))) == 2


def test_damage_inside_an_open_journal_is_noticed_and_the_events_kept(gate) -> None:
    for person in range(200):
        gate.judged(person)
    assert gate.journal.flush(PROMPT)
    with sqlite3.connect(gate.journal.file) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    size = gate.journal.file.stat().st_size
    with gate.journal.file.open("r+b") as raw:
        raw.seek(4096)
        raw.write(b"\xff" * (size - 4096))
    # What the writer has in its cache is still whole, so it may take a while to be noticed.
    for person in range(200, 3000):
        gate.judged(person)
        if person % 100 == 0:
            assert gate.journal.flush(PROMPT)
        if gate.problems:
            break
    assert gate.journal.flush(PROMPT)
    assert any("a new journal" in problem for problem in gate.problems)
    entries = read(gate.journal.file)
    assert entries[0].kind == "journal_replaced"
    assert entries[-1].person == person


def test_a_journal_of_a_newer_maskgate_is_moved_aside_whole(tmp_path) -> None:
    first = Gate(tmp_path)
    first.judged(1)
    first.journal.close(PROMPT)
    with sqlite3.connect(tmp_path / "journal.db") as file:
        file.execute("PRAGMA user_version = 99")
    gate = Gate(tmp_path)
    gate.judged(2)
    assert kinds(gate) == ["journal_replaced", "person_judged"]
    with sqlite3.connect(tmp_path / "journal.db.newer-20240131T093000Z") as file:
        assert file.execute("SELECT person FROM event").fetchall() == [(1,)]
    gate.journal.close()


def test_another_programs_database_is_never_touched(tmp_path) -> None:
    with sqlite3.connect(tmp_path / "journal.db") as file:
        file.execute("CREATE TABLE accounts (money)")
    before = (tmp_path / "journal.db").read_bytes()
    gate = Gate(tmp_path)
    gate.judged(1)
    assert not gate.journal.close(PROMPT)
    assert "is not a maskgate journal" in gate.problems[0]
    assert "1 event could not be written" in gate.problems[-1]
    assert (tmp_path / "journal.db").read_bytes() == before


def test_a_folder_that_appears_later_is_written_then(tmp_path) -> None:
    gate = Gate(tmp_path / "stick")
    gate.judged(1)
    assert not gate.journal.flush(0.3)
    assert ["does not exist" in problem for problem in gate.problems] == [True]
    (tmp_path / "stick").mkdir()
    assert kinds(gate) == ["person_judged"]
    assert "written again" in gate.problems[-1]
    gate.journal.close()


def test_a_full_disk_is_told_once_and_written_again_when_there_is_room(tmp_path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a tiny disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)],
        capture_output=True, text=True, timeout=30, check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no tiny disk can be mounted here: {mounted.stderr.strip()}")
    try:
        ballast = disk / "ballast"
        gate = Gate(disk)
        gate.judged(1)
        assert gate.journal.flush(PROMPT)
        with ballast.open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        for person in range(2, 300):
            gate.judged(person)
        assert not gate.journal.flush(1.5)
        full = [problem for problem in gate.problems if "disk is full" in problem]
        assert len(full) == 1
        ballast.unlink()
        assert gate.journal.flush(PROMPT)
        assert "written again" in gate.problems[-1]
        assert [entry.person for entry in read(gate.journal.file)] == list(range(1, 300))
        gate.journal.close()
    finally:
        subprocess.run(["umount", str(disk)], timeout=30, check=True)


def test_without_a_place_nothing_is_written_and_nothing_complains() -> None:
    problems: list[str] = []
    journal = Journal(JournalSettings(), problems.append, environ={})
    journal.note("started", NOW)
    assert (journal.file, journal.flush(0), journal.close(), problems) == (None, True, True, [])


@pytest.mark.parametrize(
    ("settings", "environ", "file"),
    [
        (JournalSettings(), {}, None),
        (JournalSettings(), {"STATE_DIRECTORY": "/var/lib/maskgate"}, "/var/lib/maskgate"),
        (JournalSettings(), {"STATE_DIRECTORY": "/a:/b"}, "/a"),
        (JournalSettings(file="/srv/journal.db"), {"STATE_DIRECTORY": "/a"}, "/srv"),
        (JournalSettings(enabled=False, file="/srv/journal.db"), {"STATE_DIRECTORY": "/a"}, None),
    ],
)
def test_the_file_is_where_the_settings_or_systemd_say(settings, environ, file) -> None:
    assert journal_file(settings, environ) == (None if file is None else Path(file) / "journal.db")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"max_days": 0}, "max_days is 0; allowed: 1 to 3660"),
        ({"max_megabytes": 1}, "max_megabytes is 1; allowed: 2 to 10000"),
    ],
)
def test_settings_out_of_range_name_what_is_allowed(values, words) -> None:
    with pytest.raises(UsageError, match=words):
        JournalSettings(**values)
