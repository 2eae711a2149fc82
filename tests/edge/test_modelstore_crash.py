"""kill -9 at every step of an update: the next start has one good model, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge.config import default_config
from edge.modelstore.store import Store
from edge.networks import Networks
from tests.edge.model_files import (
    CLASSIFIER,
    DETECTOR,
    copied_in,
    feed_of,
    make,
    original,
    released,
    released_version,
    stored_names,
)

ROOT = Path(__file__).resolve().parents[2]
# A gate that starts, takes in a copied file, swaps it in, runs it for its probation, and trusts
# it; its arguments are the folder and the step after which it kills itself, and how often to let
# that step pass first.
PROGRAM = """
import os, signal, sys
from pathlib import Path
from edge.modelstore.store import Store
from tests.edge.model_files import feed_of, settings_of

root, name, passes = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

def step(here):
    global passes
    print(here, flush=True)
    if here == name:
        passes -= 1
        if passes < 0:
            os.kill(os.getpid(), signal.SIGKILL)

feed = feed_of(root, settings_of(root, probation_minutes=0.02), store=Store(root, step=step))
feed.start()
now = 0.0
def run(frames):
    global now
    for _ in range(frames):
        now += 0.1
        feed.saw(now, 0)
for second in range(8):
    feed.work(float(second))
    feed.poll()
    run(5)
step("ran")
feed.close()
step("closed")
"""
STEPS = (
    ("recovered", 0),
    ("loaded", 0),
    ("copying", 0),
    ("copied", 0),
    ("checked", 0),
    ("tried", 0),
    ("placed", 0),
    ("chosen: half written", 0),
    ("chosen", 0),
    ("swept", 0),
    ("told: half written", 0),
    ("told", 0),
    ("remembered: half written", 0),
    ("remembered", 0),
    ("counted: half written", 0),
    ("counted", 0),
    ("loaded", 2),
    ("offered", 0),
    ("proved: half written", 0),
    ("proved", 0),
    ("ran", 0),
    ("closed", 0),
)
# From here on the new one is trusted; before, from "counted" on, it ran and proved nothing.
PROVED = ("proved", "ran", "closed")


def run(root: Path, name: str, passes: int) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(root), name, str(passes)], cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode, done.stdout.splitlines()


def test_every_step_of_an_update_is_in_the_list(tmp_path: Path) -> None:
    copied_in(tmp_path, make(DETECTOR))
    code, seen = run(tmp_path, "none", 0)
    assert code == 0
    assert list(dict.fromkeys(seen)) == list(dict.fromkeys(name for name, _ in STEPS))


@pytest.mark.parametrize(("name", "passes"), STEPS)
def test_killed_there_one_good_model_runs_afterwards_and_nothing_is_left(
    tmp_path: Path, name: str, passes: int
) -> None:
    copied_in(tmp_path, make(DETECTOR))
    code, _ = run(tmp_path, name, passes)
    assert code == -signal.SIGKILL
    (tmp_path / "incoming" / "new.tflite").unlink()

    feed = feed_of(tmp_path)
    detector, classifier = feed.start()
    state = Store(tmp_path).read()
    active = state.active(DETECTOR)
    running = detector.model
    assert classifier.model == released()[CLASSIFIER]
    assert running.sha256 == (active or released()[DETECTOR]).sha256
    assert running.card.version in (released_version(), 100)
    held = [path.name for path in (tmp_path / "store").iterdir()]
    assert held == [running.path.name] * (running.card.version == 100)
    assert set(stored_names(tmp_path)) - {"state.json"} == {f"store/{file}" for file in held}
    if name in PROVED:
        assert active is not None and active.standing == "good"
    feed.close()


@pytest.mark.parametrize("name", ["counted", "offered", "proved: half written"])
def test_killed_on_probation_the_gate_says_that_it_rolled_back(tmp_path: Path, name: str) -> None:
    copied_in(tmp_path, make(DETECTOR))
    run(tmp_path, name, 0)
    feed = feed_of(tmp_path)
    detector, classifier = feed.start()
    assert detector.model == released()[DETECTOR]
    # The lights say so too, once: a change for the worse of what the gate runs.
    networks = Networks(detector, classifier, default_config(), feed)
    change = networks.change()
    assert change is not None and change.trouble and "face-detector 100" in change.detail
    assert change.detector is None and networks.change() is None
    (note,) = [note for note in feed.notes() if note.event == "model_rolled_back"]
    assert "face-detector 100" in note.words and "ended out of order" in note.words
    # And the file that did it is not taken in by itself again.
    feed.work(0)
    feed.work(5)
    assert Store(tmp_path).read().active(DETECTOR) is None
    feed.close()


def test_killed_twice_the_state_is_the_same(tmp_path: Path) -> None:
    copied_in(tmp_path, make(DETECTOR))
    run(tmp_path, "counted", 0)
    run(tmp_path, "recovering: half written", 0)
    run(tmp_path, "recovered", 0)
    feed = feed_of(tmp_path)
    assert feed.start()[0].model.card.version == released_version()
    assert stored_names(tmp_path) == ["state.json"]
    feed.close()


def test_a_damaged_state_file_is_put_aside_and_the_released_models_run(tmp_path: Path) -> None:
    copied_in(tmp_path, make(DETECTOR))
    run(tmp_path, "closed", 0)
    (tmp_path / "state.json").write_text('{"slots": 7')
    feed = feed_of(tmp_path)
    assert feed.start()[0].model == released()[DETECTOR]
    assert any("put aside" in note.words for note in feed.notes())
    assert stored_names(tmp_path) == ["state.damaged", "state.json"]
    feed.close()


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "other"])
def test_a_stored_model_that_was_damaged_is_not_run(tmp_path: Path, damage: str) -> None:
    copied_in(tmp_path, make(DETECTOR))
    run(tmp_path, "closed", 0)
    (path,) = (tmp_path / "store").iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    new = {"cut": content[:-9], "flip": content, "other": original(CLASSIFIER)}
    path.unlink() if damage == "gone" else path.write_bytes(new[damage])
    feed = feed_of(tmp_path)
    assert feed.start()[0].model == released()[DETECTOR]
    assert any(note.event == "model_rolled_back" for note in feed.notes())
    assert stored_names(tmp_path) == ["state.json"]
    feed.close()
