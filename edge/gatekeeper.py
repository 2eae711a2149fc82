"""The parts of a gate, from its configuration: opened, put together, at work, and changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import cv2

import edge
from edge.alerts.mqtt import MqttOutput
from edge.alerts.noted import note_outputs
from edge.alerts.opening import open_outputs
from edge.alerts.outputs import Output, Outputs
from edge.alerts.pins import choose_pins
from edge.alerts.sound import SoundOutput
from edge.camera import open_source
from edge.camera.frame import Source, remarks_of
from edge.camera.pace import PacedSource
from edge.camera.plugins import SMALL_PIXELS
from edge.config import Config, changed
from edge.errors import OutputError
from edge.gate.policy import GateState
from edge.heartbeat import Guard, Heartbeat
from edge.journal.counts import counted
from edge.journal.journal import Journal
from edge.journal.pictures import Pictures
from edge.kept import Kept, Lent
from edge.networks import Networks, open_networks, thread_count
from edge.observers import (
    Alive,
    Broadcaster,
    Keeper,
    Observers,
    Surveyor,
    Teller,
    Updates,
)
from edge.parts import Parts, Shown
from edge.report.events import EventLog
from edge.report.film import Film
from edge.report.summary import PinRecord, Summary
from edge.room import Room, fixtures_file
from edge.service import Change, Limits, Observer, Outcome, run
from edge.systemd import service_manager

if TYPE_CHECKING:
    from edge.status.page import StatusPage

# The pins' own limit is there for a hung program; it must not come before the gate's.
_PIN_MARGIN = 5.0  # seconds
# Sections whose settings the gate takes over between two frames: people stay who they are.
_LIVE = frozenset({"people", "alarm", "decision"})


class Gatekeeper:
    """Puts a gate together by the *options* of ``maskgate run``, and keeps it at work.

    *say* prints a line about what happens, *warn* one about what is wrong; both are called from
    other threads too.  Parts that outlast a change of the configuration are kept in *kept*.
    A camera is opened within *at_once*, where a wish to stop is not left waiting.
    """

    def __init__(
        self,
        kept: Kept,
        options: Mapping[str, Any],
        say: Callable[[str], None],
        warn: Callable[[str], None],
        at_once: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.manager = service_manager(os.environ, os.getpid())
        self.film: Film | None = None
        self.log: EventLog | None = None
        self._kept = kept
        self._options = options
        self._say = say
        self._warn = warn
        self._at_once = at_once
        self._journal: Journal | None = None
        self._parts: Parts | None = None
        self._adjusted = False
        self._opening = False

    def open(self, config: Config) -> Parts:
        """Return the parts that *config* asks for, those that it did not change being kept.

        Raises MaskgateError for what cannot be opened.
        """
        self._opening = True
        try:
            self._parts = self._open(config)
        finally:
            self._opening = False
        return self._parts

    def _open(self, config: Config) -> Parts:
        options, kept = self._options, self._kept
        cv2.setNumThreads(thread_count(config))
        # A camera that can scale gives as many pixels as the detector looks at.
        seen = (config.camera, config.models.detail)
        source = kept.get("source", seen, lambda: self._source(config), Source.close)
        if options["record"] and self.film is None:
            self.film = Film(options["record"], source.frames_per_second)
        networks = kept.get(
            "networks",
            (config.models, config.updates),
            lambda: open_networks(config, service=options["config"] is not None),
            Networks.close,
        )
        networks.use(config)
        journal = kept.get(
            "journal", config.journal, lambda: Journal(config.journal, self._warn), Journal.close
        )
        self._journal = journal
        pictures = kept.get(
            "pictures",
            config.pictures,
            lambda: Pictures(config.pictures, self._warn),
            Pictures.close,
        )
        room = kept.get(
            "room", config.camera.source, lambda: self._room(source, config), Room.close
        )
        if options["events"] and self.log is None:
            self.log = EventLog(options["events"])
        page = self._page(config)
        if page is not None:
            page.use(networks, config.service.hang_seconds)
        shown = kept.get(
            "outputs",
            (config.outputs, config.alarm.max_seconds, config.mqtt, config.sound, page),
            lambda: self._shown(config, page),
            self._put_away,
        )
        return Parts(source, networks, journal, pictures, room, shown, page)

    def _shown(self, config: Config, page: StatusPage | None) -> Shown:
        pins = choose_pins(pretend=self._options["no_pins"])
        note_outputs(config.outputs, os.environ)
        devices = open_outputs(
            config.outputs, pins, max_on_seconds=config.alarm.max_seconds + _PIN_MARGIN
        )
        broker = self._broker(config)
        others: list[Output] = [] if broker is None else [broker]
        if config.sound.enabled:
            others.append(SoundOutput(config.sound, self._output_trouble, over=self._output_well))
        if page is not None:
            others.append(page.poster)
        outputs = Outputs(
            [*devices, *others], trouble=self._output_trouble, over=self._output_well
        )
        return Shown(pins, devices, broker, outputs)

    def _put_away(self, shown: Shown) -> None:
        # New ones take their place at once: a relay that opens the door at a shutdown stays as
        # it is while nobody is there.
        shown.outputs.close(GateState.IDLE if self._opening else GateState.SHUTDOWN)

    def work(self, parts: Parts, config: Config, stop: Callable[[], str]) -> Outcome:
        """Run the gate with *parts* until *stop* or the source says so.

        Closes the outputs, unless :meth:`hand_on` was called.
        """
        networks, journal, outputs = parts.networks, parts.journal, parts.shown.outputs
        heartbeat = Heartbeat(config.service, self.manager.watchdog)
        with Guard(
            lambda: self._stuck(parts, config.service.hang_seconds),
            lambda: self.incident("software_fault", "the main loop goes on"),
            config.service.hang_seconds,
            # A light goes out when nobody confirms it.
            while_hung=lambda: self._show_fault(parts),
        ) as guard:
            observers: list[Observer] = [
                Alive(heartbeat, self.manager, guard, self._give_up),
                # Before the journal's keeper: a model is installed before it is changed to.
                Updates(networks, journal, self._say),
                Keeper(journal, parts.pictures, networks),
                Surveyor(parts.room),
                Teller(self.log, networks, self._say),
            ]
            if parts.shown.broker is not None:
                observers.append(Broadcaster(parts.shown.broker, networks))
            if parts.page is not None:
                observers.append(parts.page.poster)
            self.manager.ready()
            return run(
                Lent(parts.source),
                networks.detector,
                networks.classifier,
                outputs,
                networks.settings,
                film=self.film,
                observer=Observers(observers),
                limits=Limits(self._options["max_frames"], self._options["seconds"]),
                room=parts.room.fixtures,
                stop=stop,
                change=lambda: self._change(networks),
                failed=networks.failed,
            )

    def adjust(self, before: Config, after: Config) -> bool:
        """Take over *after* between two frames, if it differs only in who counts and who rings.

        Returns whether it did; otherwise the gate has to be opened anew.
        """
        # The outputs' own limit goes by the longest alarm.
        if not changed(before, after) <= _LIVE or self._parts is None or (
            before.alarm.max_seconds != after.alarm.max_seconds
        ):
            return False
        self._parts.networks.use(after)
        self._adjusted = True
        return True

    def hand_on(self) -> None:
        """Let the outputs show what they show until the gate goes on with another configuration."""
        if self._parts is not None:
            self._parts.shown.outputs.hand_on()

    def incident(self, kind: str, detail: str) -> None:
        """Keep in the journal, if it is open, what happened to the program itself."""
        if self._journal is not None:
            self._journal.note(kind, datetime.now(timezone.utc), detail)

    def started(self, source: Source) -> None:
        """Note that the gate begins, with which version and camera."""
        self.incident("started", f"maskgate {edge.__version__}, {source.name}")

    def stopped(self, outcome: Outcome) -> None:
        """Note how it ended, and tell the service manager that it does."""
        self.manager.stopping(outcome.ended)
        detail = f"{outcome.ended}: {outcome.error}" if outcome.error else outcome.ended
        self.incident("software_fault" if outcome.error else "stopped", detail)

    def refused(self, why: str) -> None:
        """Tell that a changed configuration is wrong."""
        self._warn(f"the old configuration goes on: {why}")
        self.incident("reload_refused", why)

    def unchanged(self) -> None:
        """Tell that the configuration says what it said before."""
        self._say("The configuration was read again; nothing changed.")

    def reloaded(self, before: Config, after: Config) -> None:
        """Tell which sections of the configuration are others now."""
        sections = ", ".join(sorted(changed(before, after)))
        self._say(f"The configuration was taken over; changed: {sections}.")
        self.incident("reloaded", f"changed: {sections}")

    def close(self) -> None:
        """Close what this opened and does not keep."""
        if self.log is not None:
            self.log.close()

    def summary(
        self, parts: Parts, config: Config, outcome: Outcome, remarks: tuple[str, ...] = ()
    ) -> Summary:
        """Return the summary of *outcome* with what the run was made of."""
        values = {
            name: getattr(outcome, name)
            for name in Outcome.__dataclass_fields__
            if name not in ("error", "remarks")
        }
        pins = [pin for device in parts.shown.devices for pin in device.pin_histories]
        return Summary(
            **values,
            remarks=outcome.remarks + remarks,
            source=parts.source.name,
            models=parts.networks.words,
            runtime=str(parts.networks.classifier.runtime),
            threads=thread_count(config),
            pins=tuple(PinRecord(pin.name, pin.pin, pin.history) for pin in pins),
            pins_note=self.pins_note(parts),
            written=tuple(self._written()),
        )

    @staticmethod
    def pins_note(parts: Parts) -> str:
        """Return a sentence about the pins that are driven, plainly so when they are not real."""
        if not parts.shown.devices:
            return "No pins are driven: the configuration has no outputs."
        pins = [pin for device in parts.shown.devices for pin in device.pin_histories]
        where = " and ".join(f"{pin.name} on GPIO {pin.pin}" for pin in pins)
        why = parts.shown.pins.why
        if not parts.shown.pins.mock:
            return f"Real pins through {why}: {where}."
        return f"No real pins ({why}): {where} are gpiozero's mock pins and make no sound."

    def _source(self, config: Config) -> Source:
        with self._at_once():
            source = open_source(
                config.camera.source,
                patient=config.camera.wait,
                small_pixels=int(SMALL_PIXELS * config.models.detail),
            )
        for remark in remarks_of(source):
            # A service has no end at which it would be told.
            self._say(remark)
        realtime = self._options["realtime"]
        wanted = realtime if realtime is not None else source.name.startswith("demo")
        return PacedSource(source) if wanted and not source.live else source

    def _room(self, source: Source, config: Config) -> Room:
        # What a film shows is at no place of the shop's.
        file = fixtures_file(os.environ) if source.live else None
        room = Room(file, config.camera.source, self._warn)
        if known := len(room.fixtures.places):
            places = "1 place is" if known == 1 else f"{known} places are"
            self._say(f"{places} known from before at which a face never moves: it does not count.")
        return room

    def _broker(self, config: Config) -> MqttOutput | None:
        if not config.mqtt.enabled:
            return None
        try:
            return MqttOutput(
                config.mqtt, self._output_trouble, over=self._output_well,
                counts=self._counts(config),
            )
        except OutputError as error:
            # A gate that nobody hears of is better than a door without one.
            self._output_trouble(f"MQTT is not used: {error}")
            return None

    def _page(self, config: Config) -> StatusPage | None:
        if not config.status.enabled:
            self._kept.drop("page")
            return None
        from edge.status.page import StatusPage

        title = config.mqtt.title

        def opened() -> StatusPage:
            page = StatusPage(
                config.status, self._output_trouble, title=title, counts=self._counts(config)
            )
            self._say(f"The status page is at {page.url}")
            return page

        try:
            return self._kept.get("page", (config.status, title), opened, StatusPage.close)
        except OutputError as error:
            # As with a broker: a gate that nobody looks at is better than a door without one.
            self._output_trouble(f"there is no status page: {error}")
            return None

    def _counts(self, config: Config) -> Mapping[str, int]:
        """Return what was counted today: a broker must not hear 0 after a change or a restart.

        A gate that was at work knows best; the journal may be off, and is written with a delay.
        """
        if self._parts is not None and self._parts.shown.broker is not None:
            return self._parts.shown.broker.counts
        try:
            return counted(config.journal, datetime.now().astimezone())
        except OutputError:
            return {}

    def _output_trouble(self, line: str) -> None:
        self._warn(line)
        self.incident("output_fault", line)

    def _output_well(self, line: str) -> None:
        self._warn(line)
        self.incident("output_recovered", line)

    def _give_up(self) -> None:
        line = "the camera has been at fault for too long; the watchdog is to start the gate anew"
        if self.manager.watchdog is None:
            line = "the camera has been at fault for too long; start the gate anew"
        self._warn(line)
        self.incident("software_fault", line)

    def _change(self, networks: Networks) -> Change | None:
        change, adjusted = networks.change(), self._adjusted
        self._adjusted = False
        return replace(change or Change(), settings=networks.settings) if adjusted else change

    @staticmethod
    def _show_fault(parts: Parts) -> None:
        hours = parts.networks.settings.policy.quiet_hours
        muted = hours is not None and hours.hold(datetime.now().time())
        parts.shown.outputs.show(GateState.SOFTWARE_FAULT, muted=muted)

    def _stuck(self, parts: Parts, seconds: float) -> None:
        self._show_fault(parts)
        line = f"the main loop has not moved for {seconds:g} s"
        self._warn(line)
        self.incident("software_fault", line)

    def _written(self) -> list[str]:
        """Return the paths of what was really and wholly written."""
        paths = [self.film.path] if self.film is not None and self.film.written else []
        return paths + ([self.log.path] if self.log is not None and self.log.written else [])
