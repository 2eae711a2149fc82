"""``maskgate run`` with a status page: a real process, asked over a real connection."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import edge

ROOT = Path(edge.__file__).parents[1]
DEADLINE = 90.0  # seconds; a busy machine takes ten to start


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Gate:
    """The gate as a process on the built-in scene, with a page at *port*."""

    def __init__(self, folder: Path, port: int, more: str = "") -> None:
        self.port = port
        self.config = folder / "gate.toml"
        self._folder = folder
        self.write(more)
        self.log = (folder / "log.txt").open("w+b")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path) + f":{ROOT}"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edge", "run", "--config", str(self.config), "--no-pins"],
            stdout=self.log, stderr=subprocess.STDOUT, env=environment, cwd=ROOT,
        )

    def write(self, more: str) -> None:
        self.config.write_text(
            '[camera]\nsource = "faulty:demo?script=picture:600"\n'
            f'[journal]\nfile = "{self._folder}/journal.db"\n'
            f'[updates]\nfolder = "{self._folder}/models"\n'
            f"[status]\nenabled = true\nport = {self.port}\n{more}"
        )

    def ask(self, path: str) -> tuple[int, bytes]:
        try:
            url = f"http://127.0.0.1:{self.port}{path}"
            with urllib.request.urlopen(url, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            return 0, b""

    def until(self, true) -> None:
        end = time.monotonic() + DEADLINE
        while not true():
            assert self.process.poll() is None and time.monotonic() < end, self.output()
            time.sleep(0.1)

    def output(self) -> str:
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE)


@pytest.fixture
def started(tmp_path):
    """Starts gates, and ends what a test left running."""
    pytest.importorskip("skimage")
    gates = []

    def start(port: int, more: str = "") -> Gate:
        gates.append(Gate(tmp_path, port, more))
        return gates[-1]

    yield start
    for gate in gates:
        gate.process.kill()
        gate.process.wait(DEADLINE)
        gate.log.close()


def test_a_gate_shows_how_it_is_and_the_page_outlives_a_changed_configuration(started):
    gate = started(free_port())
    gate.until(lambda: gate.ask("/healthz")[0] == 200)
    before = json.loads(gate.ask("/state.json")[1])
    assert before["frames"] > 0 and before["models"]["classifier"] and before["state"]
    gate.write("[alarm]\nmax_seconds = 7\n")
    gate.process.send_signal(signal.SIGHUP)
    gate.until(lambda: "changed: alarm" in gate.output())
    gate.until(lambda: gate.ask("/healthz")[0] == 200)
    after = json.loads(gate.ask("/state.json")[1])
    assert after["uptime_seconds"] > before["uptime_seconds"]
    assert after["frames"] >= before["frames"]
    assert gate.output().count("The status page is at") == 1
    assert gate.end() == 0 and gate.ask("/healthz")[0] == 0


def test_a_page_can_be_moved_and_switched_off_while_the_gate_runs(started):
    gate = started(free_port())
    gate.until(lambda: gate.ask("/healthz")[0] == 200)
    old, gate.port = gate.port, free_port()
    gate.write("preview = true\n")
    gate.process.send_signal(signal.SIGHUP)
    gate.until(lambda: gate.ask("/preview.jpg")[0] == 200)
    assert str(old) in gate.output() and str(gate.port) in gate.output()
    gate.config.write_text(gate.config.read_text().replace("enabled = true", "enabled = false"))
    gate.process.send_signal(signal.SIGHUP)
    gate.until(lambda: gate.ask("/healthz")[0] == 0)
    assert gate.end() == 0


@pytest.mark.parametrize("wrong", ["port", "token"])
def test_without_its_page_the_gate_runs_on_and_says_why(started, wrong):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1] if wrong == "port" else free_port()
        gate = started(port, 'token_file = "/nowhere/token"\n' if wrong == "token" else "")
        gate.until(lambda: "Watching" in gate.output())
        told = [line for line in gate.output().splitlines() if "no status page" in line]
        assert len(told) == 1 and wrong in told[0]
        assert gate.end() == 0
    journal = str(gate.config.with_name("journal.db"))
    events = subprocess.run(
        [sys.executable, "-m", "edge", "events", "--journal", journal, "--kind", "output_fault"],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )
    assert "no status page" in events.stdout
