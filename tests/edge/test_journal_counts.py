"""A broker that is told of today's people after a restart hears of those before it too."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from edge.journal.counts import counted
from edge.journal.journal import Journal
from edge.journal.settings import JournalSettings
from edge.report.events import Event

NOON = datetime(2026, 5, 4, 12, tzinfo=timezone.utc)


def test_the_people_and_alarms_of_today_are_counted(tmp_path):
    settings = JournalSettings(file=str(tmp_path / "journal.db"))
    journal = Journal(settings, print, clock=lambda: NOON)
    for hours, kind, verdict in (
        (-20, "person_left", "mask"), (-3, "person_left", "mask"), (-2, "alarm_started", "no_mask"),
        (-2, "person_left", "no_mask"), (-1, "person_left", "mask"), (-1, "alarm_ended", None),
    ):
        journal.write(Event(1.0, kind, 1, verdict), NOON + timedelta(hours=hours), "m")
    assert journal.close(20)
    assert counted(settings, NOON, timezone.utc) == {"mask": 2, "no_mask": 1, "alarms": 1}


def test_without_a_journal_nothing_was_counted(tmp_path):
    assert counted(JournalSettings(), NOON, environ={}) == {}
    assert counted(JournalSettings(file=str(tmp_path / "none.db")), NOON) == {}
