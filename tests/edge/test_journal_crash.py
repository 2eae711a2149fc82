"""A program that is killed loses no event that was acknowledged, and leaves no damage."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import edge
from edge.journal.journal import Journal, utc_now
from edge.journal.settings import JournalSettings

ROOT = Path(edge.__file__).parents[1]
SEED = 20240131

# Hands in events and says the number of each as soon as it is acknowledged.
WRITER = """
import random, sys
from edge.journal.journal import Journal, utc_now
from edge.journal.settings import JournalSettings
from edge.report.events import Event

journal = Journal(JournalSettings(file=sys.argv[1]), print, settle=0.0)
person, chance = int(sys.argv[2]), random.Random(int(sys.argv[3]))
while True:
    for _ in range(chance.randint(1, 40)):
        person += 1
        journal.write(Event(0.0, "person_left", person, "mask", 0.9), utc_now(), "masks 2")
    assert journal.flush(30)
    print(person, flush=True)
"""


def killed_writer(file: Path, start: int, chance: random.Random) -> int:
    """Let a program write events from *start* on and kill it; return the last acknowledged."""
    program = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(file), str(start), str(chance.getrandbits(16))],
        stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )
    acknowledged = start
    try:
        assert program.stdout is not None
        for _ in range(chance.randint(1, 60)):
            acknowledged = int(program.stdout.readline())
        # Somewhere in the next transactions, not between two of them.
        with pytest.raises(subprocess.TimeoutExpired):
            program.wait(chance.uniform(0.0, 0.02))
    finally:
        program.send_signal(signal.SIGKILL)
        rest, _ = program.communicate(timeout=30)
    lines = [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    return int(lines[-1]) if lines else acknowledged


def test_no_acknowledged_event_is_lost_when_the_writer_is_killed(tmp_path) -> None:
    chance = random.Random(SEED)
    file = tmp_path / "journal.db"
    acknowledged = 0
    for _ in range(8):
        acknowledged = killed_writer(file, acknowledged, chance)
        # The next writer opens what the killed one left, write-ahead log and all.
        with sqlite3.connect(file) as look:
            assert look.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            people = {person for (person,) in look.execute("SELECT person FROM event")}
        assert set(range(1, acknowledged + 1)) <= people
    assert acknowledged > 8
    assert not list(tmp_path.glob("*broken*"))


# Hands in ten times four events, waits for each four to be on disk or not, and then stands still.
STANDING = """
import sys
from edge.journal.journal import Journal, utc_now
from edge.journal.settings import JournalSettings
from edge.report.events import Event

journal = Journal(JournalSettings(file=sys.argv[1]), print, settle=3600.0)
journal.note("started", utc_now())
assert journal.flush(30)
for person in range(40):
    journal.write(Event(0.0, "person_left", person, "mask", 0.9), utc_now(), "masks 2")
    if sys.argv[2] == "flush" and person % 4 == 3:
        assert journal.flush(30)
print("ready", flush=True)
sys.stdin.read()
"""


def killed_standing(file: Path, how: str) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", STANDING, str(file), how],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    program.kill()
    program.communicate(timeout=30)


def people(file: Path) -> list[int]:
    with sqlite3.connect(file) as look:
        assert look.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        query = "SELECT person FROM event WHERE person IS NOT NULL ORDER BY id"
        return [person for (person,) in look.execute(query)]


def test_what_was_not_acknowledged_is_lost_so_the_test_above_has_teeth(tmp_path) -> None:
    killed_standing(tmp_path / "careless.db", "")
    assert people(tmp_path / "careless.db") == []
    killed_standing(tmp_path / "careful.db", "flush")
    assert people(tmp_path / "careful.db") == list(range(40))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_log_whose_end_a_power_cut_took_is_read_up_to_there(tmp_path, share: float) -> None:
    file = tmp_path / "journal.db"
    killed_standing(file, "flush")
    log = Path(f"{file}-wal")
    log.write_bytes(log.read_bytes()[: int(log.stat().st_size * share)])
    problems: list[str] = []
    journal = Journal(JournalSettings(file=str(file)), problems.append, settle=0.0)
    journal.note("started", utc_now())
    assert journal.close(30)
    left = people(file)
    # Whole transactions of four, from the first on, and never all of them.
    assert left == list(range(len(left))) and len(left) % 4 == 0 and len(left) < 40
    assert (share < 0.5 or len(left) > 0) and problems == []
