"""The journal: readable, whole, and without gaps."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from edge.doctor.context import Context
from edge.doctor.finding import Finding, failure, ok, skipped, together, warning
from edge.doctor.past import journal_path
from edge.doctor.places import place
from edge.errors import OutputError
from edge.journal.query import Filter, Reader

_CHECK_SECONDS = 10.0
# SQLite asks whether to go on after so many of its steps.
_STEPS = 10_000
_DAYS = 7


def check_journal(ctx: Context) -> Finding:
    """Open the journal for reading, check its pages for seconds at most, and count its gaps."""
    settings = ctx.settings().journal
    if not settings.enabled:
        return skipped("the journal is switched off ([journal] enabled)")
    file = journal_path(ctx)
    if file is None:
        return skipped("there is none when maskgate is run by hand ([journal] file names one)")
    there = place(file)
    if there == "hidden":
        return skipped(f"{file} may not be looked at by this user", "use sudo")
    if there == "absent":
        if ctx.service.running:
            return failure(f"the service runs and there is no {file}", "journalctl -u maskgate")
        return skipped(f"there is no {file} yet: the service begins it")
    try:
        with Reader(file) as reader:
            since = ctx.now - timedelta(days=_DAYS)
            kinds = ("events_lost", "journal_replaced")
            gaps = [entry.kind for entry in reader.entries(Filter(since=since, kinds=kinds))]
            newest = reader.newest()
    except OutputError as error:
        return (skipped if "may not be read" in str(error) else failure)(str(error))
    size = file.stat().st_size / 2**20
    parts = [quick_check(file), ok(f"{file}: events so far: {newest}; {size:.1f} MiB")]
    if "events_lost" in gaps:
        parts.append(warning(
            f"events were lost {gaps.count('events_lost')} times in the last {_DAYS} days",
            "the card is full or too slow: see the disk's line",
        ))
    if "journal_replaced" in gaps:
        parts.append(warning(
            f"it was damaged and begun anew in the last {_DAYS} days",
            "use the board's own power supply, and shut down before you cut the power",
        ))
    return together(*parts)


def quick_check(
    file: Path, seconds: float = _CHECK_SECONDS, clock: Callable[[], float] = time.monotonic
) -> Finding:
    """Return whether every page of the journal *file* is sound, as far as *seconds* go."""
    until = clock() + seconds
    try:
        with contextlib.closing(
            sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)
        ) as connection:
            connection.set_progress_handler(lambda: clock() > until, _STEPS)
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            return ok(f"its pages are sound as far as {seconds:g} s went")
        return skipped(f"its pages cannot be checked ({error})", "use sudo")
    except sqlite3.DatabaseError as error:
        verdict = str(error)
    if verdict == "ok":
        return ok("all its pages are sound")
    return failure(
        f"it is damaged ({' '.join(str(verdict).split())[:120]})",
        f"the service begins a new one; what can be saved: sqlite3 {file} .recover",
    )
