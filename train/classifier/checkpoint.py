"""Where a training stands, on disk, so that it goes on after any interruption."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from edge.errors import DataError, UsageError
from edge.files import sync_folder
from train.report.files import UNREADABLE, write_json

STATE = "state.json"


@dataclass(frozen=True, slots=True)
class Progress:
    """*epochs* are done, *history* has a row each, *fingerprint* tells trainings apart."""

    epochs: int
    fingerprint: str
    history: tuple[dict[str, float], ...] = ()


def save_model(model: Any, path: Path) -> None:
    """Write the Keras *model* to *path* (.keras), whole or not at all."""
    temporary = path.with_name(f"tmp-{path.name}")
    model.save(temporary)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_folder(path.parent)


def save_checkpoint(folder: Path, model: Any, progress: Progress) -> None:
    """Write *model* with its optimizer, then *progress*, which makes it count, into *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"epoch-{progress.epochs:03d}.keras"
    save_model(model, folder / name)
    state = {
        "epochs": progress.epochs,
        "fingerprint": progress.fingerprint,
        "history": list(progress.history),
        "model": name,
    }
    write_json(folder / STATE, state)
    for old in folder.glob("epoch-*.keras"):
        if old.name != name:
            old.unlink()


def load_checkpoint(folder: Path, fingerprint: str) -> tuple[Any, Progress] | None:
    """Return the model, compiled as it was, and the progress in *folder*; None when there is none.

    Raises DataError when the checkpoint is damaged or of a training with another
    *fingerprint*: other data or other settings.
    """
    if not (folder / STATE).is_file():
        return None
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        rows = tuple(dict(row) for row in state["history"])
        progress = Progress(int(state["epochs"]), state["fingerprint"], rows)
        path = folder / state["model"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder / STATE}: damaged ({error}); pass --fresh to start anew"
        ) from error
    if progress.fingerprint != fingerprint:
        raise DataError(
            f"{folder}: holds a training of other data or settings; "
            "pass --fresh to start anew, or another --out"
        )
    return load_kept(path), progress


def load_kept(path: Path, *, compile: bool = True) -> Any:
    """Return the model that a training kept at *path*, compiled as it was unless not *compile*.

    Raises DataError when it is missing or damaged.
    """
    try:
        return keras.saving.load_model(path, compile=compile)
    except UNREADABLE as error:
        reason = " ".join(str(error).split()).split(". ")[0] or type(error).__name__
        raise DataError(f"{path}: cannot be read ({reason}); pass --fresh to start anew") from error


def refuse_divergence(
    epoch: int, losses: Iterable[float], weights: Iterable[npt.NDArray[Any]] = ()
) -> None:
    """Raise UsageError when a loss of *epoch*, counted from 1, or a weight is no finite number.

    Nothing is learnt from then on.  What was kept after the epoch before stays.
    """
    if np.isfinite(list(losses)).all() and all(np.isfinite(values).all() for values in weights):
        return
    kept = f"; what was learnt until epoch {epoch - 1} is kept until then" if epoch > 1 else ""
    raise UsageError(
        f"the training diverged at epoch {epoch}: its loss or weights are no numbers; lower the "
        f"rate in [schedule] of the configuration and pass --fresh{kept}"
    )


def forget(folder: Path) -> None:
    """Remove the checkpoint in *folder*, if any."""
    shutil.rmtree(folder, ignore_errors=True)

