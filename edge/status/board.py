"""What is so at the gate now, as whoever looks at the page is told.

:class:`Status` is one moment: plain, never changed, made of what the gate's loop noted last.
Times are in seconds on one clock that never goes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from types import MappingProxyType

from edge.alerts.board import COUNTED, Board, on_day, shown, told
from edge.gate.policy import GateState
from edge.report.events import Event
from edge.watch import Scene

VERDICTS = ("mask", "no_mask", "incorrect", "unsure")
NOBODY: Mapping[str, int] = MappingProxyType(dict.fromkeys(VERDICTS, 0))

# Older than this, a picture says nothing about now, and neither does a rate.
STALE_SECONDS = 5.0

_WRONG = {
    GateState.SOFTWARE_FAULT: "software fault",
    GateState.SHUTDOWN: "the gate is shutting down",
    GateState.CRASH: "the gate has crashed",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What changes now and then.

    *board* holds the state and the day's counts, as a broker is told them; *since* is when that
    state began.  *detail* is the camera's fault in a sentence.  *models* are words for the
    detector and the classifier.  *totals* count since the start: people by their last verdict,
    ``alarms``, ``models_changed``; *faults* the camera's faults by their names.
    """

    board: Board
    since: float
    detail: str = ""
    models: tuple[str, str] = ("", "")
    totals: Mapping[str, int] = field(default_factory=dict)
    faults: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    """What is new with each turn of the gate's loop, the last of which was *at*.

    *frames* were processed since the start, the newest at *frame_at*; *rate* is how many a
    second, None while that is not known.  *people* are those before the gate, by verdict.
    """

    at: float | None = None
    frames: int = 0
    frame_at: float | None = None
    rate: float | None = None
    people: Mapping[str, int] = field(default_factory=lambda: NOBODY)


@dataclass(frozen=True, slots=True)
class Status:
    """What is so at *now*, on the local *day*; the gate began at *started*.

    The loop hangs when it has not turned for *hang_seconds*.
    """

    standing: Standing
    turn: Turn
    started: float
    now: float
    day: date
    hang_seconds: float = 5.0

    @property
    def uptime(self) -> float:
        return self.now - self.started

    @property
    def state_seconds(self) -> float:
        """How long the state has lasted."""
        return self.now - self.standing.since

    @property
    def frame_age(self) -> float | None:
        """Seconds since a picture was processed; None when none was."""
        return None if self.turn.frame_at is None else self.now - self.turn.frame_at

    @property
    def loop_age(self) -> float:
        """Seconds since the gate's loop turned, or since the start when it never did."""
        return self.now - (self.started if self.turn.at is None else self.turn.at)

    @property
    def rate(self) -> float | None:
        """Pictures a second; 0 when none has come for too long."""
        age = self.frame_age
        return 0.0 if age is not None and age > STALE_SECONDS else self.turn.rate

    @property
    def counts(self) -> Mapping[str, int]:
        """What was counted on this day, which may have begun since anything was."""
        counts = on_day(self.standing.board, self.day).counts
        return {name: counts.get(name, 0) for name in COUNTED}

    @property
    def trouble(self) -> tuple[str, str]:
        """What is wrong, in a few words and in more; both are empty when nothing is.

        The few tell nothing about the place or the camera.
        """
        board = self.standing.board
        if self.loop_age > self.hang_seconds:
            hangs = f"the main loop has not moved for {self.loop_age:.0f} s"
            return hangs, hangs
        if board.state is GateState.CAMERA_FAULT:
            more = ": ".join(text for text in (board.fault, self.standing.detail) if text)
            return "camera fault", f"camera fault, {more}" if more else "camera fault"
        if board.state in _WRONG:
            return _WRONG[board.state], _WRONG[board.state]
        if self.turn.frame_at is None:
            early = "starting: no picture has been processed yet"
            return early, early
        return "", ""


def after_showing(
    standing: Standing, state: GateState, muted: bool, at: datetime, now: float
) -> Standing:
    """Return *standing* after the outputs were told to show *state*."""
    before = standing.board
    board = shown(on_day(before, at.date()), state, muted)
    return replace(
        standing,
        board=board,
        since=standing.since if state is before.state else now,
        detail=standing.detail if board.fault else "",
    )


def after_event(standing: Standing, event: Event, at: datetime) -> Standing:
    """Return *standing* after *event* happened *at* a local time."""
    standing = replace(standing, board=told(standing.board, event, at))
    if event.event == "person_left":
        return replace(standing, totals=_more(standing.totals, event.verdict or "unsure"))
    if event.event == "alarm_started":
        return replace(standing, totals=_more(standing.totals, "alarms"))
    if event.event == "model_changed":
        return replace(standing, totals=_more(standing.totals, "models_changed"))
    if event.event == "camera_fault":
        faults = _more(standing.faults, event.fault)
        return replace(standing, faults=faults, detail=event.detail)
    return standing


def at_fault(standing: Standing, name: str, detail: str) -> Standing:
    """Return *standing* while the camera is at the fault *name*."""
    if (standing.board.fault, standing.detail) == (name, detail):
        return standing
    return replace(standing, board=replace(standing.board, fault=name), detail=detail)


def present(scene: Scene) -> Mapping[str, int]:
    """Return how many who count are before the gate, by verdict."""
    counted = scene.gate.counted
    if not counted:
        return NOBODY
    people = dict(NOBODY)
    for person in scene.people:
        if person.number in counted:
            people[person.evidence.verdict] += 1
    return people


def _more(counts: Mapping[str, int], name: str) -> Mapping[str, int]:
    return {**counts, name: counts.get(name, 0) + 1}
