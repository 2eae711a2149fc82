"""A wrong clock does not erase the journal, and a right one keeps to the age that was set."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge.journal.doubt import Doubt
from edge.journal.journal import Journal
from edge.journal.query import Filter, Reader
from edge.journal.settings import JournalSettings
from edge.report.events import Event

NOW = datetime(2024, 1, 31, 9, 30, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
DECADE = 3650 * DAY
PROMPT = 20.0


class Board:
    """A journal of 30 days in *folder*, and clocks that are set by hand."""

    def __init__(self, folder: Path, now: datetime = NOW) -> None:
        self.now, self.uptime = now, 100.0
        self.file = folder / "journal.db"
        self._begin()

    def _begin(self) -> None:
        self.journal = Journal(
            JournalSettings(file=str(self.file), max_days=30), pytest.fail,
            clock=lambda: self.now, monotonic=lambda: self.uptime, settle=0.0,
        )

    def goes_on(self, by: timedelta) -> None:
        self.now += by
        self.uptime += by.total_seconds()

    def starts(self, after: timedelta = timedelta()) -> None:
        assert self.journal.close(PROMPT)
        self.goes_on(after)
        self._begin()

    def judged(self, *people: int) -> None:
        for person in people:
            self.journal.write(Event(1.0, "person_left", person, "mask"), self.now, "m")
        assert self.journal.flush(PROMPT)

    def people(self) -> list[int]:
        with Reader(self.file) as reader:
            found = reader.entries(Filter(kinds=("person_left",)))
            return [entry.person for entry in found]


@pytest.fixture
def board(tmp_path):
    """A board whose clock has been right for four hours and that has seen one person."""
    board = Board(tmp_path)
    board.judged(1)
    board.goes_on(4 * HOUR)
    yield board
    board.journal.close()


def test_a_clock_that_leaps_ahead_and_back_erases_nothing(board) -> None:
    board.judged(2)
    board.now += DECADE
    board.judged(3)
    board.goes_on(HOUR)
    board.judged(4)
    board.now -= DECADE
    board.judged(5)
    assert board.people() == [1, 2, 3, 4, 5]


def test_a_clock_that_stays_ahead_is_believed_after_three_hours(board) -> None:
    board.now += 31 * DAY
    board.judged(2)
    board.goes_on(2.9 * HOUR)
    board.judged(3)
    assert board.people() == [1, 2, 3]
    board.goes_on(0.2 * HOUR)
    board.judged(4)
    assert board.people() == [2, 3, 4]


@pytest.mark.parametrize("starts", [1, 3])
def test_a_board_that_starts_with_a_wrong_clock_erases_nothing(board, starts) -> None:
    board.now += DECADE
    for person in range(starts):
        board.starts()
        board.judged(2 + person)
        board.goes_on(0.5 * HOUR)
    board.now -= DECADE
    board.starts()
    board.judged(9)
    assert board.people() == [1, *range(2, 2 + starts), 9]


@pytest.mark.parametrize(("off", "known"), [(0.5 * DAY, True), (1.2 * DAY, False)])
def test_a_start_soon_after_the_end_believes_the_clock_at_once(board, off, known) -> None:
    for days in (*[1] * 29, 0.5):
        board.goes_on(days * DAY)
        board.judged(2)
    board.starts(after=off)
    board.judged(3)
    assert (1 not in board.people()) is known


@pytest.mark.parametrize("leap", [-DECADE, -25 * HOUR, -HOUR, 23 * HOUR, 25 * HOUR, DECADE])
def test_a_clock_is_doubted_for_three_hours_after_a_leap_of_more_than_a_day(leap) -> None:
    doubt = Doubt(NOW, 0.0, known=True)
    held = [doubt.holds(NOW + leap + hour * HOUR, hour * 3600.0) for hour in range(5)]
    assert held == [abs(leap) > DAY] * 3 + [False] * 2
