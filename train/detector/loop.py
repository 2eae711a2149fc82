"""One training loop for any Keras backend: pictures prepared beside the network, state kept.

``Model.fit`` would do but for two things: a feed whose pictures change size, and its prefetch
thread, which under TensorFlow can wait for ever when a fit of several ends.
"""

from __future__ import annotations

import csv
import json
import math
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from edge.errors import DataError
from edge.files import replaced
from train.classifier.checkpoint import refuse_divergence
from train.report.files import UNREADABLE, write_rows

Floats = npt.NDArray[np.float32]
Batch = tuple[Floats, Floats]

PREPARED_BATCHES = 6
WAIT_SECONDS = 600.0


def prefetch(make: Callable[[int], Batch], count: int) -> Iterator[Batch]:
    """Yield ``make(0)`` .. ``make(count - 1)`` in order, a few prepared ahead by one thread.

    What *make* raises is raised here.  Raises TimeoutError when a batch takes ten minutes.
    """
    ready: queue.Queue[Batch | BaseException] = queue.Queue(PREPARED_BATCHES)
    stopped = threading.Event()

    def prepare() -> None:
        for index in range(count):
            try:
                item: Batch | BaseException = make(index)
            except Exception as error:
                item = error
            while not stopped.is_set():
                try:
                    ready.put(item, timeout=0.5)
                    break
                except queue.Full:
                    continue
            if stopped.is_set() or isinstance(item, BaseException):
                return

    worker = threading.Thread(target=prepare, name="prefetch", daemon=True)
    worker.start()
    try:
        for _ in range(count):
            try:
                item = ready.get(timeout=WAIT_SECONDS)
            except queue.Empty:
                raise TimeoutError(f"no batch was ready within {WAIT_SECONDS:.0f} s") from None
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        worker.join(timeout=WAIT_SECONDS)


class Step(Protocol):
    """Something that learns from a batch at a time, and whose whole state is plain arrays."""

    def train(self, inputs: Floats, targets: Floats) -> float:
        """Take one optimizer step on a batch; return its mean loss."""
        ...

    def test(self, inputs: Floats, targets: Floats) -> float:
        """Return the mean loss of a batch; nothing is learnt."""
        ...

    def swap_average(self) -> None:
        """Exchange the weights with their average, if there is one; again, exchange back."""
        ...

    def arrays(self) -> Iterator[npt.NDArray[Any]]:
        """Yield everything that is needed to go on, always in the same order."""
        ...

    def restore(self, arrays: Iterator[npt.NDArray[Any]]) -> None:
        """Take back what :meth:`arrays` gave."""
        ...


class KerasStep:
    """Steps of a compiled Keras *model*, on whichever backend Keras runs."""

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        model.optimizer.build(model.trainable_variables)

    def train(self, inputs: Floats, targets: Floats) -> float:
        """Take one optimizer step on a batch; return the mean loss since the last reset."""
        self._model.reset_metrics()
        return float(self._model.train_on_batch(inputs, targets))

    def test(self, inputs: Floats, targets: Floats) -> float:
        """Return the mean loss of a batch; nothing is learnt."""
        self._model.reset_metrics()
        return float(self._model.test_on_batch(inputs, targets))

    def swap_average(self) -> None:
        """Do nothing: no average is kept."""

    def arrays(self) -> Iterator[npt.NDArray[Any]]:
        """Yield weights and the optimizer's state."""
        for variable in self._variables():
            yield keras.ops.convert_to_numpy(variable.value)

    def restore(self, arrays: Iterator[npt.NDArray[Any]]) -> None:
        """Take back what :meth:`arrays` gave."""
        for variable in self._variables():
            variable.assign(next(arrays))

    def _variables(self) -> list[keras.Variable]:
        return [*self._model.variables, *self._model.optimizer.variables]


def run_epochs(
    step: Step,
    *,
    epochs: int,
    steps: int,
    training: Callable[[int, int], Batch],
    validation_steps: int,
    validation: Callable[[int], Batch],
    state: Path,
    history: Path,
    fingerprint: str,
    former: str = "",
    validate_every: int = 1,
    quiet: bool = False,
) -> list[dict[str, float]]:
    """Train by *step* and return one row of mean losses per epoch.

    *training* makes batch (epoch, number), *validation* batch (number); the loss on the latter
    is not a number in epochs that are not validated.  After every epoch everything is written
    to *state*, and all rows to *history*; where *state* exists the training goes on after the
    epoch it holds.  A state from before rows were kept in it may have the fingerprint *former*.

    Raises DataError when *state* is damaged or belongs to a training of another
    *fingerprint*: other data or other settings; UsageError when the loss is no number any more.
    """
    done, rows = _restore(step, state, history, fingerprint, former)
    if rows:
        # A power cut may have come between the state and the history.
        write_rows(history, rows)
    for epoch in range(done, epochs):
        batches = prefetch(lambda number, epoch=epoch: training(epoch, number), steps)
        bar = tqdm(
            batches, total=steps, desc=f"epoch {epoch + 1}/{epochs}", disable=quiet, mininterval=2
        )
        losses = []
        for pictures, targets in bar:
            losses.append(step.train(pictures, targets))
            refuse_divergence(epoch + 1, losses[-1:])
            bar.set_postfix(loss=f"{np.mean(losses[-50:]):.3f}", refresh=False)
        loss, held_out = float(np.mean(losses)), float("nan")
        if (epoch + 1) % validate_every == 0 or epoch + 1 == epochs:
            step.swap_average()
            held_out = float(
                np.mean([step.test(*batch) for batch in prefetch(validation, validation_steps)])
            )
            step.swap_average()
            refuse_divergence(epoch + 1, [held_out])
        row = {"epoch": epoch + 1, "loss": round(loss, 5), "val_loss": round(held_out, 5)}
        rows.append(row)
        _keep(step, state, rows, fingerprint)
        write_rows(history, rows)
        if not quiet:
            tqdm.write(f"epoch {epoch + 1}/{epochs}  loss {loss:.4f}  validation {held_out:.4f}")
    return rows


def _keep(step: Step, state: Path, rows: list[dict[str, float]], fingerprint: str) -> None:
    values = {f"v{i}": array for i, array in enumerate(step.arrays())}
    refuse_divergence(len(rows), (), values.values())
    with replaced(state) as file:
        np.savez(
            file, epoch=np.array(len(rows)), fingerprint=np.array(fingerprint),
            rows=np.array(json.dumps(rows)), **values,
        )


def _restore(
    step: Step, state: Path, history: Path, fingerprint: str, former: str
) -> tuple[int, list[dict[str, float]]]:
    if not state.is_file():
        return 0, []
    try:
        with np.load(state) as values:
            done = int(values["epoch"])
            rows = json.loads(str(values["rows"])) if "rows" in values.files else None
            known = str(values["fingerprint"])
            count = sum(name.startswith("v") for name in values.files)
            arrays = [values[f"v{i}"] for i in range(count)]
    except UNREADABLE as error:
        raise _damaged(state, error) from error
    if known != fingerprint and not (rows is None and known == former):
        raise DataError(
            f"{state} belongs to a training of other data or settings; "
            "use another --out, or --fresh to start anew"
        )
    try:
        step.restore(iter(arrays))
    # StopIteration: of another backend, whose state has other parts.
    except (*UNREADABLE, StopIteration) as error:
        raise _damaged(state, error) from error
    return done, _rows_in(history, done) if rows is None else rows


def _damaged(state: Path, error: Exception) -> DataError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return DataError(f"{state} is damaged ({reason}); use --fresh to start anew")


def _rows_in(history: Path, done: int) -> list[dict[str, float]]:
    """Return the rows of the first *done* epochs, of nothing but NaN where *history* has none."""
    found: dict[int, dict[str, float]] = {}
    try:
        with history.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                numbers = {name: float(row[name]) for name in ("epoch", "loss", "val_loss")}
                found[int(numbers["epoch"])] = numbers
    # A curve with a gap is no reason to lose the training.
    except (OSError, ValueError, KeyError, TypeError, OverflowError, csv.Error):
        pass
    nothing = {"loss": math.nan, "val_loss": math.nan}
    return [found.get(epoch, {"epoch": epoch, **nothing}) for epoch in range(1, done + 1)]
