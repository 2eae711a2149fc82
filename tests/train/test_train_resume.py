"""A training that was stopped, cut off or damaged, and one that diverges."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import train.detector.loop as loop
from edge.errors import DataError, UsageError
from train.report.files import write_rows

BATCH = (np.zeros(1, np.float32),) * 2


class Counting:
    """A step that counts, and whose loss is the next of *losses*, else 1."""

    def __init__(self, *losses: float) -> None:
        self.weights = np.zeros(3)
        self._losses = list(losses)

    def train(self, inputs: np.ndarray, targets: np.ndarray) -> float:
        self.weights = self.weights + 1
        return self._losses.pop(0) if self._losses else 1.0

    def test(self, inputs: np.ndarray, targets: np.ndarray) -> float:
        return 1.0

    def swap_average(self) -> None:
        pass

    def arrays(self) -> Iterator[np.ndarray]:
        yield self.weights

    def restore(self, arrays: Iterator[np.ndarray]) -> None:
        self.weights = next(arrays)


def run(out: Path, epochs: int, step: Counting | None = None, **named: str) -> list[dict]:
    return loop.run_epochs(
        step or Counting(), epochs=epochs, steps=2, training=lambda epoch, number: BATCH,
        validation_steps=1, validation=lambda number: BATCH, state=out / "resume.npz",
        history=out / "history.csv", quiet=True, **{"fingerprint": "now", **named},
    )


def epochs_in(history: Path) -> list[float]:
    with history.open(newline="") as file:
        return [float(row["epoch"]) for row in csv.DictReader(file)]


def old_state(out: Path, epochs: int, fingerprint: str = "now") -> None:
    """Write the state as trainings did before the rows were kept in it."""
    with (out / "resume.npz").open("wb") as file:
        np.savez(file, epoch=np.array(epochs), fingerprint=np.array(fingerprint), v0=np.ones(3))


def test_a_lost_history_is_written_again(tmp_path: Path) -> None:
    rows = run(tmp_path, 3)
    (tmp_path / "history.csv").unlink()
    assert run(tmp_path, 3) == rows
    assert epochs_in(tmp_path / "history.csv") == [1, 2, 3]


def test_a_power_cut_between_state_and_history_leaves_no_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(path: Path, rows: list[dict]) -> None:
        if len(rows) == 2:
            raise KeyboardInterrupt
        write_rows(path, rows)

    monkeypatch.setattr(loop, "write_rows", cut)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, 4)
    monkeypatch.undo()
    assert [row["epoch"] for row in run(tmp_path, 4)] == [1, 2, 3, 4]
    assert epochs_in(tmp_path / "history.csv") == [1, 2, 3, 4]


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, None], ids=["empty", "other", "cut"])
def test_a_damaged_state_asks_for_a_fresh_start(tmp_path: Path, content: bytes | None) -> None:
    run(tmp_path, 1)
    state = tmp_path / "resume.npz"
    state.write_bytes(state.read_bytes()[:-40] if content is None else content)
    with pytest.raises(DataError, match=r"resume\.npz is damaged .*--fresh"):
        run(tmp_path, 2)


def test_a_state_with_flipped_bytes_is_read_or_refused(tmp_path: Path) -> None:
    run(tmp_path, 1)
    state = tmp_path / "resume.npz"
    whole = state.read_bytes()
    for place in range(0, len(whole), 7):
        state.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            assert len(run(tmp_path, 1)) == 1
        except DataError as error:
            assert "resume.npz" in str(error)


def test_the_state_of_another_backend_is_refused(tmp_path: Path) -> None:
    content = io.BytesIO()
    np.savez(content, epoch=np.array(1), fingerprint=np.array("now"), rows=np.array("[]"))
    (tmp_path / "resume.npz").write_bytes(content.getvalue())
    with pytest.raises(DataError, match=r"resume\.npz is damaged \(StopIteration\)"):
        run(tmp_path, 2)


def test_an_old_state_goes_on_with_the_rows_of_its_history(tmp_path: Path) -> None:
    old_state(tmp_path, 2, "then")
    write_rows(tmp_path / "history.csv", [{"epoch": e, "loss": e, "val_loss": 1} for e in (1, 2)])
    step = Counting()
    rows = run(tmp_path, 3, step, former="then")
    assert [(row["epoch"], row["loss"]) for row in rows] == [(1, 1), (2, 2), (3, 1)]
    assert step.weights.tolist() == [3, 3, 3]
    with pytest.raises(DataError, match="other data or settings"):
        old_state(tmp_path, 2, "another")
        run(tmp_path, 3, former="then")


@pytest.mark.parametrize("text", [None, "epoch,loss,val_loss\n1,x,1\n", "other\n1\n"])
def test_an_old_state_goes_on_without_its_history(tmp_path: Path, text: str | None) -> None:
    old_state(tmp_path, 2)
    if text is not None:
        (tmp_path / "history.csv").write_text(text)
    rows = run(tmp_path, 2)
    assert [row["epoch"] for row in rows] == [1, 2]
    assert math.isnan(rows[-1]["loss"])


@pytest.mark.parametrize("worse", [math.nan, math.inf])
def test_a_training_that_diverges_ends_and_keeps_what_it_had(tmp_path: Path, worse: float) -> None:
    with pytest.raises(UsageError, match=r"diverged at epoch 2.*lower the rate"):
        run(tmp_path, 4, Counting(2.0, 2.0, 2.0, worse))
    step = Counting()
    assert [row["epoch"] for row in run(tmp_path, 1, step)] == [1]
    assert step.weights.tolist() == [2, 2, 2]


def test_weights_that_are_no_numbers_are_not_kept(tmp_path: Path) -> None:
    step = Counting()
    step.weights = np.full(3, math.nan)
    with pytest.raises(UsageError, match="diverged at epoch 1"):
        run(tmp_path, 1, step)
    assert not (tmp_path / "resume.npz").exists()
