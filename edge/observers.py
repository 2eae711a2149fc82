"""Those who learn of what the gate does: people, logs, the watchdog, the journal, a broker."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone

from edge.alerts.mqtt import MqttOutput
from edge.camera.fault import Fault
from edge.camera.frame import Frame
from edge.heartbeat import Guard, Heartbeat
from edge.journal.journal import Journal
from edge.journal.pictures import Pictures
from edge.networks import Networks
from edge.report.events import Event, EventLog, event_words
from edge.room import Room
from edge.service import Observer
from edge.systemd import ServiceManager
from edge.watch import Scene

# A rate over less jumps about, one over more is old news.
_RATE_SECONDS = 10.0
# Pictures do come, and only what is before the lens is wrong: no new process mends that.
_SEEN_FAULTS = ("black",)


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

    def __init__(
        self, log: EventLog | None, networks: Networks, say: Callable[[str], None]
    ) -> None:
        self._log = log
        self._networks = networks
        self._say = say

    def event(self, event: Event) -> None:
        if self._log is not None:
            self._log.write(event, self._networks.words[1])
        self._say(event_words(event))


class Alive(Observer):
    """Tells *guard* of each step, and *manager* what *heartbeat* says about its watchdog.

    ``systemctl status`` shows the gate's state.  *give_up* is called when trouble with the
    camera has lasted so long that the watchdog is to start the gate anew.
    """

    def __init__(
        self,
        heartbeat: Heartbeat,
        manager: ServiceManager,
        guard: Guard,
        give_up: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._heartbeat = heartbeat
        self._manager = manager
        self._guard = guard
        self._give_up = give_up
        self._given_up = False
        self._clock = clock
        self._status = ""

    def seen(self, frame: Frame, scene: Scene, now: float) -> None:
        self._guard.alive()
        if self._heartbeat.frame(self._clock()):
            self._manager.pet()
        self._show(scene.gate.state.value)

    def blind(self, fault: Fault, now: float) -> None:
        self._guard.alive()
        if self._heartbeat.fault(self._clock(), seen=fault.name in _SEEN_FAULTS):
            self._manager.pet()
        self._show(f"camera fault, {fault.name}: {fault.detail}")
        self._look()

    def waiting(self) -> None:
        self._guard.alive()
        if self._heartbeat.waiting(self._clock()):
            self._manager.pet()
        self._look()

    def _look(self) -> None:
        if self._heartbeat.given_up and not self._given_up:
            self._give_up()
        self._given_up = self._heartbeat.given_up

    def _show(self, status: str) -> None:
        if status != self._status:
            self._status = status
            self._manager.status(status)


class Keeper(Observer):
    """Keeps events in *journal*, and pictures of those that are worth one in *pictures*."""

    def __init__(
        self,
        journal: Journal,
        pictures: Pictures,
        networks: Networks,
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._journal = journal
        self._pictures = pictures
        self._networks = networks
        self._clock = clock
        self._taken: dict[int, str] = {}

    def seen(self, frame: Frame, scene: Scene, now: float) -> None:
        self._taken = {}
        for event in scene.events:
            if event.person is None or event.event != "person_judged":
                continue
            at = self._clock()
            # Who is not seen in this frame may be there all the same, turned or half hidden.
            others = [p.track.box for p in scene.people if p.number != event.person]
            others += [face for face in scene.faces if face != event.box]
            self._taken[event.person] = self._pictures.take(event, at, frame.image, others)

    def event(self, event: Event) -> None:
        judged = event.event == "person_judged" and event.person is not None
        evidence = self._taken.pop(event.person or 0, "") if judged else ""
        _, model = self._networks.words
        self._journal.write(event, self._clock(), model, evidence=evidence)


class Surveyor(Observer):
    """Lets *room* learn what never moves."""

    def __init__(self, room: Room) -> None:
        self._room = room

    def seen(self, frame: Frame, scene: Scene, now: float) -> None:
        self._room.note(scene.gate.fixtures, now)


class Updates(Observer):
    """Lets *networks* learn how they do, and tells *journal* and *say* what happens to models."""

    def __init__(
        self, networks: Networks, journal: Journal, say: Callable[[str], None]
    ) -> None:
        self._networks = networks
        self._journal = journal
        self._say = say

    def seen(self, frame: Frame, scene: Scene, now: float) -> None:
        self._networks.saw(scene)
        self._tell()

    def blind(self, fault: Fault, now: float) -> None:
        self._tell()

    def waiting(self) -> None:
        self._tell()

    def event(self, event: Event) -> None:
        if event.event == "model_changed":
            # The change comes between two frames; what led to it is told before it.
            self._tell()

    def _tell(self) -> None:
        for note in self._networks.notes():
            at = datetime.now(timezone.utc)
            self._journal.note(note.event, at, note.words, model=note.model)
            # The change itself is an event of the service, and told as one.
            if note.event != "model_running":
                self._say(note.words)


class Broadcaster(Observer):
    """Tells *broker* of people, and of how many frames a second are judged by which model."""

    def __init__(
        self,
        broker: MqttOutput,
        networks: Networks,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._broker = broker
        self._networks = networks
        self._clock = clock
        self._began = clock()
        self._frames = 0

    def seen(self, frame: Frame, scene: Scene, now: float) -> None:
        self._frames += 1
        took = self._clock() - self._began
        if took >= _RATE_SECONDS:
            self._broker.measure(self._frames / took, self._networks.words[1])
            self._began, self._frames = self._clock(), 0

    def event(self, event: Event) -> None:
        self._broker.tell(event)
