"""An output at work: it shows a pattern for each state, and nothing for longer than its limit."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from gpiozero import ZombieThread, threads
from gpiozero.threads import GPIOThread

from edge.alerts.kinds import RESTING, find_kind
from edge.alerts.patterns import OFF, Pattern
from edge.alerts.pins import PinChange, Pins, leave, opened, read_back
from edge.alerts.settings import OutputSettings
from edge.errors import OutputError
from edge.gate.policy import GateState

# Setting a pin takes microseconds; who waits longer for another to do so waits for ever.
_PATIENCE = 0.25  # seconds
# Where a thread's sleep ends a little early it goes on for so long, and not for nothing at all.
_TICK = 0.001  # seconds


@dataclass(frozen=True, slots=True)
class PinHistory:
    """What the mock pin *pin* (BCM) of the output *name* did; empty for a real pin."""

    name: str
    pin: int
    history: tuple[PinChange, ...]


class PinOutput:
    """The output *name* with *settings*, on *pins*.

    It is off at first.  A pattern's first level is set by who calls :meth:`show`; what follows,
    and its end, by a thread of gpiozero's, so that it ends even if this program's main loop
    hangs.  *max_on_seconds* is the limit where neither the settings nor the kind have one.
    Raises OutputError when a pin does not exist, is taken, or does not do as it is told.
    """

    def __init__(
        self,
        name: str,
        settings: OutputSettings,
        pins: Pins,
        *,
        max_on_seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.settings = settings
        self._kind = find_kind(settings.kind)
        self._patterns = settings.patterns()
        self._limit = settings.limit(max_on_seconds)
        self._clock = clock
        self._factory = pins.factory
        self._driver = opened(name, settings, self._kind, pins)
        self._mocks = tuple(self._driver.pins) if pins.mock else ()
        for mock in self._mocks:
            mock.clear_states()
        self._kept: tuple[tuple[PinChange, ...], ...] | None = None
        self._lock = Lock()
        self._thread: Any = None
        self._leaving: list[Any] = []
        self._pattern = OFF
        self._began = self._ends = 0.0
        self._shown: tuple[GateState, bool] | None = None
        self._trouble: Exception | None = None
        try:
            if pins.read_back:
                read_back(name, settings.pins, self._driver.pins, settings.active_high,
                          tries=self._kind.tries)
        except Exception:
            # What fails again here must not take the place of what names the pin.
            with contextlib.suppress(Exception):
                self.close()
            raise

    @property
    def sounds(self) -> bool:
        return self._kind.sounds

    @property
    def pin(self) -> int:
        """The BCM number of its first pin."""
        return self.settings.pins[0]

    @property
    def history(self) -> tuple[PinChange, ...]:
        """When any of its mock pins was on, from set-up on; empty for real pins."""
        changes = sorted(
            (change.seconds, number, change.on)
            for number, pin in enumerate(self.pin_histories)
            for change in pin.history
        )
        lit: set[int] = set()
        merged: list[PinChange] = []
        for seconds, number, on in changes:
            lit = lit | {number} if on else lit - {number}
            if not merged or merged[-1].on != bool(lit):
                merged.append(PinChange(seconds, bool(lit)))
        return tuple(merged)

    @property
    def pin_histories(self) -> tuple[PinHistory, ...]:
        """What each of its pins did, by the name of the output and of the pin."""
        kept = self._kept if self._kept is not None else self._recorded()
        return tuple(
            PinHistory(f"{self.name} {part}".rstrip(), pin, history)
            for part, pin, history in zip(
                self._kind.pin_names, self.settings.pins, kept or ((),) * len(self.settings.pins),
                strict=True,
            )
        )

    def show(self, state: GateState, muted: bool = False) -> None:
        """Show *state*; raises OutputError when the pins do not answer."""
        with self._alone():
            before, self._shown = self._shown, (state, muted)
            if before == (state, not muted) and not self.sounds:
                # Quiet hours begin or end: no reason for a relay to open the door again.
                return
            self._forget()
            self._replace()
            self._begin(OFF if muted and self.sounds else self._patterns[state], state)
            trouble, self._trouble = self._trouble, None
        if trouble is not None:
            raise OutputError(
                f"{self.name}: the level before could not be ended "
                f"({type(trouble).__name__}: {trouble}); check the wiring"
            )

    def renew(self) -> None:
        """Confirm the state that is shown; a light's limit counts from here.

        A light that went out at its limit comes back, but a pattern with an end does not begin
        again.
        """
        if not self._kind.renews or self._pattern.off:
            return
        with self._alone():
            self._forget()
            self._ends = self._clock() + self._limit
            out = self._thread is None and self._pattern.repeats is None
            if out and self._shown and self._shown[0] not in RESTING:
                self._begin(self._pattern, self._shown[0])

    def close(self) -> None:
        """End what is shown and give the pins back; may be called twice.

        What is shown for shutdown or crash is left behind (see :func:`edge.alerts.pins.leave`);
        everything else ends in off.
        """
        with self._alone():
            if self._kept is not None:
                return
            self._replace()
            leaving, self._leaving = self._leaving, []
            resting = self._shown is not None and self._shown[0] in RESTING
            stays = resting and not self._pattern.off
            self._pattern = OFF
            off_level = not self.settings.active_high
            levels = [off_level] * len(self._driver.pins)
            try:
                if stays:
                    levels = [bool(pin.state) for pin in self._driver.pins]
                else:
                    self._put(OFF)
            finally:
                self._kept = self._recorded()
                self._driver.close()
                for number, level in zip(self.settings.pins, levels, strict=False):
                    leave(self._factory, number, level, off_level)
        for thread in leaving:
            _joined(thread, _PATIENCE)

    def _begin(self, pattern: Pattern, state: GateState) -> None:
        self._pattern = pattern
        self._began = self._clock()
        self._ends = self._began + self._limit
        if pattern.off or state in RESTING:
            self._put(pattern)
            return
        thread: Any = GPIOThread(lambda: self._play(thread, pattern))
        self._thread = thread
        try:
            thread.start()
            self._put(pattern)
        except Exception:
            # Without the thread there would be no end.
            self._replace()
            self._forget()
            self._put(OFF)
            raise

    def _replace(self) -> None:
        """Let the thread that plays end, if there is one; nobody waits for it."""
        if self._thread is not None:
            self._thread.stopping.set()
            self._leaving.append(self._thread)
            self._thread = None

    def _forget(self) -> None:
        """Join the threads that have ended: gpiozero keeps each until then."""
        self._leaving = [thread for thread in self._leaving if not _joined(thread, 0.0)]

    def _play(self, thread: Any, pattern: Pattern) -> None:
        """Follow *pattern* to its end, unless another takes its place."""
        lit, change = pattern.at(0.0)
        while True:
            until = min(self._began + change, self._ends)
            stopped = thread.stopping.wait(max(_TICK, until - self._clock()))
            with self._lock:
                if self._thread is not thread:
                    return
                now = self._clock()
                before, (lit, change) = lit, pattern.at(now - self._began)
                over = stopped or now >= self._ends or (not lit and change == math.inf)
                try:
                    if over or lit != before:
                        self._put(pattern if lit and not over else OFF)
                except Exception as error:  # a driver raises what it likes
                    self._trouble = error
                    over = True
                    with contextlib.suppress(Exception):
                        self._put(OFF)
                if over:
                    self._replace()
                    return

    def _put(self, pattern: Pattern) -> None:
        kind = self._kind
        self._driver.set(kind.nothing if pattern.off else kind.level(pattern.level))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=_PATIENCE):
            raise OutputError(f"{self.name}: its pins have not answered for {_PATIENCE} s")
        try:
            yield
        finally:
            self._lock.release()

    def _recorded(self) -> tuple[tuple[PinChange, ...], ...]:
        high = self.settings.active_high
        return tuple(_changes(mock.states, high) for mock in self._mocks)


def _changes(states: Sequence[Any], active_high: bool) -> tuple[PinChange, ...]:
    changes: list[PinChange] = []
    seconds = 0.0
    for state in states:
        seconds += state.timestamp
        changes.append(PinChange(seconds, bool(state.state) is active_high))
    return tuple(changes)


def _joined(thread: Any, seconds: float) -> bool:
    """Wait at most *seconds* for *thread* to end; return whether it has, or never began."""
    if thread.ident is None:
        # gpiozero keeps this one too, and it cannot be joined.  The name is its own, and may go.
        getattr(threads, "_THREADS", set()).discard(thread)
        return True
    try:
        thread.join(seconds)
    except ZombieThread:
        return False
    return True
