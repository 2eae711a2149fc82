"""SIGHUP reads the configuration again; a broken one keeps the old one at work."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

import edge
from edge.kept import Kept

ROOT = Path(edge.__file__).parents[1]
DEADLINE = 90.0  # seconds; a busy machine takes ten to start


class Gate:
    """``maskgate run`` as a process on the built-in scene, with a configuration and a journal."""

    def __init__(self, folder: Path, text: str) -> None:
        self.config = folder / "gate.toml"
        self.journal = folder / "journal.db"
        self.write(text)
        self.log = (folder / "log.txt").open("w+b")
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "GPIOZERO_PIN_FACTORY": "mock"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edge", "run", "--config", str(self.config)],
            stdout=self.log, stderr=subprocess.STDOUT, env=environment,
        )

    def write(self, text: str) -> None:
        self.config.write_text(
            f'[camera]\nsource = "faulty:demo?script=picture:600"\n[journal]\n'
            f'file = "{self.journal}"\n[updates]\nfolder = "{self.journal.parent}/models"\n{text}'
        )

    def kinds(self) -> list[str]:
        with suppress(sqlite3.Error), closing(sqlite3.connect(self.journal, timeout=1)) as journal:
            return [kind for (kind,) in journal.execute("SELECT kind FROM event ORDER BY id")]
        return []

    def wait_for(self, kind: str) -> None:
        until = time.monotonic() + DEADLINE
        while kind not in self.kinds():
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < until, self.output()
            time.sleep(0.1)

    def reload(self, text: str) -> None:
        self.write(text)
        self.process.send_signal(signal.SIGHUP)

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE)

    def output(self) -> str:
        self.log.seek(0)
        return self.log.read().decode(errors="replace")


@pytest.fixture
def gate(tmp_path):
    pytest.importorskip("skimage")
    gate = Gate(tmp_path, "")
    yield gate
    if gate.process.poll() is None:
        gate.process.kill()
        gate.process.wait(DEADLINE)
    gate.log.close()


def test_a_changed_file_is_taken_over_and_a_broken_one_is_not(gate):
    gate.wait_for("started")
    gate.reload("[alarm]\nmax_seconds = 0\n")
    gate.wait_for("reload_refused")
    gate.reload('[outputs.lamp]\nkind = "led"\npins = [22]\n')
    gate.wait_for("reloaded")
    assert gate.end() == 0
    told = gate.output()
    assert "the old configuration goes on" in told and "alarm.max_seconds is 0" in told
    assert "changed: outputs" in told and "lamp on GPIO 22" in told
    assert "taken over anew once" in told
    assert gate.kinds()[0] == "started" and gate.kinds()[-1] == "stopped"


def test_who_rings_is_taken_over_while_the_gate_goes_on(gate):
    gate.wait_for("person_left")
    gate.reload('[alarm]\ncool_down_seconds = 7\n[people]\nmin_face = "10%"\n')
    gate.wait_for("reloaded")
    assert gate.end() == 0
    told = gate.output()
    assert told.count("Watching") == 1 and "changed: alarm, people" in told
    assert "taken over anew once" in told and "since the gate was last put" not in told


def test_a_part_stays_while_its_settings_do():
    made, closed = [], []

    def part(name):
        return lambda: made.append(name) or name

    with Kept() as kept:
        assert kept.get("camera", 1, part("first"), closed.append) == "first"
        assert kept.get("camera", 1, part("second"), closed.append) == "first"
        assert kept.get("camera", 2, part("third"), closed.append) == "third"
        assert closed == ["first"]
    assert made == ["first", "third"] and closed == ["first", "third"]


def test_all_parts_are_closed_though_one_cannot_be():
    closed = []

    def fail(part):
        raise OSError("stuck")

    with pytest.raises(OSError, match="stuck"), Kept() as kept:
        kept.get("camera", 0, object, closed.append)
        kept.get("journal", 0, object, fail)
    assert len(closed) == 1
