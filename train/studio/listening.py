"""What gates tell a broker of themselves, gathered in the background for every page."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from edge.errors import OutputError
from train.studio.gates import BrokerSettings

TOPICS = ("availability", "state", "people", "verdict", "health")
MOST_GATES = 100
MOST_VERDICTS = 500
LARGEST_PAYLOAD = 8192
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Told:
    """What one gate has told: a value by topic, and the newest verdicts, the last one last."""

    online: bool = False
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    verdicts: tuple[Mapping[str, Any], ...] = ()

    def value(self, topic: str, name: str, otherwise: Any = "") -> Any:
        """Return what *topic* says of *name*, *otherwise* where nothing."""
        return self.values.get(topic, {}).get(name, otherwise)

    @property
    def state(self) -> str:
        return str(self.value("state", "state", "unknown")) if self.online else "offline"


def heard(told: Told, topic: str, payload: bytes) -> Told:
    """Return *told* after *payload* came on *topic*, the last level of a gate's topic.

    What is too long, or no JSON object, changes nothing: anybody may write to a broker.
    """
    if topic == "availability":
        return replace(told, online=payload == b"online")
    if topic not in TOPICS or len(payload) > LARGEST_PAYLOAD:
        return told
    try:
        value = json.loads(payload)
    except ValueError:
        return told
    if not isinstance(value, dict):
        return told
    verdicts = told.verdicts
    if topic == "verdict" and value not in verdicts[-5:]:
        verdicts = tuple(deque((*verdicts, value), MOST_VERDICTS))
    return replace(told, values={**told.values, topic: value}, verdicts=verdicts)


class Listener:
    """Listens to the broker of *settings*; connects by itself, again and again.

    Raises OutputError when paho-mqtt is missing or a file with a password or certificate
    cannot be read.
    """

    def __init__(self, settings: BrokerSettings) -> None:
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ModuleNotFoundError:
            raise OutputError("MQTT needs paho-mqtt 2; install it") from None
        self._base = settings.base_topic
        self._lock = threading.Lock()
        self._gates: dict[str, Told] = {}
        self._trouble = "not connected yet"
        client = Client(CallbackAPIVersion.VERSION2)
        if settings.username:
            client.username_pw_set(settings.username, _password(settings.password_file))
        if settings.tls:
            try:
                client.tls_set(ca_certs=settings.ca_file or None)
            except (OSError, ssl.SSLError) as error:
                raise OutputError(f"ca_file {settings.ca_file} cannot be used ({error})") from None
        client.connect_timeout = _CONNECT_SECONDS
        client.reconnect_delay_set(1, 30)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        self._where = f"{settings.host}:{settings.port}"
        self._client = client
        client.connect_async(settings.host, settings.port)
        client.loop_start()

    @property
    def trouble(self) -> str:
        """Why nothing is heard, "" while the broker is there."""
        with self._lock:
            return self._trouble

    def gates(self) -> dict[str, Told]:
        """Return what every gate has told so far, by name."""
        with self._lock:
            return dict(sorted(self._gates.items()))

    def wait(self, seconds: float = 0.5) -> None:
        """Wait until some gate was heard, *seconds* at most."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.gates():
            time.sleep(0.05)

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, more: Any) -> None:
        with self._lock:
            self._trouble = f"{self._where} refuses: {reason}" if reason.is_failure else ""
        client.subscribe([(f"{self._base}/+/{topic}", 1) for topic in TOPICS])

    def _on_connect_fail(self, client: Any, data: Any) -> None:
        with self._lock:
            self._trouble = f"no broker answers at {self._where}"

    def _on_disconnect(
        self, client: Any, data: Any, flags: Any, reason: Any, more: Any
    ) -> None:
        with self._lock:
            self._trouble = self._trouble or f"{self._where} is away: {reason}"

    def _on_message(self, client: Any, data: Any, message: Any) -> None:
        name, _, topic = message.topic[len(self._base) + 1 :].partition("/")
        with self._lock:
            if name in self._gates or len(self._gates) < MOST_GATES:
                self._gates[name] = heard(self._gates.get(name, Told()), topic, message.payload)


def _password(file: str) -> str | None:
    if not file:
        return None
    from train.studio.password import first_line

    return first_line(file)
