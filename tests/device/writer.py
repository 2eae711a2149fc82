"""Hands events to the product's journal on the board and prints each number once it is safe.

``writer.py FILE START [careless]``; careless is the negative control: SQLite is told not to sync,
and what is acknowledged is then not safe.  ``writer.py FILE`` checks the file and prints what it
holds.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from pathlib import Path

PAUSE = 0.1  # seconds


def check(file: str) -> None:
    """Print how the journal is after a power cut."""
    verdict, last = "none", 0
    if Path(file).exists():
        connection = sqlite3.connect(file)
        try:
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            last, count = connection.execute(
                "SELECT coalesce(max(person), 0), count(*) FROM event WHERE kind = 'person_left'"
            ).fetchone()
            verdict = verdict if count == last else f"{count} of {last}"
        except sqlite3.DatabaseError as error:
            verdict = str(error)
    print(f"JOURNAL {last} {verdict}", flush=True)


def write(file: str, start: int, careless: bool) -> None:
    """Write from *start* on until the power goes."""
    from edge.journal.journal import Journal, utc_now
    from edge.journal.settings import JournalSettings
    from edge.journal.store import Store
    from edge.report.events import Event

    if careless:
        opened = Store._opened

        def unsafe(store: Store, suspect: bool = False) -> sqlite3.Connection:
            connection = opened(store, suspect)
            connection.execute("PRAGMA synchronous = OFF")
            return connection

        Store._opened = unsafe  # type: ignore[method-assign,assignment]
    journal = Journal(JournalSettings(file=file), print, settle=0.0)
    person = start
    while True:
        for _ in range(5):
            person += 1
            journal.write(Event(0.0, "person_left", person, "mask", 0.9), utc_now(), "masks 2")
        if not journal.flush(60):
            raise SystemExit("the journal takes nothing")
        print(f"ROW {person}", flush=True)
        # The gate beside it is to get at the card, too.
        time.sleep(PAUSE)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        check(sys.argv[1])
    else:
        write(sys.argv[1], int(sys.argv[2]), "careless" in sys.argv)
