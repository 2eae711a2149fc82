"""The tables of the journal, and how an older journal becomes one of today."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from edge.errors import OutputError
from edge.journal.rows import Row

APPLICATION_ID = 0x6D61736B
"""Marks a SQLite file as a maskgate journal (``mask``), so that no other file is touched."""

_TABLES = (
    "CREATE TABLE model (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    # AUTOINCREMENT: an id is never used twice, so ids are the order of what happened even when
    # the wall clock jumps, and a reader that follows misses nothing after everything aged out.
    """CREATE TABLE event (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        session TEXT NOT NULL,
        uptime REAL NOT NULL,
        seconds REAL,
        kind TEXT NOT NULL,
        person INTEGER,
        verdict TEXT,
        confidence REAL,
        box TEXT NOT NULL,
        picture TEXT NOT NULL,
        lack TEXT NOT NULL,
        muted INTEGER NOT NULL,
        fault TEXT NOT NULL,
        detail TEXT NOT NULL,
        evidence TEXT NOT NULL,
        model INTEGER REFERENCES model(id)
    )""",
    "CREATE INDEX event_at ON event(at)",
    # For whoever opens the file with the sqlite3 shell.
    """CREATE VIEW readable AS
        SELECT event.id, strftime('%Y-%m-%d %H:%M:%f', at / 1000.0, 'unixepoch') AS utc,
            session, kind, person, verdict, confidence, fault, detail, name AS model
        FROM event LEFT JOIN model ON model.id = event.model""",
)

MIGRATIONS: Sequence[Sequence[str]] = (_TABLES,)
"""The n-th takes a journal from version n to n + 1; a version, once released, never changes."""

_COLUMNS = tuple(name for name in Row._fields if name != "model")

INSERT = (
    f"INSERT INTO event ({', '.join(_COLUMNS)}, model) "
    f"VALUES ({', '.join('?' * len(_COLUMNS))}, (SELECT id FROM model WHERE name = ?))"
)
"""Inserts a :class:`Row` whose model's name is known."""

SELECT = (
    f"SELECT event.id, {', '.join(_COLUMNS)}, coalesce(name, '') FROM event "
    "LEFT JOIN model ON model.id = event.model"
)


class NewerJournal(OutputError):
    """Error raised for a journal that a later version of maskgate has written."""


def check_ours(connection: sqlite3.Connection, file: object, newest: int = len(MIGRATIONS)) -> int:
    """Return the version of the journal *file*, 0 for an empty one.

    Raises OutputError for a SQLite file that is not a journal, NewerJournal for one of a later
    version, sqlite3.Error for what cannot be read.
    """
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if mark != APPLICATION_ID and (mark or version or tables):
        raise OutputError(f"{file} is not a maskgate journal; name another file")
    if version > newest:
        raise NewerJournal(
            f"the journal {file} was written by a newer maskgate (its version is {version}, "
            f"known are 1 to {newest}); update maskgate"
        )
    return int(version)


def migrate(
    connection: sqlite3.Connection,
    file: object,
    migrations: Sequence[Sequence[str]] = MIGRATIONS,
) -> None:
    """Bring the journal *file* to today's version, in one transaction; an empty file, too.

    Raises as :func:`check_ours` does.
    """
    version = check_ours(connection, file, len(migrations))
    if version == len(migrations):
        return
    if version == 0:
        # Only before the first table, and outside of a transaction, can this be said.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statements in migrations[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
