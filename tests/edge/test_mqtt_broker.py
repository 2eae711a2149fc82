"""The gate and a real broker: away, dying, back, refusing, silent."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Queue

import pytest

from edge.alerts.mqtt import MqttOutput, MqttSettings
from edge.alerts.outputs import Outputs
from edge.gate.policy import GateState
from edge.report.events import Event
from tests import patience

mqtt = pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")
MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
needs_broker = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0  # seconds; a busy machine takes its time
eventually = partial(patience.eventually, patience=PATIENCE)
DOOR = "maskgate/door"
DEVICE = "homeassistant/device/maskgate_door/config"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Broker:
    """A mosquitto of our own on a free port, without memory across restarts."""

    def __init__(self, folder, *lines):
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        # Started as root it becomes another user, who cannot read this folder.
        user = "user root" if os.geteuid() == 0 else ""
        all_lines = [f"listener {self.port} 127.0.0.1", user, *lines]
        self._config.write_text("\n".join(all_lines) + "\n")
        self._process = None

    def start(self):
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self._config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(self._answers)

    def stop(self, with_signal=signal.SIGKILL):
        if self._process is not None:
            self._process.send_signal(with_signal)
            self._process.wait(PATIENCE)
            self._process = None

    def _answers(self):
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


class Watcher:
    """Somebody at the broker who hears all of it: each topic's newest text, and *heard* in order.

    *kept* are the texts that the broker had retained.
    """

    def __init__(self, port):
        self.newest, self.kept, self.heard = {}, {}, []
        ready = threading.Event()
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self.client.on_message = self._hear
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.connect("127.0.0.1", port)
        self.client.subscribe("#", qos=1)
        self.client.loop_start()
        assert ready.wait(PATIENCE)

    def _hear(self, client, data, message):
        text = message.payload.decode()
        self.heard.append((message.topic, text))
        self.newest[message.topic] = text
        if message.retain:
            self.kept[message.topic] = text

    def says(self, topic, **expected):
        """Whether the newest JSON of *topic* holds all that is *expected*."""
        value = json.loads(self.newest.get(topic, "{}"))
        return all(value.get(key) == wanted for key, wanted in expected.items())

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def broker(tmp_path):
    one = Broker(tmp_path, "allow_anonymous true")
    yield one
    one.stop()


@pytest.fixture
def watch():
    watchers = []

    def start(port):
        watchers.append(Watcher(port))
        return watchers[-1]

    yield start
    for watcher in watchers:
        watcher.close()


@pytest.fixture
def told():
    return Queue()


@pytest.fixture
def gate(told):
    outputs = []

    def start(port, **settings):
        chosen = MqttSettings(enabled=True, host="127.0.0.1", port=port, gate="door", **settings)
        outputs.append(MqttOutput(chosen, told.put, settled=0.0, retry=(1, 1)))
        return outputs[-1]

    yield start
    for output in outputs:
        output.close()


@needs_broker
def test_everything_is_retained_and_online_comes_last(broker, watch, gate, told):
    broker.start()
    output = gate(broker.port, title="Haupteingang")
    output.show(GateState.ALARM)
    output.tell(Event(1.0, "person_judged", 1, "no_mask", 0.97))
    output.tell(Event(1.0, "alarm_started", 1))
    output.tell(Event(2.0, "person_left", 1, "no_mask"))
    output.measure(14.97, "masks 3")
    watcher = watch(broker.port)
    eventually(lambda: watcher.newest.get(f"{DOOR}/availability") == "online")
    eventually(lambda: watcher.says(f"{DOOR}/people", no_mask=1, alarms=1))
    late = watch(broker.port)
    eventually(lambda: len(late.kept) == 6)
    assert late.says(f"{DOOR}/state", state="alarm", muted=False)
    assert late.says(f"{DOOR}/verdict", verdict="no_mask", person=1)
    assert late.says(f"{DOOR}/health", frames_per_second=15.0, model="masks 3")
    assert json.loads(late.kept[DEVICE])["dev"]["name"] == "Haupteingang"
    assert told.empty()


@needs_broker
def test_a_broker_away_at_the_start_is_told_once_and_gets_the_newest_when_it_is_there(
    broker, watch, gate, told
):
    output = gate(broker.port)
    line = told.get(timeout=PATIENCE)
    assert f"MQTT: the MQTT broker at 127.0.0.1:{broker.port} is away (Connection refused)" == line
    for state in (GateState.ALARM, GateState.PASS, GateState.IDLE):
        output.show(state)
    broker.start()
    assert "is back" in told.get(timeout=PATIENCE)
    watcher = watch(broker.port)
    eventually(lambda: watcher.says(f"{DOOR}/state", state="idle"))
    assert told.empty()


@needs_broker
def test_a_broker_that_dies_has_all_of_it_again_when_it_is_back(broker, watch, gate, told):
    broker.start()
    output = gate(broker.port)
    output.show(GateState.ALARM)
    watcher = watch(broker.port)
    eventually(lambda: watcher.newest.get(f"{DOOR}/availability") == "online")
    watcher.close()
    broker.stop()
    assert "the connection is lost" in told.get(timeout=PATIENCE)
    for state in (GateState.PASS, GateState.ALARM, GateState.LOOKING):
        output.show(state)
    broker.start()
    back = watch(broker.port)
    assert "is back" in told.get(timeout=PATIENCE)
    eventually(lambda: set(back.newest) >= {DEVICE, f"{DOOR}/people", f"{DOOR}/availability"})
    assert back.says(f"{DOOR}/state", state="looking")
    # What lay under way when it died may come once more, but never after what is newer.
    states = [json.loads(text)["state"] for topic, text in back.heard if topic == f"{DOOR}/state"]
    assert states[-1] == "looking" and set(states) <= {"alarm", "looking"}


@needs_broker
def test_closing_says_the_last_state_and_then_offline(broker, watch, gate, told):
    broker.start()
    watcher = watch(broker.port)
    output = gate(broker.port)
    eventually(lambda: watcher.newest.get(f"{DOOR}/availability") == "online")
    output.show(GateState.SHUTDOWN)
    output.close()
    output.close()
    eventually(lambda: watcher.newest[f"{DOOR}/availability"] == "offline")
    assert watcher.heard[-2][0] == f"{DOOR}/state" and watcher.says(
        f"{DOOR}/state", state="shutdown"
    )
    # In order, and so without the last will, which would be a second one.
    assert watcher.heard.count((f"{DOOR}/availability", "offline")) == 1
    assert told.empty()


@needs_broker
def test_a_gate_that_is_killed_is_offline_by_its_last_will(broker, watch):
    broker.start()
    watcher = watch(broker.port)
    program = (
        "import sys, time\n"
        "from edge.alerts.mqtt import MqttOutput, MqttSettings\n"
        "port = int(sys.argv[1])\n"
        "MqttOutput(MqttSettings(True, host='127.0.0.1', port=port, gate='door'), print)\n"
        "time.sleep(600)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(broker.port)], cwd=ROOT)
    try:
        eventually(lambda: watcher.newest.get(f"{DOOR}/availability") == "online")
    finally:
        child.kill()
        child.wait(PATIENCE)
    eventually(lambda: watcher.newest[f"{DOOR}/availability"] == "offline")
    late = watch(broker.port)
    eventually(lambda: late.kept.get(f"{DOOR}/availability") == "offline")


@needs_broker
def test_home_assistant_hears_all_again_when_it_has_started(broker, watch, gate):
    broker.start()
    watcher = watch(broker.port)
    gate(broker.port)
    eventually(lambda: watcher.newest.get(f"{DOOR}/availability") == "online")

    def born():
        watcher.client.publish("homeassistant/status", "online", qos=1)
        return [topic for topic, _ in watcher.heard].count(DEVICE) > 1

    eventually(born)


@needs_broker
def test_without_discovery_nothing_is_written_outside_the_gates_own_topics(broker, watch, gate):
    broker.start()
    watcher = watch(broker.port)
    gate(broker.port, discovery=False, base_topic="shops/berlin")
    eventually(lambda: watcher.newest.get("shops/berlin/door/availability") == "online")
    assert set(watcher.newest) == {"shops/berlin/door/people", "shops/berlin/door/availability"}


@needs_broker
@pytest.mark.parametrize("right", [True, False])
def test_a_wrong_password_is_told_and_never_named(tmp_path, gate, told, watch, right):
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)
    subprocess.run(
        ["mosquitto_passwd", "-b", str(passwords), "gate", "opensesame"], check=True, timeout=60
    )
    broker = Broker(tmp_path, "allow_anonymous false", f"password_file {passwords}")
    broker.start()
    file = tmp_path / "password"
    file.write_text("opensesame\n" if right else "abracadabra\n")
    try:
        output = gate(broker.port, username="gate", password_file=str(file))
        if right:
            eventually(lambda: output.connected)
            assert told.empty()
        else:
            line = told.get(timeout=PATIENCE)
            assert "it refuses user 'gate': Not authorized; check username" in line
            assert "abracadabra" not in line
    finally:
        broker.stop()


@pytest.fixture
def black_hole():
    """A port where somebody listens and never says a word."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        yield one.getsockname()[1]


def test_a_black_hole_keeps_nobody_waiting(black_hole, gate, monkeypatch):
    """No call that shows, tells or measures reaches paho: that is the courier's, always."""
    output = gate(black_hole)
    callers = set()
    publish = mqtt.Client.publish

    def noting(*arguments, **options):
        callers.add(threading.current_thread())
        return publish(*arguments, **options)

    monkeypatch.setattr(mqtt.Client, "publish", noting)

    def work():
        with Outputs([output]) as outputs:
            for number in range(2000):
                outputs.show([GateState.IDLE, GateState.ALARM][number % 2])
                output.tell(Event(1.0, "person_left", number, "mask"))
                output.measure(15.0, "masks 1")

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(PATIENCE)
    assert not worker.is_alive() and not callers


def test_something_that_is_no_broker_is_told(gate, told):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        gate(server.getsockname()[1])
        other, _ = server.accept()
        other.close()
        assert "does not answer as one; check tls and port" in told.get(timeout=PATIENCE)


def test_one_message_is_under_way_at_a_time_and_one_never_acknowledged_is_not_waited_for(told):
    """A connection resends what an old one lost, which must not bring back an old value."""
    got, now = Queue(), [0.0]
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        settings = MqttSettings(host="127.0.0.1", port=server.getsockname()[1], gate="door")
        output = MqttOutput(settings, told.put, seconds=lambda: now[0])
        peer, _ = server.accept()
        with peer:
            peer.recv(4096)
            peer.sendall(b"\x20\x02\x00\x00")  # CONNACK, and never a PUBACK
            threading.Thread(target=listen, args=(peer, got.put), daemon=True).start()
            collected = b""
            while b'"cmps"' not in collected:
                collected += got.get(timeout=PATIENCE)
            output.show(GateState.ALARM)
            assert b"door/people" not in collected.split(b'"cmps"')[1].split(b"}}}")[-1]
            now[0] = 31.0
            while b'"alarms": 0' not in collected:
                collected += got.get(timeout=PATIENCE)
            output.close()


def listen(peer, put):
    with suppress(OSError):
        while data := peer.recv(65536):
            put(data)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A key and a certificate for 127.0.0.1 that signs itself, as PEM files."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return key, cert


@needs_broker
@pytest.mark.parametrize("case", ["trusted", "not trusted", "no tls there"])
def test_tls_checks_the_brokers_certificate(tmp_path, gate, told, certificate, case):
    key, cert = certificate
    tls = [f"certfile {cert}", f"keyfile {key}"] if case != "no tls there" else []
    broker = Broker(tmp_path, *tls, "allow_anonymous true")
    broker.start()
    try:
        output = gate(broker.port, tls=True, ca_file="" if case == "not trusted" else str(cert))
        if case == "trusted":
            eventually(lambda: output.connected)
            assert told.empty()
        else:
            expected = {"not trusted": "certificate is not trusted", "no tls there": "check tls"}
            assert expected[case] in told.get(timeout=PATIENCE)
    finally:
        broker.stop()


def test_what_waits_for_a_broker_that_is_away_is_bounded(gate):
    """One text for each topic, however long it is away and however much happens."""
    output = gate(free_port())
    for number in range(5000):
        output.show([GateState.IDLE, GateState.ALARM][number % 2])
        output.tell(Event(1.0, "person_judged", number, "mask", 0.9))
        output.tell(Event(1.0, "person_left", number, "mask"))
    assert output.waiting <= 6


@needs_broker
def test_a_broker_that_freezes_is_told_and_recovers(broker, watch, gate, told):
    broker.start()
    output = gate(broker.port, keepalive=5)
    eventually(lambda: output.connected)
    broker._process.send_signal(signal.SIGSTOP)
    for number in range(100):
        output.show([GateState.IDLE, GateState.ALARM][number % 2])
    output.show(GateState.PASS)
    try:
        assert "is away" in told.get(timeout=PATIENCE)
    finally:
        broker._process.send_signal(signal.SIGCONT)
    eventually(lambda: "is back" in told.get(timeout=PATIENCE))
    watcher = watch(broker.port)
    eventually(lambda: watcher.says(f"{DOOR}/state", state="pass"))
