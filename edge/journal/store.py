"""The journal's file: rows that are on disk when ``append`` returns, within bounds.

Everything here may take as long as an SD card likes; only the writer's thread calls it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from edge.errors import OutputError
from edge.files import sync_folder
from edge.journal.rows import Row, milliseconds
from edge.journal.schema import INSERT, NewerJournal, migrate

MOST_ROWS = 200
"""How many rows one transaction may append."""

# How long another program may hold the file before a write is tried again later.
_BUSY_SECONDS = 2.0
# Kept free of the size limit for one more batch and SQLite's side files: the write-ahead log,
# which is emptied from 64 pages (256 KiB) on and may have one more transaction in it, and its
# index.
_SIDE_BYTES = 1536 * 1024
_LOG_PAGES = 64
# Few rows at a time, so that new events never wait long for the deletion of old ones.
_DELETED_AT_ONCE = 200
_DELETIONS_AT_ONCE = 4
# Deleting goes on to this share of the limit, so that it is not due again with the next event.
_ROOM = 0.95
_KEPT_ASIDE = 2


class Store:
    """An open journal, at most *max_days* old and *max_bytes* large.

    A file that is damaged, or from a newer maskgate, is moved aside and a new one begun;
    *moved* then says so.  The whole file is read for that when it is *suspect* or was not
    closed in good order.  Raises OutputError when *file* is something else than a journal or
    its folder is missing, sqlite3.Error for what the disk does not allow.
    """

    def __init__(
        self,
        file: Path,
        *,
        max_days: float,
        max_bytes: int,
        now: datetime,
        suspect: bool = False,
    ) -> None:
        self._file = file
        self._age = timedelta(days=max_days)
        self._most_bytes = max_bytes - _SIDE_BYTES
        self.moved = ""
        if not file.parent.is_dir():
            raise OutputError(f"the folder {file.parent} does not exist; create it")
        try:
            self._connection = self._opened(suspect)
        except NewerJournal:
            self.moved = f"{move_aside(file, now, 'newer').name}: a newer maskgate wrote it"
            self._connection = self._opened()
        except sqlite3.DatabaseError as error:
            if not is_broken(error):
                raise
            self.moved = f"{move_aside(file, now).name}: {error}"
            self._connection = self._opened()

    def append(self, rows: Sequence[Row], now: datetime | None) -> bool:
        """Write *rows*, at most MOST_ROWS, in one transaction; on disk when this returns.

        Room is made first; returns whether that is done, as :meth:`prune` does.
        """
        done = self.prune(now)
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        try:
            models = {(row.model,) for row in rows if row.model}
            self._connection.executemany("INSERT OR IGNORE INTO model (name) VALUES (?)", models)
            self._connection.executemany(INSERT, rows)
            run("COMMIT")
        except BaseException:
            self._undo()
            raise
        return done

    def prune(self, now: datetime | None) -> bool:
        """Delete what is too old, and the oldest of what is too much; return whether it is done.

        A call deletes at most 800 events, in small transactions.  Without *now* nothing is too
        old.
        """
        target: float = self._most_bytes
        for _ in range(_DELETIONS_AT_ONCE):
            if now is not None and self._delete(
                f"at < {milliseconds(now - self._age)} ORDER BY at"
            ):
                continue
            if self._bytes() <= target:
                return True
            target = self._most_bytes * _ROOM
            if not self._delete("1 ORDER BY id"):
                return True
        return False

    def has_any(self, since: datetime, until: datetime) -> bool:
        """Return whether there is an event from *since* on and before *until*."""
        (found,) = self._connection.execute(
            "SELECT EXISTS (SELECT 1 FROM event WHERE at >= ? AND at < ?)",
            (milliseconds(since), milliseconds(until)),
        ).fetchone()
        return bool(found)

    def close(self) -> None:
        """Close the file; SQLite empties its write-ahead log into it.  May be called twice."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def _opened(self, suspect: bool = False) -> sqlite3.Connection:
        # A log that is left over tells of a program that did not end in good order.
        unclean = Path(f"{self._file}-wal").exists()
        connection = sqlite3.connect(self._file, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            run = connection.execute
            migrate(connection, self._file)
            run("PRAGMA journal_mode = WAL").fetchall()
            # FULL syncs the log at each commit.  With less, a power cut loses what was told
            # to be kept, or leaves a file that cannot be read at all.
            run("PRAGMA synchronous = FULL")
            run(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}").fetchall()
            run("PRAGMA journal_size_limit = 262144").fetchall()
            run("PRAGMA temp_store = MEMORY")
            if suspect or unclean:
                # The thorough check reads every index too, and so takes longer.
                check = "integrity_check" if suspect else "quick_check"
                (verdict,) = run(f"PRAGMA {check}(1)").fetchone()
                if verdict != "ok":
                    raise sqlite3.DatabaseError(f"it is damaged ({verdict})")
        except BaseException:
            connection.close()
            raise
        return connection

    def _bytes(self) -> int:
        """Return what is in use; what is free is given back by the same call that frees it."""
        pages = self._asked("page_count") - self._asked("freelist_count")
        return pages * self._asked("page_size")

    def _asked(self, pragma: str) -> int:
        return int(self._connection.execute(f"PRAGMA {pragma}").fetchone()[0])

    def _delete(self, which: str) -> int:
        """Delete a few events, the first of *which*, give their space back; return how many."""
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        try:
            gone = run(
                "DELETE FROM event WHERE id IN "
                f"(SELECT id FROM event WHERE {which} LIMIT {_DELETED_AT_ONCE})"
            ).rowcount
            # Python runs this statement's first step only, which gives one page back.
            for _ in range(self._asked("freelist_count")):
                run("PRAGMA incremental_vacuum(1)").fetchall()
            run("COMMIT")
        except BaseException:
            self._undo()
            raise
        return gone

    def _undo(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def is_broken(error: sqlite3.Error) -> bool:
    """Return whether *error* says that the file's content is damaged, or no database at all."""
    # Python raises the plain class for SQLITE_CORRUPT and SQLITE_NOTADB; what a full disk, a
    # lock or missing rights cause is an OperationalError.
    return type(error) is sqlite3.DatabaseError


def move_aside(file: Path, now: datetime, why: str = "broken") -> Path:
    """Rename the journal *file* to ``FILE.WHY-TIME``; return that.  Only the newest two stay.

    Its write-ahead log, which may hold events that are nowhere else, goes with it.
    """
    stem = f"{file.name}.{why}-{now.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}"
    aside, number = file.with_name(stem), 1
    while aside.exists():
        number += 1
        aside = file.with_name(f"{stem}-{number}")
    log = Path(f"{file}-wal")
    if log.exists():
        os.replace(log, f"{aside}-wal")
    Path(f"{file}-shm").unlink(missing_ok=True)
    os.replace(file, aside)
    kept = [one for one in file.parent.glob(f"{file.name}.{why}-*") if one.suffix != ".tmp"]
    bodies = [one for one in kept if not one.name.endswith(("-wal", "-shm"))]
    # The clock may have jumped back, so what was moved just now counts as the newest.
    bodies.sort(key=lambda one: (one == aside, one.name))
    for old in bodies[:-_KEPT_ASIDE]:
        for end in ("", "-wal", "-shm"):
            Path(f"{old}{end}").unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        sync_folder(file.parent)
    return aside
