"""What a broker keeps of a gate that leaves, and of one whose day passes unseen."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from datetime import datetime, timedelta, timezone

import pytest

from edge.alerts.mqtt import MqttOutput, MqttSettings
from edge.gate.policy import GateState
from tests.patience import PATIENCE, eventually

pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")
DOOR = "maskgate/door"
CONNECT, PUBLISH, SUBSCRIBE, DISCONNECT = 1, 3, 8, 14


class Broker:
    """One that can be frozen: it reads nothing then.

    *kept* is the retained text of each topic; *gone* holds how each connection ended: "in order",
    or "by will".
    """

    def __init__(self):
        self.kept, self.gone = {}, []
        self.reads = threading.Event()
        self.reads.set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.reads.set()
        self._server.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                peer, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        will, end = ("", ""), "by will"
        with peer, suppress(OSError, EOFError), peer.makefile("rb") as stream:
            while True:
                kind, flags, body = self._packet(stream)
                if kind == CONNECT:
                    _, rest = text(body[10:])
                    topic, rest = text(rest)
                    will = (topic, text(rest)[0])
                    peer.sendall(b"\x20\2\0\0")
                elif kind == PUBLISH:
                    assert flags & 6 == 2
                    topic, rest = text(body)
                    self.kept[topic] = rest[2:].decode()
                    peer.sendall(b"\x40\2" + rest[:2])
                elif kind == SUBSCRIBE:
                    peer.sendall(b"\x90\3" + body[:2] + b"\0")
                elif kind == DISCONNECT:
                    end = "in order"
                    break
        if end == "by will":
            self.kept[will[0]] = will[1]
        self.gone.append(end)

    def _packet(self, stream):
        self.reads.wait()
        first = some(stream, 1)[0]
        # It may have been frozen while it waited for this byte.
        self.reads.wait()
        length = shift = 0
        while True:
            byte = some(stream, 1)[0]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return first >> 4, first & 15, some(stream, length)


def some(stream, length):
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return data


def text(data):
    """Return the text that *data* begins with, and what follows it."""
    end = 2 + int.from_bytes(data[:2], "big")
    return data[2:end].decode(), data[end:]


@pytest.fixture
def broker():
    one = Broker()
    yield one
    one.close()


@pytest.fixture
def gate(broker, monkeypatch):
    monkeypatch.setattr("edge.alerts.mqtt._CLOSE_SECONDS", 0.2)
    outputs = []

    def start(**other):
        settings = MqttSettings(enabled=True, host="127.0.0.1", port=broker.port, gate="door")
        outputs.append(MqttOutput(settings, print, **other))
        return outputs[-1]

    yield start
    for output in outputs:
        output.close()


def test_a_gate_that_leaves_in_order_needs_no_will(broker, gate, monkeypatch):
    monkeypatch.undo()
    output = gate()
    eventually(lambda: broker.kept.get(f"{DOOR}/availability") == "online")
    output.close()
    eventually(lambda: broker.gone)
    assert broker.kept[f"{DOOR}/availability"] == "offline" and broker.gone == ["in order"]


@pytest.mark.parametrize("under_way", [True, False])
def test_a_gate_that_leaves_a_broker_that_does_not_read_is_offline_once_it_reads(
    broker, gate, under_way
):
    output = gate()
    eventually(lambda: broker.kept.get(f"{DOOR}/availability") == "online")
    broker.reads.clear()
    if under_way:
        output.show(GateState.SHUTDOWN)
        eventually(lambda: output.waiting == 0)
    output.close()
    output._courier.join(PATIENCE)
    broker.reads.set()
    eventually(lambda: broker.gone)
    assert broker.kept[f"{DOOR}/availability"] == "offline" and broker.gone == ["by will"]


def test_a_broker_that_is_reached_when_the_gate_has_left_hears_offline(broker, gate, monkeypatch):
    """It may remember ``online`` from a connection that it has not missed yet."""
    broker.kept[f"{DOOR}/availability"] = "online"
    reached, tries, connect = threading.Event(), [], socket.create_connection

    def slowly(*where, **how):
        tries.append(where)
        reached.wait(PATIENCE)
        return connect(*where, **how)

    monkeypatch.setattr(socket, "create_connection", slowly)
    output = gate()
    eventually(lambda: tries)
    output.close()
    reached.set()
    eventually(lambda: broker.gone)
    assert broker.kept[f"{DOOR}/availability"] == "offline" and broker.gone == ["by will"]


def test_a_day_begins_though_the_camera_is_at_fault_and_nothing_is_shown(broker, gate):
    now = [datetime(2026, 1, 1, 23, 59, tzinfo=timezone.utc)]
    output = gate(counts={"mask": 5}, clock=lambda: now[0])
    output.show(GateState.CAMERA_FAULT)

    def people():
        kept = json.loads(broker.kept.get(f"{DOOR}/people", "{}"))
        return kept.get("date"), kept.get("mask")

    eventually(lambda: people() == ("2026-01-01", 5))
    now[0] += timedelta(minutes=2)
    eventually(lambda: people() == ("2026-01-02", 0))
