"""The doctor's check of the broker: unknown, away, deaf, refusing, and a real one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from edge.alerts.mqtt import MqttSettings
from edge.config import Config
from edge.doctor import broker
from edge.doctor.broker import check_broker
from edge.doctor.fakes import FakePrograms, fake_context

mqtt = pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")
MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
needs_broker = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
PATIENCE = 20.0  # seconds


@pytest.fixture
def asked(tmp_path):
    """What the doctor finds with these settings of the broker."""

    def check(**settings):
        mqtt_settings = MqttSettings(**{"enabled": True, "host": "127.0.0.1", **settings})
        ctx = fake_context(tmp_path, FakePrograms(tmp_path / "bin"))
        return check_broker(replace(ctx, config=Config(mqtt=mqtt_settings)))

    return check


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def mosquitto(folder, *lines: str):
    port = free_port()
    config = folder / "mosquitto.conf"
    # Started as root it becomes another user, who cannot read this folder.
    user = "user root" if os.geteuid() == 0 else ""
    config.write_text("\n".join([f"listener {port} 127.0.0.1", user, *lines]) + "\n")
    process = subprocess.Popen(
        [str(MOSQUITTO), "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + PATIENCE
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert time.monotonic() < until, "mosquitto did not start"
            time.sleep(0.01)
        yield port
    finally:
        process.kill()
        process.wait(PATIENCE)


def test_mqtt_that_is_off_is_skipped(asked):
    assert asked(enabled=False).level == "skipped"


def test_a_name_that_nobody_knows_is_a_failure(asked):
    found = asked(host="no-such-broker.invalid")
    assert found.level == "failure"
    assert "is not known" in found.found


def test_a_broker_that_is_away_is_a_failure(asked):
    found = asked(port=free_port())
    assert found.level == "failure"
    assert "cannot be reached" in found.found


def test_what_is_there_but_no_broker_is_a_failure(asked, monkeypatch):
    monkeypatch.setattr(broker, "_CONNECT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        found = asked(port=deaf.getsockname()[1])
    assert found.level == "failure"
    assert "does not answer as a broker" in found.found


@needs_broker
def test_a_real_broker_takes_the_gate(asked, tmp_path):
    with mosquitto(tmp_path, "allow_anonymous true") as port:
        found = asked(port=port)
    assert found.level == "ok"
    assert f"127.0.0.1:{port}" in found.found


@needs_broker
def test_a_broker_that_wants_a_password_is_a_failure_that_says_so(asked, tmp_path):
    with mosquitto(tmp_path, "allow_anonymous false") as port:
        found = asked(port=port)
    assert found.level == "failure"
    assert "check username and password_file" in found.found


@needs_broker
def test_the_check_publishes_nothing_also_when_it_ends(asked, tmp_path):
    heard = []
    with mosquitto(tmp_path, "allow_anonymous true") as port:
        watcher = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        watcher.on_message = lambda client, data, message: heard.append(message.topic)
        watcher.connect("127.0.0.1", port)
        watcher.subscribe("#")
        watcher.loop_start()
        asked(port=port)
        # What the doctor had published would come before this.
        watcher.publish("end", "x")
        until = time.monotonic() + PATIENCE
        while "end" not in heard and time.monotonic() < until:
            time.sleep(0.01)
        watcher.disconnect()
        watcher.loop_stop()
    assert heard == ["end"]


def test_a_password_file_that_cannot_be_read_is_a_failure(asked, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as there:
        found = asked(port=there.getsockname()[1], username="gate",
                      password_file=str(tmp_path / "none"))
    assert found.level == "failure"
    assert "password_file" in found.found
