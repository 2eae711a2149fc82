"""Those who learn of what the gate does: people, logs, the watchdog, the journal, a broker."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge.camera.fault import Fault
from edge.camera.frame import Frame
from edge.report.events import Event, EventLog, event_words
from edge.service import Observer
from edge.watch import Scene


class Observers(Observer):
    """Several observers as one; each learns of a step before the next one does."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def seen(self, frame: Frame, scene: Scene, now: float) -> None:
        for observer in self._observers:
            observer.seen(frame, scene, now)

    def blind(self, fault: Fault, now: float) -> None:
        for observer in self._observers:
            observer.blind(fault, now)

    def waiting(self) -> None:
        for observer in self._observers:
            observer.waiting()

    def event(self, event: Event) -> None:
        for observer in self._observers:
            observer.event(event)


class Teller(Observer):
    """Tells each event to *log*, if there is one, and in words to *say*.

    Raises OutputError when the log cannot be written: who asked for the events wants all.
    """

    def __init__(self, log: EventLog | None, say: Callable[[str], None]) -> None:
        self._log = log
        self._say = say

    def event(self, event: Event) -> None:
        if self._log is not None:
            self._log.write(event)
        self._say(event_words(event))
