"""The gate in an MQTT broker, where a shop chain sees all its gates.

A broker may be away, slow, or a black hole: whoever shows a state only notes it here, and never
touches the network.  A thread of its own, the courier, brings the newest value of each topic to
the broker, one message at a time; what changed in between is brought once, as it is then.
"""

from __future__ import annotations

import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from edge import __version__
from edge.alerts.aside import Tell, Troubles
from edge.alerts.board import Board, measured, on_day, shown, texts, told
from edge.alerts.broker import client_for, hang_up, names_host, why_not, why_refused
from edge.alerts.homeassistant import birth_topic, discovery, discovery_topic
from edge.errors import UsageError
from edge.gate.policy import GateState
from edge.report.events import Event

# The longest the courier sleeps when nothing wakes it.
_NAP_SECONDS = 1.0
# An acknowledgement takes so long on no network that is of use; then the value is sent anew.
_ACKNOWLEDGED_WITHIN = 30.0
_CLOSE_SECONDS = 2.0
_LONGEST_TEXT = 200
_LONGEST_SHOWN = 60
_GATE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LEVELS = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """Which broker, and what to call the gate there.

    enabled           whether there is MQTT at all; false by default
    host              the broker's name or address, without a port; no default
    port              1883 by default; brokers with TLS are mostly at 8883
    username          200 characters at most; "" is none
    password_file     a file whose first line is the password; "" is none.  Never the password
    tls               whether the connection is encrypted and the broker's certificate checked;
                      without it a password crosses the network readably
    ca_file           PEM file of who signed the broker's certificate; "" is the system's list
    gate              what the gate is called in topics: letters, digits, ``_`` and ``-``, and
                      another one for each gate, as two of one name throw each other out;
                      "" is the host's name
    title             what people call it in Home Assistant, such as "Main door", 200
                      characters at most; "" is "Mask gate" and the gate's name
    base_topic        before the gate's name in each topic, 200 characters at most; "maskgate"
    discovery         whether Home Assistant is told of the gate; true
    discovery_prefix  the prefix set there for discovery, 200 characters at most;
                      "homeassistant"
    keepalive         seconds without a sign of life after which the other side is taken for
                      dead, 1.5 times that for the broker; 30, allowed 5 to 600.  Shorter, and
                      a gate that lost its power is offline sooner; longer, and there is less
                      traffic

    Raises UsageError for a value outside its range.
    """

    enabled: bool = False
    host: str = ""
    port: int = 1883
    username: str = ""
    password_file: str = ""
    tls: bool = False
    ca_file: str = ""
    gate: str = ""
    title: str = ""
    base_topic: str = "maskgate"
    discovery: bool = True
    discovery_prefix: str = "homeassistant"
    keepalive: int = 30

    def __post_init__(self) -> None:
        if self.enabled and not self.host:
            raise UsageError("host is ''; name the broker, such as 192.168.1.10, or mqtt.example")
        for name in ("username", "title", "base_topic", "discovery_prefix"):
            value = getattr(self, name)
            if len(value) > _LONGEST_TEXT:
                raise UsageError(
                    f"{name} is {_start(value)}, {len(value)} characters; allowed: "
                    f"{_LONGEST_TEXT} at most"
                )
        if not names_host(self.host):
            raise UsageError(
                f"host is {_start(self.host)}; allowed: a name or an address alone, such as "
                "192.168.1.10 or mqtt.example; port and tls are keys of their own"
            )
        for name, low, high in (("port", 1, 65535), ("keepalive", 5, 600)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(f"{name} is {value}; allowed: {low} to {high}")
        if self.gate and not _GATE.fullmatch(self.gate):
            raise UsageError(
                f"gate is {_start(self.gate)}; allowed: 1 to 64 letters, digits, _ and -, such as "
                "door-1"
            )
        for name in ("base_topic", "discovery_prefix"):
            value = getattr(self, name)
            if not _LEVELS.fullmatch(value):
                raise UsageError(
                    f"{name} is {_start(value)}; allowed: letters, digits, _ and -, with / between "
                    "levels, such as shops/maskgate"
                )
        if self.password_file and not self.username:
            raise UsageError("password_file is given without username; give both, or neither")
        if self.ca_file and not self.tls:
            raise UsageError("ca_file is given but tls is false; set tls = true")


class MqttOutput:
    """Shows the gate to a broker; retained, with QoS 1, and ``offline`` as its last will.

    *problems* gets a line when the broker is away, and *over*, or *problems* without it, when it is
    back; see ``aside.Tell`` for where they are called.  *counts* are what was counted today before,
    by the names in ``board.COUNTED``.  *clock* gives the local time with its zone, for the day and
    the newest verdict; *seconds* only goes forward.  A broker counts as back when it has stayed for
    *settled* seconds; *retry* are the shortest and the longest pause between tries, in whole
    seconds.

    Connects in the background.  Raises OutputError when the files with the password or the
    certificate cannot be read, or paho-mqtt is missing.
    """

    name = "MQTT"

    def __init__(
        self,
        settings: MqttSettings,
        problems: Tell,
        *,
        over: Tell | None = None,
        counts: Mapping[str, int] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now().astimezone(),
        seconds: Callable[[], float] = time.monotonic,
        settled: float = 5.0,
        retry: tuple[int, int] = (1, 60),
    ) -> None:
        self.gate = gate_name(settings, socket.gethostname())
        self.base = f"{settings.base_topic}/{self.gate}"
        self._settings = settings
        self._where = f"the MQTT broker at {settings.host}:{settings.port}"
        self._clock = clock
        self._seconds = seconds
        self._settled = settled
        self._troubles = Troubles(problems, over)
        self._availability = f"{self.base}/availability"
        self._board = Board(clock().date(), dict(counts or {}))
        # All below is under this lock.  Whoever holds it never calls paho, whose own locks are
        # held while it calls back.
        self._wake = threading.Condition()
        # The newest text of each topic, in the order in which a new connection gets them: who
        # is told of the gate last hears that it is online, when all else is up to date.
        self._texts: dict[str, str] = {}
        if settings.discovery:
            title = settings.title or f"Mask gate {self.gate}"
            announced = discovery(self.base, self.gate, title, __version__)
            self._texts[discovery_topic(settings.discovery_prefix, self.gate)] = announced
        self._unsent: dict[str, None] = {}
        self._up_since: float | None = None
        self._answered = False
        self._trouble = ""
        self._sent: int | None = None
        self._sent_at = 0.0
        self._acknowledged: int | None = None
        self._farewell: int | None = None
        self._closing_since: float | None = None
        with self._wake:
            self._write()
        self._client = client_for(settings, self.gate, self._availability, retry)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        self._client.connect_async(settings.host, settings.port, settings.keepalive)
        self._client.loop_start()
        self._courier = threading.Thread(target=self._deliver, name="maskgate-mqtt", daemon=True)
        self._courier.start()

    @property
    def counts(self) -> Mapping[str, int]:
        """What was counted today, as the broker is told it."""
        with self._wake:
            return dict(self._today().counts)

    def show(self, state: GateState, muted: bool = False) -> None:
        with self._wake:
            self._note(shown(self._today(), state, muted))

    def tell(self, event: Event) -> None:
        """Count who left and who rang, and note the newest verdict; returns at once."""
        with self._wake:
            self._note(told(self._board, event, self._clock()))

    def measure(self, frames_per_second: float, model: str) -> None:
        """Note the frame rate and the words for the model in use; returns at once.

        May be called with every frame: the broker hears of it once a minute, and of another
        model at once.
        """
        with self._wake:
            self._note(measured(self._today(), frames_per_second, model, self._seconds()))

    def close(self) -> None:
        """Say ``offline`` and leave; waits two seconds at most.  May be called twice."""
        with self._wake:
            if self._closing_since is None:
                self._closing_since = self._seconds()
                self._unsent.pop(self._availability, None)
                self._unsent[self._availability] = None
                self._wake.notify_all()
        self._courier.join(_CLOSE_SECONDS)

    @property
    def connected(self) -> bool:
        """Whether the broker has taken the connection."""
        with self._wake:
            return self._up_since is not None

    @property
    def waiting(self) -> int:
        """How many topics hold something that the broker has not been handed yet."""
        with self._wake:
            return len(self._unsent)

    # Under the lock.

    def _today(self) -> Board:
        return on_day(self._board, self._clock().date())

    def _note(self, board: Board) -> None:
        if board is not self._board:
            self._board = board
            self._write()

    def _write(self) -> None:
        """Bring the texts up to date with the board."""
        for topic, text in texts(self._board).items():
            whole = f"{self.base}/{topic}"
            if self._texts.get(whole) != text:
                self._texts[whole] = text
                self._unsent[whole] = None
        self._wake.notify_all()

    def _all_again(self) -> None:
        self._unsent = dict.fromkeys([*self._texts, self._availability])
        self._wake.notify_all()

    # In paho's thread.

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, more: Any) -> None:
        with self._wake:
            closing = self._closing_since is not None
            self._answered = True
            if reason.is_failure:
                self._lost(why_refused(str(reason), self._settings))
            else:
                self._up_since = self._sent_at = self._seconds()
                self._all_again()
        if closing:
            # It has not heard ``offline`` on this connection, and may remember another word.
            hang_up(client)
        elif not reason.is_failure and self._settings.discovery:
            client.subscribe(birth_topic(self._settings.discovery_prefix), qos=0)

    def _on_connect_fail(self, client: Any, data: Any) -> None:
        # Nothing is handed over, but this is called while the reason is being handled.
        error = sys.exc_info()[1]
        with self._wake:
            closing = self._closing_since is not None
            self._lost(why_not(error))
        if closing:
            client.disconnect()

    def _on_disconnect(self, client: Any, data: Any, flags: Any, reason: Any, more: Any) -> None:
        with self._wake:
            answered, self._answered = self._answered, False
            if self._closing_since is not None:
                self._lost("")
            elif not answered:
                self._lost("something is there, but it does not answer as one; check tls and port")
            elif self._up_since is not None:
                self._lost("the connection is lost")

    def _on_publish(self, client: Any, data: Any, mid: int, reason: Any, more: Any) -> None:
        with self._wake:
            self._acknowledged = mid
            self._wake.notify_all()

    def _on_message(self, client: Any, data: Any, message: Any) -> None:
        """Take Home Assistant's word that it has started: it wants to hear all again."""
        if message.payload == b"online":
            with self._wake:
                self._all_again()

    def _lost(self, reason: str) -> None:
        self._up_since = None
        self._trouble = reason
        self._wake.notify_all()

    # In the courier's thread.

    def _deliver(self) -> None:
        while True:
            with self._wake:
                # Midnight comes even if the camera is at fault and nobody shows anything.
                self._note(self._today())
                do = self._next()
                if do is None:
                    self._wake.wait(_NAP_SECONDS)
                    continue
            if not do():
                return

    def _next(self) -> Callable[[], bool] | None:
        """Return what to do now, which returns whether to go on; None is to wait.

        Is called under the lock, and what it returns without.
        """
        now = self._seconds()
        if self._trouble:
            line, self._trouble = f"MQTT: {self._where} is away ({self._trouble})", ""
            return lambda: self._wrong(line)
        up, closing = self._up_since, self._closing_since
        if self._sent is not None and self._sent == self._acknowledged:
            self._sent = None
        late = up is not None and now - self._sent_at > _ACKNOWLEDGED_WITHIN
        idle = self._sent is None or late
        if closing is not None and (
            up is None or (idle and not self._unsent) or now - closing > _CLOSE_SECONDS
        ):
            return self._leave
        if up is None:
            return None
        if self._unsent and idle:
            topic = next(iter(self._unsent))
            del self._unsent[topic]
            text = self._texts.get(topic, "offline" if closing is not None else "online")
            return lambda: self._publish(topic, text)
        if self._troubles.any and now - up >= self._settled:
            return lambda: self._right(f"MQTT: {self._where} is back")
        return None

    def _publish(self, topic: str, text: str) -> bool:
        """Hand one message to paho, which keeps it until the broker has it, and resends it.

        Only one is under way at any time: paho resends after a new connection what an old one
        lost, and must not bring back an old value when the new one is there already.
        """
        info = self._client.publish(topic, text, qos=1, retain=True)
        with self._wake:
            self._sent, self._sent_at = info.mid, self._seconds()
            if text == "offline":
                self._farewell = info.mid
            if info.rc == _QUEUE_IS_FULL:
                self._unsent.setdefault(topic)
        return True

    def _wrong(self, line: str) -> bool:
        self._troubles.wrong(line)
        return True

    def _right(self, line: str) -> bool:
        self._troubles.right(line)
        return True

    def _leave(self) -> bool:
        """Leave in order if the broker has heard ``offline``; else let the last will say that."""
        with self._wake:
            heard = self._farewell is not None and self._farewell == self._acknowledged
        if heard:
            self._client.disconnect()
        else:
            hang_up(self._client)
        return False


_QUEUE_IS_FULL = 15
"""paho's MQTT_ERR_QUEUE_SIZE, here as a number so that paho is imported only when needed."""


def gate_name(settings: MqttSettings, hostname: str) -> str:
    """Return the gate's name in topics: the one set, or *hostname* in the letters allowed."""
    return settings.gate or re.sub(r"[^A-Za-z0-9_-]", "-", hostname)[:64] or "gate"


def _start(value: str) -> str:
    """Return *value* for a message, or the start of it where it is long."""
    return repr(value) if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]!r}..."
