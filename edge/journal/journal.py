"""The journal as the gate sees it: events go in at once, a thread of its own writes them down.

A commit on an SD card can take a second, a full disk for ever; the gate's light waits for
neither.  What is handed in is on disk within a second as long as the disk keeps up, and what
cannot be kept is counted and told, in the journal itself too.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timezone

from edge.errors import OutputError
from edge.journal.doubt import Doubt, span_before
from edge.journal.rows import Row, event_row, incident_row
from edge.journal.settings import JournalSettings, journal_file
from edge.journal.store import MOST_ROWS, Store, is_broken
from edge.report.events import Event

# Events waiting for the disk; with 100 people an hour, the better part of a day.
_MOST_WAITING = 2000
# Age is looked at this often even when nothing happens.
_PRUNE_SECONDS = 600.0
_FIRST_RETRY_SECONDS = 1.0
_LAST_RETRY_SECONDS = 60.0
# A wall clock that moves this much against the monotonic one was set, and did not just drift.
_CLOCK_JUMP_SECONDS = 2.0


def utc_now() -> datetime:
    """Return the wall clock's time, in UTC."""
    return datetime.now(timezone.utc)


class Journal:
    """Writes events to a SQLite file; never raises, never waits.

    *problems* is told, in one line each, what goes wrong with the journal and when it is over:
    once per change, from the writer's thread or the caller's.  *clock* is for what age means,
    *monotonic* for the order of events and for waiting.  *settle* is how long, in seconds,
    events are collected before they are written in one go: lower, and an SD card wears sooner;
    higher, and a power cut loses more.

    Nothing is written where the settings and $STATE_DIRECTORY in *environ* name no file.

    Attributes: *file*, None when nothing is written; *session*, the random name of this run;
    *lost*, how many events could not be kept.
    """

    def __init__(
        self,
        settings: JournalSettings,
        problems: Callable[[str], None],
        *,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        environ: Mapping[str, str] = os.environ,
        settle: float = 0.8,
        most_waiting: int = _MOST_WAITING,
    ) -> None:
        self.file = journal_file(settings, environ)
        # The letter keeps spreadsheets from reading 12e45678 as a number.
        self.session = f"s{secrets.token_hex(4)}"
        self.lost = 0
        self._settings = settings
        self._problems = problems
        self._clock = clock
        self._monotonic = monotonic
        self._settle = settle
        self._most_waiting = most_waiting
        self._changed = threading.Condition()
        self._waiting: deque[Row] = deque()
        self._taken = 0
        self._kept = 0
        self._hurry = False
        self._closing = False
        self._lost_now = 0
        self._clock_ahead: float | None = None
        self._store: Store | None = None
        self._doubt: Doubt | None = None
        self._failure = ""
        self._suspect = False
        self._doubted = False
        self._thread: threading.Thread | None = None
        if self.file is not None:
            self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
            self._thread.start()

    def write(self, event: Event, at: datetime, model: str, *, evidence: str = "") -> None:
        """Keep *event*, which happened at the wall clock's *at*, judged by *model*.

        *evidence* is the file name of its picture, where one was taken.
        """
        self._take(
            at,
            lambda uptime: event_row(
                event, at, session=self.session, uptime=uptime, model=model, evidence=evidence
            ),
        )

    def note(
        self, kind: str, at: datetime, detail: str = "", *, fault: str = "", model: str = ""
    ) -> None:
        """Keep an incident of the service; *kind* is one of ``edge.journal.kinds.KINDS``."""
        self._take(
            at,
            lambda uptime: incident_row(
                kind, at, session=self.session, uptime=uptime, detail=detail, fault=fault,
                model=model,
            ),
        )

    @property
    def written(self) -> int:
        """How many rows are on disk, incidents of the journal itself among them."""
        return self._kept

    def flush(self, timeout: float) -> bool:
        """Wait until all that was handed in is on disk; return whether it is, within *timeout*."""
        if self.file is None:
            return True
        with self._changed:
            wanted = self._taken
            self._hurry = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._kept >= wanted, timeout)

    def close(self, timeout: float = 5.0) -> bool:
        """Write what waits and give the file back, within *timeout* seconds; may be called twice.

        Returns whether everything was written; what was not has been told.
        """
        if self._thread is None:
            return True
        with self._changed:
            again, self._closing = self._closing, True
            self._changed.notify_all()
        self._thread.join(timeout)
        left = len(self._waiting)
        if left and not again:
            self._tell(f"{_events(left)} could not be written to the journal {self.file} in time")
        return not left

    def _take(self, at: datetime, row_at: Callable[[float], Row]) -> None:
        """Queue what *row_at* makes of the monotonic time, or count it as lost."""
        if self.file is None:
            return
        told = ""
        try:
            uptime = self._monotonic()
            row = row_at(uptime)
        except Exception as error:  # whatever is wrong with one event, the gate goes on
            self.lost += 1
            self._tell(f"an event cannot be journalled ({type(error).__name__}: {error})")
            return
        with self._changed:
            if self._closing or len(self._waiting) >= self._most_waiting:
                self.lost += 1
                self._lost_now += 1
                if self._lost_now == 1:
                    why = "it is closed" if self._closing else f"{self._most_waiting} wait for it"
                    told = f"events are lost: the journal {self.file} takes no more, {why}"
            else:
                self._queue_gap(at, uptime)
                self._queue_jump(at, uptime)
                self._queue(row)
                if len(self._waiting) >= MOST_ROWS:
                    self._hurry = True
                self._changed.notify_all()
        if told:
            self._tell(told)

    def _queue(self, row: Row) -> None:
        self._waiting.append(row)
        self._taken += 1

    def _queue_gap(self, at: datetime, uptime: float) -> None:
        if self._lost_now:
            detail = f"{_events(self._lost_now)} lost"
            self._lost_now = 0
            self._queue(
                incident_row(
                    "events_lost", at, session=self.session, uptime=uptime, detail=detail
                )
            )

    def _queue_jump(self, at: datetime, uptime: float) -> None:
        ahead = at.timestamp() - uptime
        jump = 0.0 if self._clock_ahead is None else ahead - self._clock_ahead
        self._clock_ahead = ahead
        if abs(jump) > _CLOCK_JUMP_SECONDS:
            self._queue(
                incident_row(
                    "clock_changed", at, session=self.session, uptime=uptime,
                    detail=f"by {jump:+.1f} s",
                )
            )

    def _run(self) -> None:
        prune_at = self._monotonic()
        retry, retry_at = _FIRST_RETRY_SECONDS, 0.0
        while True:
            rows = self._due(prune_at, retry_at)
            if rows is None:
                break
            try:
                done = self._work(rows)
            except Exception as error:  # a disk fails in more ways than can be listed
                if self._fail(error):
                    continue
                if self._closing:
                    break
                retry_at = self._monotonic() + retry
                retry = min(2 * retry, _LAST_RETRY_SECONDS)
                continue
            retry, retry_at = _FIRST_RETRY_SECONDS, 0.0
            prune_at = self._monotonic() + (_PRUNE_SECONDS if done else 0.0)
            self._succeed(len(rows))
        if self._store is not None:
            self._store.close()

    def _due(self, prune_at: float, retry_at: float) -> list[Row] | None:
        """Wait until something is to be done; return the rows to write, None to end."""
        with self._changed:
            while True:
                now = self._monotonic()
                if self._closing:
                    if not self._waiting:
                        return None
                    break
                due = prune_at
                if self._waiting:
                    due = min(due, now if self._hurry else self._waiting[0].uptime + self._settle)
                due = max(due, retry_at)
                if due <= now:
                    break
                self._changed.wait(min(due - now, _PRUNE_SECONDS))
            return [self._waiting[i] for i in range(min(MOST_ROWS, len(self._waiting)))]

    def _work(self, rows: list[Row]) -> bool:
        """Write *rows* and delete what is too old or too much; return whether that is done."""
        assert self.file is not None
        now, uptime = self._clock(), self._monotonic()
        if self._store is None:
            self._store = Store(
                self.file,
                max_days=self._settings.max_days,
                max_bytes=self._settings.max_megabytes * 2**20,
                now=now,
                suspect=self._suspect,
            )
            self._suspect = False
            if self._store.moved:
                self._replaced(self._store.moved, now)
        if self._doubt is None:
            known = self._store.has_any(*span_before(now))
            self._doubt = Doubt(now, uptime, known=known)
        believed = None if self._doubt.holds(now, uptime) else now
        return self._store.append(rows, believed) if rows else self._store.prune(believed)

    def _replaced(self, moved: str, now: datetime) -> None:
        self._tell(f"a new journal {self.file} was begun; the one before is {moved}")
        row = incident_row(
            "journal_replaced", now, session=self.session, uptime=self._monotonic(), detail=moved
        )
        assert self._store is not None
        # Nothing is old in a journal that has just begun.
        self._store.append([row], None)

    def _fail(self, error: Exception) -> bool:
        """Give the file back and tell of *error*; return whether to try again at once."""
        if self._store is not None:
            self._store.close()
            self._store = None
            if isinstance(error, sqlite3.Error) and is_broken(error) and not self._doubted:
                # A file that broke while it was open is looked at, and moved aside, by opening.
                self._suspect = self._doubted = True
                return True
        words = _reason(error)
        if words != self._failure:
            self._failure = words
            self._tell(
                f"the journal {self.file} cannot be written ({words}); "
                "the gate goes on, and it is tried again"
            )
        return False

    def _succeed(self, count: int) -> None:
        with self._changed:
            for _ in range(count):
                self._waiting.popleft()
            self._kept += count
            self._hurry = self._hurry and bool(self._waiting)
            self._changed.notify_all()
        self._doubted = False
        if self._failure:
            self._failure = ""
            lost = f"; {_events(self.lost)} lost so far" if self.lost else ""
            self._tell(f"the journal {self.file} is written again{lost}")

    def _tell(self, line: str) -> None:
        # Whoever is told must not be able to end the writer.
        with contextlib.suppress(Exception):
            self._problems(line)


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"


def _reason(error: Exception) -> str:
    if isinstance(error, OutputError):
        return str(error)
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return " ".join(str(error).split()) or type(error).__name__
