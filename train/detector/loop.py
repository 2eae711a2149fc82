"""One training loop for any Keras backend: pictures prepared beside the network, state kept.

``Model.fit`` would do but for two things: a feed whose pictures change size, and its prefetch
thread, which under TensorFlow can wait for ever when a fit of several ends.
"""

from __future__ import annotations

import csv
import queue
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from edge.errors import DataError
from edge.files import replaced
from train.report.files import write_rows

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
    validate_every: int = 1,
    quiet: bool = False,
) -> list[dict[str, float]]:
    """Train by *step* and return one row of mean losses per epoch.

    *training* makes batch (epoch, number), *validation* batch (number); the loss on the latter
    is not a number in epochs that are not validated.  After every epoch everything is written
    to *state* and the row appended to *history*; where *state* exists the training goes on
    after the epoch it holds.

    Raises DataError when *state* is damaged or belongs to a training of another
    *fingerprint*: other data or other settings.
    """
    done, rows = _restore(step, state, history, fingerprint)
    for epoch in range(done, epochs):
        batches = prefetch(lambda number, epoch=epoch: training(epoch, number), steps)
        bar = tqdm(
            batches, total=steps, desc=f"epoch {epoch + 1}/{epochs}", disable=quiet, mininterval=2
        )
        losses = []
        for pictures, targets in bar:
            losses.append(step.train(pictures, targets))
            bar.set_postfix(loss=f"{np.mean(losses[-50:]):.3f}", refresh=False)
        loss, held_out = float(np.mean(losses)), float("nan")
        if (epoch + 1) % validate_every == 0 or epoch + 1 == epochs:
            step.swap_average()
            held_out = float(
                np.mean([step.test(*batch) for batch in prefetch(validation, validation_steps)])
            )
            step.swap_average()
        row = {"epoch": epoch + 1, "loss": round(loss, 5), "val_loss": round(held_out, 5)}
        rows.append(row)
        _keep(step, state, epoch + 1, fingerprint)
        write_rows(history, rows)
        if not quiet:
            tqdm.write(f"epoch {epoch + 1}/{epochs}  loss {loss:.4f}  validation {held_out:.4f}")
    return rows


def _keep(step: Step, state: Path, epoch: int, fingerprint: str) -> None:
    values = {f"v{i}": array for i, array in enumerate(step.arrays())}
    with replaced(state) as file:
        np.savez(file, epoch=np.array(epoch), fingerprint=np.array(fingerprint), **values)


def _restore(
    step: Step, state: Path, history: Path, fingerprint: str
) -> tuple[int, list[dict[str, float]]]:
    if not state.is_file():
        return 0, []
    try:
        with np.load(state) as values:
            if str(values["fingerprint"]) != fingerprint:
                raise DataError(
                    f"{state} belongs to a training of other data or settings; "
                    "use another --out, or --fresh to start anew"
                )
            step.restore(values[f"v{i}"] for i in range(len(values.files) - 2))
            done = int(values["epoch"])
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{state} is damaged ({error}); use --fresh to start anew") from error
    rows: list[dict[str, float]] = []
    if history.is_file():
        with history.open(newline="", encoding="utf-8") as file:
            rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    return done, rows[:done]
