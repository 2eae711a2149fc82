"""What a broker is to hold of the gate: one JSON text per topic, and how each thing changes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Literal

from edge.gate.policy import GateState
from edge.report.events import Event

Topic = Literal["state", "people", "verdict", "health"]

VERDICTS = ("mask", "no_mask", "incorrect")
"""The verdicts that judge someone."""

COUNTED = (*VERDICTS, "unsure", "alarms")
"""What is counted each day: people by their last verdict, and alarms."""

MEASURED_EVERY = 60.0
"""Seconds between two frame rates: Home Assistant stores each change for days."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The newest *verdict*, on which *person*, how sure, and *at* what local time (ISO 8601)."""

    verdict: str
    person: int | None
    confidence: float | None
    at: str


@dataclass(frozen=True, slots=True)
class Board:
    """What is known of the gate.

    *day* is the one that *counts*, which maps each of ``COUNTED`` to a number, is about.
    *measured* is when the frame rate was, on a clock that only goes forward.
    """

    day: date
    counts: Mapping[str, int] = field(default_factory=dict)
    state: GateState | None = None
    muted: bool = False
    fault: str = ""
    verdict: Verdict | None = None
    frames_per_second: float = 0.0
    model: str = ""
    measured: float | None = None


def shown(board: Board, state: GateState, muted: bool) -> Board:
    """Return *board* after *state* was shown."""
    fault = board.fault if state is GateState.CAMERA_FAULT else ""
    return replace(board, state=state, muted=muted, fault=fault)


def told(board: Board, event: Event, at: datetime) -> Board:
    """Return *board* after *event* happened *at* a local time."""
    board = on_day(board, at.date())
    if event.event == "person_left":
        return _counted(board, event.verdict or "unsure")
    if event.event == "alarm_started":
        return _counted(board, "alarms")
    if event.event == "person_judged" and event.verdict in VERDICTS:
        sure = None if event.confidence is None else round(event.confidence, 3)
        newest = Verdict(event.verdict, event.person, sure, at.isoformat(timespec="seconds"))
        return replace(board, verdict=newest)
    if event.event == "camera_fault":
        return replace(board, fault=event.fault)
    return board


def measured(board: Board, frames_per_second: float, model: str, now: float) -> Board:
    """Return *board* with a frame rate and the words for a model, measured at *now* seconds.

    It is the same one where the last rate is less than a minute old and the model the same.
    """
    last = board.measured
    if last is not None and model == board.model and now - last < MEASURED_EVERY:
        return board
    rate = round(frames_per_second, 1)
    return replace(board, frames_per_second=rate, model=model, measured=now)


def on_day(board: Board, day: date) -> Board:
    """Return *board* on *day*: on another than before, the counts begin at nothing."""
    return board if board.day == day else replace(board, day=day, counts={})


def texts(board: Board) -> dict[Topic, str]:
    """Return the JSON for each topic of which something is known."""
    values: dict[Topic, dict[str, object]] = {}
    if board.state is not None:
        values["state"] = {
            "state": board.state.value, "muted": board.muted, "fault": board.fault
        }
    counts = {name: board.counts.get(name, 0) for name in COUNTED}
    values["people"] = {"date": board.day.isoformat(), **counts}
    newest = board.verdict
    if newest is not None:
        values["verdict"] = {
            "verdict": newest.verdict,
            "person": newest.person,
            "confidence": newest.confidence,
            "at": newest.at,
        }
    if board.measured is not None:
        values["health"] = {"frames_per_second": board.frames_per_second, "model": board.model}
    return {topic: json.dumps(value, ensure_ascii=False) for topic, value in values.items()}


def _counted(board: Board, name: str) -> Board:
    return replace(board, counts={**board.counts, name: board.counts.get(name, 0) + 1})
