"""What the gate's loop tells the status page: at once, and in microseconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from edge.alerts.board import Board
from edge.camera.fault import Fault
from edge.camera.frame import Frame
from edge.gate.policy import GateState
from edge.report.events import Event
from edge.service import Observer
from edge.status.board import (
    NOBODY,
    Standing,
    Status,
    Turn,
    after_event,
    after_showing,
    at_fault,
    present,
)
from edge.status.preview import Preview
from edge.watch import Scene, Settings

# The loop asks a slow camera several times for each picture.  A picture that is no older than
# this still shows who is before the gate: nobody walks away faster.
_PRESENT_SECONDS = 2.0
# A rate over less jumps about.
_RATE_SECONDS = 2.0


class Judges(Protocol):
    """The networks at work: words for each of the two, and the gate's settings with them."""

    @property
    def words(self) -> tuple[str, str]: ...

    @property
    def settings(self) -> Settings: ...


def local_now() -> datetime:
    """Return the local time with its zone."""
    return datetime.now().astimezone()


class Poster(Observer):
    """Notes for the page what is so; what is noted, any thread may ask for.

    It is an observer of the loop, and an output beside the lights: the page says what they
    show, also when the program hangs.  *counts* are what was counted today before, by the names
    in ``alerts.board.COUNTED``.  *clock* gives seconds that never go back, *local* the local time
    with its zone, for the day.  Closing it as an output does nothing, for the page outlives a
    change of the configuration.
    """

    name = "status page"

    def __init__(
        self,
        preview: Preview | None = None,
        *,
        counts: Mapping[str, int] | None = None,
        hang_seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        local: Callable[[], datetime] = local_now,
    ) -> None:
        self._preview = preview
        self._hang_seconds = hang_seconds
        self._clock = clock
        self._local = local
        self._judges: Judges | None = None
        self._started = clock()
        # Only the loop changes the turn, and a reader takes it whole: that needs no lock.
        self._turn = Turn()
        self._rate_from: float | None = None
        self._rate_frames = 0
        # The standing is changed by whoever shows states, a guard's thread among them.
        self._changing = threading.Lock()
        self._standing = Standing(Board(local().date(), dict(counts or {})), self._started)

    def use(self, judges: Judges, hang_seconds: float) -> None:
        """Tell of *judges* from now on; a loop hangs when it does not turn for *hang_seconds*."""
        self._hang_seconds = hang_seconds
        self._judges = judges
        self._name_models()

    def status(self) -> Status:
        """Return what is so now; any thread may call it."""
        return Status(
            self._standing, self._turn, self._started, self._clock(), self._local().date(),
            self._hang_seconds,
        )

    def show(self, state: GateState, muted: bool = False) -> None:
        with self._changing:
            self._standing = after_showing(
                self._standing, state, muted, self._local(), self._clock()
            )

    def close(self) -> None:
        """Do nothing."""

    def seen(self, frame: Frame, scene: Scene, now: float) -> None:
        at = self._clock()
        before = self._turn
        self._turn = Turn(at, before.frames + 1, at, self._rate(at, before), present(scene))
        preview = self._preview
        if preview is not None and preview.wanted(at) and self._judges is not None:
            preview.take(frame, scene, self._judges.settings, self._turn.rate, now, at)

    def blind(self, fault: Fault, now: float) -> None:
        self._nothing_to_see()
        standing = self._standing
        if (standing.board.fault, standing.detail) != (fault.name, fault.detail):
            with self._changing:
                self._standing = at_fault(self._standing, fault.name, fault.detail)

    def waiting(self) -> None:
        now, before = self._clock(), self._turn
        if before.frame_at is not None and now - before.frame_at <= _PRESENT_SECONDS:
            self._turn = replace(before, at=now)
        else:
            self._nothing_to_see()

    def event(self, event: Event) -> None:
        with self._changing:
            self._standing = after_event(self._standing, event, self._local())
        if event.event == "model_changed":
            self._name_models()

    def _nothing_to_see(self) -> None:
        before = self._turn
        self._turn = Turn(self._clock(), before.frames, before.frame_at, None, NOBODY)
        self._rate_from = None
        if self._preview is not None:
            self._preview.drop()

    def _rate(self, at: float, before: Turn) -> float | None:
        """Return the pictures a second, the newest of which came *at*."""
        if self._rate_from is None:
            self._rate_from, self._rate_frames = at, before.frames + 1
            return before.rate
        took = at - self._rate_from
        if took < _RATE_SECONDS:
            return before.rate
        rate = (before.frames + 1 - self._rate_frames) / took
        self._rate_from, self._rate_frames = at, before.frames + 1
        return rate

    def _name_models(self) -> None:
        if self._judges is not None:
            words = self._judges.words
            with self._changing:
                self._standing = replace(self._standing, models=words)
