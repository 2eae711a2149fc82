"""A model is copied to a gate at work: the real program, its real store, its real journal."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.edge.model_files import CLASSIFIER, DETECTOR, make, released_version
from tests.edge.test_modelstore_scp import SSHD
from tests.edge.test_modelstore_scp import server as server  # the fixture
from tests.edge.test_reload import DEADLINE, ROOT, Gate

QUICK = "settle_seconds = 0.5\nprobation_minutes = 0.02\n"
LONG = "settle_seconds = 0.5\nprobation_minutes = 60\n"


class Door(Gate):
    """A gate before which somebody bare and somebody masked come in turns, for ten minutes."""

    @property
    def inbox(self) -> Path:
        return self.journal.parent / "models" / "incoming"

    def judged(self) -> list[tuple[str, str]]:
        """Return the first verdict of each person, in their order, and the network that gave it."""
        with closing(sqlite3.connect(self.journal, timeout=5)) as journal:
            rows = journal.execute(
                "SELECT verdict, model FROM readable WHERE kind = 'person_judged' ORDER BY id"
            )
            return [(verdict, model.split(" (")[0]) for verdict, model in rows]

    def until(self, done: Callable[[], bool]) -> None:
        until = time.monotonic() + DEADLINE
        while not done():
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < until, self.output()
            time.sleep(0.1)

    def until_changed(self, times: int) -> None:
        self.until(lambda: self.kinds().count("model_changed") == times)


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[Callable[[str], Door]]:
    """Makes gates, with more lines for their [updates], that have ended when the test has."""
    pytest.importorskip("skimage")
    made: list[Door] = []

    def start(text: str) -> Door:
        door = Door(tmp_path, text)
        made.append(door)
        door.until(lambda: "started" in door.kinds())
        return door

    yield start
    for door in made:
        if door.process.poll() is None:
            door.process.kill()
            door.process.wait(DEADLINE)
        door.log.close()


@pytest.fixture
def new(tmp_path: Path) -> Callable[[int], Path]:
    def made(version: int) -> Path:
        path = tmp_path / f"version {version}.tflite"
        path.write_bytes(make(CLASSIFIER, version))
        return path

    return made


def test_copied_in_by_every_way_each_model_runs_and_verdicts_stay_right(doors, new, request):
    door = doors(QUICK)
    door.until(lambda: door.judged() != [])

    def by_command(file: Path) -> None:
        run(sys.executable, "-m", "edge", "model", "install", file, "--config", door.config)

    ways: list[Callable[[Path], object]] = [
        lambda file: run("cp", file, door.inbox),
        lambda file: shutil.move(file, door.inbox),
        by_command,
    ]
    # A machine without these still tries the others; each has a test that says it is missing.
    if shutil.which("rsync"):
        ways.append(lambda file: run("rsync", "-a", file, door.inbox))
    if SSHD and shutil.which("scp"):
        server = request.getfixturevalue("server")
        ways.append(lambda file: server.send(file, door.inbox))
    for number, way in enumerate(ways, 1):
        way(new(100 + number))
        door.until_changed(number)
    last = f"{CLASSIFIER} {100 + len(ways)}"
    door.until(lambda: door.judged()[-1][1] == last)
    door.until(lambda: door.kinds().count("model_trusted") >= 1)
    assert door.end() == 0
    verdicts = [verdict for verdict, _ in door.judged()]
    # Before, during and after: who comes is bare and masked in turns, and is called so once.
    assert verdicts == (["no_mask", "mask"] * len(verdicts))[: len(verdicts)]
    # What was judged before keeps the network by which it was judged.
    assert door.judged()[0][1] == f"{CLASSIFIER} {released_version(CLASSIFIER)}"
    assert door.kinds().count("started") == 1 and "model_rolled_back" not in door.kinds()


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], cwd=ROOT, check=True, timeout=DEADLINE)


def test_a_stick_that_is_plugged_in_brings_its_model(doors, new, tmp_path):
    media = tmp_path / "media"
    door = doors(QUICK + f'incoming = "{media}"\n')
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "holiday.jpg").write_bytes(b"sun")
    shutil.copy(new(100), stick)
    stick.rename(media)
    door.wait_for("model_trusted")
    media.rename(stick)
    assert door.end() == 0
    kinds = door.kinds()
    first = [kinds.index(kind) for kind in ("model_installed", "model_changed", "model_trusted")]
    assert first == sorted(first) and "MODEL CHANGED" in door.output()
    assert sorted(path.name for path in stick.iterdir()) == ["holiday.jpg", "version 100.tflite"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_a_gate_that_crashes_on_probation_or_is_ended_by_the_watchdog_goes_back(doors, new, number):
    door = doors(LONG)
    shutil.copy(new(100), door.inbox)
    door.until_changed(1)
    door.process.send_signal(number)
    assert door.process.wait(DEADLINE) == -number
    before = len(door.judged())
    again = doors(LONG)
    again.wait_for("model_rolled_back")
    again.until(lambda: len(again.judged()) > before)
    assert again.end() == 0
    assert again.judged()[-1] == ("no_mask", f"{CLASSIFIER} {released_version(CLASSIFIER)}")
    changed = [line for line in again.output().splitlines() if "MODEL CHANGED" in line]
    assert "was rolled back: the gate ended out of order while it was on probation" in changed[0]
    # The file still lies where it was copied, and is not taken by itself a second time.
    assert (again.inbox / "version 100.tflite").exists()
    assert again.kinds().count("model_installed") == 1


def test_broken_files_are_refused_one_by_one_and_the_gate_goes_on(doors):
    door = doors(QUICK)
    bad = {"empty": b"", "text": b"no model at all", "cut off": make(DETECTOR)[:-5000]}
    for name, content in bad.items():
        (door.inbox / f"{name}.tflite").write_bytes(content)
    door.until(lambda: door.kinds().count("model_refused") == len(bad))
    seen = len(door.judged())
    door.until(lambda: len(door.judged()) > seen)
    assert door.end() == 0
    assert "model_changed" not in door.kinds()
    assert all(f"{name}.tflite" in door.output() for name in bad)
