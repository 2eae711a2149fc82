"""The trial: a model in a child process, whose every end is a reason."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from edge.errors import ModelError
from edge.modelfile import Kind, ModelFile, parts_of
from edge.modelstore.flatbuffer import TYPES
from edge.modelstore.settings import UpdateSettings
from edge.modelstore.structure import KNOWN_OPERATORS, check_network
from edge.modelstore.trial import side_by_side
from edge.modelstore.trialrun import Child, Passed, run_trial, too_slow
from tests.edge.model_files import CLASSIFIER, DETECTOR, original, released

SETTINGS = UpdateSettings(trial_seconds=30)


@pytest.mark.parametrize("kind", [DETECTOR, CLASSIFIER])
def test_the_released_models_pass_their_own_trial(kind: str) -> None:
    model = released()[kind]  # type: ignore[index]
    passed = run_trial(model.path, model.card.kind, model.path, "new.tflite", SETTINGS)
    assert passed.error == 0
    assert passed.milliseconds and passed.running
    assert "self-test off by 0 steps" in passed.words()


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (signal.SIGSEGV, "crashed the interpreter with SIGSEGV"),
        (signal.SIGABRT, "crashed the interpreter with SIGABRT"),
        (signal.SIGKILL, "crashed the interpreter with SIGKILL"),
        (signal.SIGXCPU, "more than 30 s of processor time"),
    ],
)
def test_a_child_that_is_killed_is_a_reason(number: signal.Signals, says: str) -> None:
    model = released()[DETECTOR]
    with Child(SETTINGS) as child:
        os.kill(child._process.pid, number)
        with pytest.raises(ModelError, match=says) as caught:
            child.ask(model.path, DETECTOR, None, "new.tflite")
        assert not child.alive
    assert "\n" not in str(caught.value)


def test_a_child_that_hangs_is_ended_in_time() -> None:
    model = released()[DETECTOR]
    with Child(UpdateSettings(trial_seconds=1)) as child:
        os.kill(child._process.pid, signal.SIGSTOP)
        with pytest.raises(ModelError, match="it took longer than 1 s"):
            child.ask(model.path, DETECTOR, None, "new.tflite")
        assert not child.alive


@pytest.mark.parametrize("kind", [DETECTOR, CLASSIFIER])
def test_a_model_may_take_so_much_memory_and_no_more(kind: Kind) -> None:
    model = released()[kind]
    least = UpdateSettings(trial_megabytes=128)
    assert run_trial(model.path, kind, model.path, "new.tflite", least).error == 0
    # Less than may be configured, so that a released network is one that takes too much.
    little = cast(UpdateSettings, SimpleNamespace(trial_megabytes=8, trial_seconds=30))
    with Child(little) as child, pytest.raises(ModelError) as caught:
        child.ask(model.path, kind, None, "new.tflite")
    assert str(caught.value).startswith("new.tflite needs more than 8 MB; train a smaller network")


def test_a_gate_that_stops_does_not_wait_for_a_trial() -> None:
    model = released()[DETECTOR]
    with Child(SETTINGS, cancelled=lambda: True) as child:
        with pytest.raises(ModelError, match="the gate stopped"):
            child.ask(model.path, DETECTOR, None, "new.tflite")
        assert not child.alive


def test_a_child_does_not_outlive_its_gate(tmp_path: Path) -> None:
    program = (
        "import os, signal, time\n"
        "from edge.modelstore.settings import UpdateSettings\n"
        "from edge.modelstore.trialrun import Child\n"
        "child = Child(UpdateSettings())\n"
        "try: child.ask(__import__('pathlib').Path('none'), 'face-detector', None, 'none')\n"
        "except ValueError: pass\n"
        "print(child._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root,
        env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True, timeout=60,
    )
    pid = int(done.stdout)
    for _ in range(200):
        state = Path(f"/proc/{pid}/stat")
        # A zombie is dead; who inherited it has not looked yet.
        if not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return
        signal.sigtimedwait([], 0.05)
    pytest.fail(f"the trial {pid} still runs")


def test_a_child_is_asked_again_and_again(tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(original(DETECTOR)[:1000])
    with Child(SETTINGS) as child:
        for _ in range(3):
            with pytest.raises(ModelError, match=r"^new\.tflite has no maskgate card"):
                child.ask(broken, DETECTOR, None, "new.tflite")
            assert child.ask(released()[DETECTOR].path, DETECTOR, None, "x").error == 0


@pytest.mark.parametrize(
    ("passed", "factor", "slow"),
    [
        (Passed(0, "", None, None), 10, False),
        (Passed(0, "", 9.9, 1.0), 10, False),
        (Passed(0, "", 10.0, 1.0), 10, True),
        (Passed(0, "", 30.0, 10.0), 2, True),
    ],
)
def test_slow_is_so_many_times_slower(passed: Passed, factor: float, slow: bool) -> None:
    assert bool(too_slow(passed, factor)) is slow


@pytest.mark.parametrize(("takes", "slow"), [(0.001, False), (0.012, True)])
@pytest.mark.parametrize("hit", [0, 1])
def test_a_busy_board_makes_no_network_slow(takes: float, slow: bool, hit: int) -> None:
    now = [0.0]
    calls = count()

    class Busy:
        """A network that takes so long, on a board that does something else every second time."""

        shape = (2, 2, 3)

        def __init__(self, seconds: float) -> None:
            self.seconds = seconds

        def run_raw(self, picture: object) -> None:
            now[0] += self.seconds + (0.012 if next(calls) % 2 == hit else 0)

    new, running = side_by_side(Busy(takes), Busy(0.001), lambda: now[0])
    assert running == pytest.approx(1.0)
    assert bool(too_slow(Passed(0, "", new, running), 10)) is slow


def test_a_model_that_is_much_slower_here_is_refused(classifier_file: ModelFile) -> None:
    new = released()[CLASSIFIER]
    settings = UpdateSettings(slow_factor=2)
    with pytest.raises(ModelError, match=r"too slow: .* times the running model's"):
        run_trial(new.path, CLASSIFIER, classifier_file.path, "new.tflite", settings)


def test_numbers_of_operators_and_types_are_those_of_the_schema() -> None:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    operators = vars(schema.BuiltinOperator)
    assert {name: operators[name] for name in KNOWN_OPERATORS.values()} == {
        name: number for number, name in KNOWN_OPERATORS.items()
    }
    types = {v: k.lower() for k, v in vars(schema.TensorType).items() if isinstance(v, int)}
    assert all(types[number] == name for number, name in TYPES.items())


@pytest.mark.parametrize("kind", [DETECTOR, CLASSIFIER])
def test_the_reader_sees_what_the_interpreters_schema_sees(kind: str) -> None:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    model = released()[kind]  # type: ignore[index]
    network = parts_of(original(model.card.kind), model.path)[1]
    graph = check_network(network, model)
    theirs = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(network, 0)).subgraphs[0]
    assert [list(t.shape) for t in graph.tensors] == [list(t.shape) for t in theirs.tensors]
    assert [list(o.inputs) for o in graph.operators] == [list(o.inputs) for o in theirs.operators]
    assert list(graph.outputs) == list(theirs.outputs)
    assert json.dumps(graph.sizes)
