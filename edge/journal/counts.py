"""What was counted today, for those who begin to count in the middle of a day."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, tzinfo

from edge.journal.query import Filter, Reader
from edge.journal.settings import JournalSettings, journal_file
from edge.journal.times import day_span


def counted(
    settings: JournalSettings,
    now: datetime,
    zone: tzinfo | None = None,
    environ: Mapping[str, str] = os.environ,
) -> dict[str, int]:
    """Return how many left today with each verdict, and how many ``alarms`` there were.

    Today is the day of *now* in *zone*, the machine's by default.  Without a journal nothing
    was counted.  Raises OutputError for one that cannot be read.
    """
    file = journal_file(settings, environ)
    if file is None or not file.exists():
        return {}
    since, until = day_span(now.astimezone(zone).date(), zone)
    wanted = Filter(since=since, until=until, kinds=("person_left", "alarm_started"))
    counts: Counter[str] = Counter()
    with Reader(file) as reader:
        for entry in reader.entries(wanted):
            counts["alarms" if entry.kind == "alarm_started" else entry.verdict or "unsure"] += 1
    return dict(counts)
