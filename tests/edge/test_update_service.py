"""A model is copied to a gate at work: the real program, its real store, its real journal."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

import pytest

from tests.edge.model_files import CLASSIFIER, DETECTOR, make
from tests.edge.test_reload import DEADLINE, Gate


@pytest.fixture
def gate(tmp_path):
    pytest.importorskip("skimage")
    gate = Gate(tmp_path, "settle_seconds = 0.5\nprobation_minutes = 0.02\n")
    yield gate
    if gate.process.poll() is None:
        gate.process.kill()
        gate.process.wait(DEADLINE)
    gate.log.close()


def wait_until(gate: Gate, done: Callable[[], bool]) -> None:
    until = time.monotonic() + DEADLINE
    while not done():
        assert gate.process.poll() is None, gate.output()
        assert time.monotonic() < until, gate.output()
        time.sleep(0.1)


def test_a_copied_model_is_tried_swapped_in_and_trusted(gate):
    inbox = gate.journal.parent / "models" / "incoming"
    wait_until(gate, lambda: inbox.is_dir() and "started" in gate.kinds())
    new = gate.journal.parent / "new.tflite"
    new.write_bytes(make(CLASSIFIER))
    shutil.copyfile(new, inbox / "new.tflite")
    gate.wait_for("model_trusted")
    assert gate.end() == 0
    kinds = gate.kinds()
    first = [kinds.index(kind) for kind in ("model_installed", "model_changed", "model_trusted")]
    assert first == sorted(first)
    assert "MODEL CHANGED" in gate.output()


@pytest.mark.parametrize(
    "content", [b"", b"no model at all", make(DETECTOR)[:-5000]], ids=["empty", "text", "cut off"]
)
def test_a_broken_file_is_refused_and_the_gate_goes_on(gate, content):
    inbox = gate.journal.parent / "models" / "incoming"
    wait_until(gate, lambda: inbox.is_dir() and "started" in gate.kinds())
    (inbox / "bad.tflite").write_bytes(content)
    gate.wait_for("model_refused")
    assert "model_changed" not in gate.kinds()
    assert gate.end() == 0
