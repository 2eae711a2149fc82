"""Reading a journal, also while the service writes it, without ever being in its way."""

from __future__ import annotations

import contextlib
import grp
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, datetime
from pathlib import Path

from edge.errors import OutputError
from edge.files import regular
from edge.journal.rows import milliseconds, moment
from edge.journal.schema import SELECT, check_ours

# Read so many at a time, and none held while they are printed: a reader that pauses in the
# middle of a query would keep the service's write-ahead log from being emptied.
_AT_ONCE = 500
_BUSY_SECONDS = 5.0
_NULL = type(None)
# What a column may hold, where that is not text: SQLite itself takes anything anywhere.
_TYPES: Mapping[str, tuple[type, ...]] = {
    "id": (int,), "at": (int,), "uptime": (float,), "seconds": (float, _NULL),
    "person": (int, _NULL), "verdict": (str, _NULL), "confidence": (float, _NULL),
    "muted": (int,),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of a journal; see docs/journal.md for every field.

    *at* is in UTC.  *uptime* is the monotonic clock in seconds, *seconds* the source's time,
    None for what has none.  *box* is x0, y0, x1, y1 in pixels.
    """

    id: int
    at: datetime
    session: str
    uptime: float
    seconds: float | None
    kind: str
    person: int | None
    verdict: str | None
    confidence: float | None
    box: tuple[float, ...]
    picture: str
    lack: str
    muted: bool
    fault: str
    detail: str
    evidence: str
    model: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events: from *since* on, before *until*, of these *kinds* and *verdicts*.

    What is None or empty does not matter.  *person* is a number; numbers begin anew with
    each session, and with each reload in it.
    """

    since: datetime | None = None
    until: datetime | None = None
    kinds: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    person: int | None = None

    def sql(self) -> tuple[str, list[object]]:
        """Return this as a condition in SQL, and the values of its question marks."""
        terms: list[str] = []
        values: list[object] = []
        for column, among in (("kind", self.kinds), ("verdict", self.verdicts)):
            if among:
                terms.append(f"{column} IN ({', '.join('?' * len(among))})")
                values.extend(among)
        if self.since is not None:
            terms.append("at >= ?")
            values.append(_not_before(self.since))
        if self.until is not None:
            terms.append("at < ?")
            values.append(_not_before(self.until))
        if self.person is not None:
            terms.append("person = ?")
            values.append(self.person)
        return " AND ".join(terms) or "1", values


class Reader:
    """A journal that is open for reading.  Use it as a context manager.

    Raises OutputError, in a line that helps, when *file* is not there, may not be read, is
    damaged or is no journal; also from every method.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._connection = _connected(file)
        self._identity = _identity(file)

    def entries(
        self, wanted: Filter, *, last: int | None = None, after: int = 0
    ) -> Iterator[Entry]:
        """Yield what is *wanted*, in the order it happened; only the *last* so many.

        *after* is the id of an event to begin behind.  What is written meanwhile is left out.
        """
        where, values = wanted.sql()
        with _told(self.file):
            (end,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM event").fetchone()
            if last is not None:
                first = self._connection.execute(
                    f"SELECT id FROM event WHERE {where} AND id > ? AND id <= ? "
                    "ORDER BY id DESC LIMIT 1 OFFSET ?",
                    [*values, after, end, last - 1],
                ).fetchone()
                after = after if first is None else first[0] - 1
        while True:
            with _told(self.file):
                found = self._connection.execute(
                    f"{SELECT} WHERE {where} AND event.id > ? AND event.id <= ? "
                    f"ORDER BY event.id LIMIT {_AT_ONCE}",
                    [*values, after, end],
                ).fetchall()
            yield from map(self._entry, found)
            if len(found) < _AT_ONCE:
                return
            after = found[-1][0]

    def before(self, at: datetime, kinds: Sequence[str]) -> Entry | None:
        """Return the newest event of one of these *kinds* from before *at*."""
        where, values = Filter(until=at, kinds=tuple(kinds)).sql()
        with _told(self.file):
            row = self._connection.execute(
                f"{SELECT} WHERE {where} ORDER BY event.id DESC LIMIT 1", values
            ).fetchone()
        return None if row is None else self._entry(row)

    def newest(self) -> int:
        """Return the id of the newest event, 0 in an empty journal."""
        with _told(self.file):
            row = self._connection.execute("SELECT coalesce(max(id), 0) FROM event").fetchone()
        return int(row[0])

    def replaced(self) -> bool:
        """Return whether another file has its name by now, as after damage."""
        return _identity(self.file) not in (self._identity, None)

    def _entry(self, row: Sequence[object]) -> Entry:
        try:
            return _entry(row)
        except (ValueError, TypeError, OverflowError) as error:
            raise OutputError(
                f"the journal {self.file} is damaged (event {row[0]}: {error}). What can be read: "
                f"sqlite3 -readonly {self.file} 'SELECT * FROM readable'"
            ) from None

    def close(self) -> None:
        """Close the file; may be called twice."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def follow(
    file: Path, wanted: Filter, *, last: int, wait: Callable[[], bool]
) -> Iterator[Entry]:
    """Yield the *last* so many events, then new ones as they are written; for ever.

    *wait* is called when there is nothing new; it returns False to end.  A journal that takes
    the place of this one is followed from its beginning.
    """
    reader = Reader(file)
    try:
        # Taken first: an event that is written in between is then shown once, not missed.
        seen = reader.newest()
        for entry in reader.entries(wanted, last=last) if last else ():
            seen = max(seen, entry.id)
            yield entry
        while wait():
            if reader.replaced():
                fresh = Reader(file)
                reader.close()
                reader, seen = fresh, 0
            newest = reader.newest()
            if newest > seen:
                for entry in reader.entries(wanted, after=seen):
                    newest = max(newest, entry.id)
                    yield entry
                seen = newest
    finally:
        reader.close()


def _entry(row: Sequence[object]) -> Entry:
    """Return what is in *row*.

    Raises ValueError, TypeError or OverflowError for values that maskgate does not write.
    """
    values = dict(zip(Entry.__dataclass_fields__, row, strict=True))
    for name, value in values.items():
        if not isinstance(value, _TYPES.get(name, (str,))):
            raise TypeError(f"{name} is {value!r:.40}")
    at = moment(int(str(values["at"])))
    # At either end of what Python calls dates a local time is beyond it.
    if not 1 < at.year < MAXYEAR:
        raise ValueError(f"at is in the year {at.year}")
    values["at"] = at
    box = str(values["box"])
    values["box"] = tuple(float(side) for side in box.split(",")) if box else ()
    values["muted"] = bool(values["muted"])
    return Entry(**values)  # type: ignore[arg-type]


def _not_before(at: datetime) -> int:
    """Return the first whole millisecond that is not before *at*."""
    whole = milliseconds(at)
    return whole + (moment(whole) < at)


def _connected(file: Path) -> sqlite3.Connection:
    try:
        # Opened for reading first, because SQLite does not say why it cannot open a file.
        regular(file).close()
    except FileNotFoundError:
        raise OutputError(
            f"there is no journal {file}; the service begins one when it starts. "
            "Name another with --journal"
        ) from None
    except PermissionError:
        raise OutputError(_denied(file)) from None
    except OSError as error:
        raise OutputError(f"the journal {file} cannot be read: {error.strerror}") from None
    with _told(file):
        try:
            return _opened(file, "mode=ro")
        except sqlite3.OperationalError:
            # Who may not write to the folder cannot make the index that SQLite wants beside
            # the log.  Without a log nobody is writing, and the file is all there is.
            if Path(f"{file}-wal").exists():
                raise
            return _opened(file, "mode=ro&immutable=1")


def _opened(file: Path, how: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{file.absolute().as_uri()}?{how}", uri=True, timeout=_BUSY_SECONDS, isolation_level=None
    )
    try:
        if not check_ours(connection, file):
            raise OutputError(f"the journal {file} is empty: no service has written to it yet")
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def _told(file: Path) -> Iterator[None]:
    """Turn SQLite's errors into one line that says what to do."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "readonly" in str(error) or "unable to open" in str(error):
            raise OutputError(_denied(file)) from None
        raise OutputError(f"the journal {file} cannot be read: {error}") from None
    except sqlite3.Error as error:
        raise OutputError(
            f"the journal {file} is damaged ({error}); the service moves it aside when it notices, "
            f"and begins a new one. What can be saved: sqlite3 {file} .recover"
        ) from None


def _denied(file: Path) -> str:
    advice = "use sudo"
    with contextlib.suppress(OSError, KeyError):
        status = file.stat()
        if status.st_mode & 0o040:
            advice = f"use sudo, or join the group {grp.getgrgid(status.st_gid).gr_name}"
    return f"the journal {file} may not be read by this user: {advice}"


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
