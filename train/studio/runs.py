"""Runs as they lie in their folders: what they are, how far they are, and how two differ.

The studio keeps no record of its own beside these files, so a training started on the command
line stands in the same list.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from edge.errors import ModelError
from edge.modelfile import read_model
from train.studio.forms import EVALUATION_NAME
from train.studio.jobs import Job, read_job

LARGEST_JSON = 8 * 1024 * 1024
MOST_RUNS = 500
_MODELS = ("*.tflite", "model.keras")

HEADLINES: Mapping[str, str] = {
    "validation.with_without_balanced_accuracy": "mask or none, balanced accuracy",
    "validation.accuracy": "all three classes, accuracy",
    "validation.incorrect_recall": "worn wrong, recall",
    "validation.incorrect_precision": "worn wrong, precision",
    "validation.expected_calibration_error": "calibration error",
    "validation.log_loss": "log loss",
    "validation.ranges.close.average_precision": "faces from 8 %, AP50",
    "validation.ranges.close.recall": "faces from 8 %, found",
    "validation.ranges.gate.average_precision": "faces from 4 %, AP50",
    "validation.ranges.all.average_precision": "all faces, AP50",
}
"""What stands first in a comparison, by its place in ``metrics.json``."""

_HIGHER_IS_BETTER = (
    "accuracy", "with_without", "with_without_balanced_accuracy",
    "with_without_balanced_accuracy_of_three", "incorrect_recall", "incorrect_precision",
    "incorrect_recall_at_stated_precision", "recall", "recalls", "precision", "average_precision",
    "found", "found_and_right",
)
_LOWER_IS_BETTER = (
    "expected_calibration_error", "log_loss", "loss", "val_loss", "seconds",
    "wrong_alerts_per_100_pictures",
)
DIRECTIONS: Mapping[str, int] = (
    dict.fromkeys(_HIGHER_IS_BETTER, 1) | dict.fromkeys(_LOWER_IS_BETTER, -1)
)
"""1 where more is better and -1 where less is, by the name of what is measured.

Of a number that is not named here, such as a threshold or a count, nobody can say.
"""


@dataclass(frozen=True, slots=True)
class Run:
    """A run's *folder*, its *job* where the studio started it, its *metrics* and its *history*.

    *changed* is when its newest result was written, in seconds of the wall clock.
    """

    folder: Path
    job: Job | None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[Mapping[str, float], ...] = ()
    changed: float = 0.0

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def kind(self) -> str:
        """What it is: the job's kind, or that of the network its metrics tell of."""
        if self.job is not None:
            return self.job.kind
        told = str(self.metrics.get("kind", ""))
        known = {"mask-classifier": "classifier", "face-detector": "detector"}
        return known.get(told, "training" if self.history else told or "other")

    @property
    def state(self) -> str:
        if self.job is not None:
            return self.job.state
        return "done" if self.metrics else "unfinished"

    @property
    def epochs(self) -> tuple[int, int]:
        """Epochs done and in all; 0 in all where that is not known."""
        told = self.metrics.get("config", {})
        schedule = told.get("schedule", {}) if isinstance(told, dict) else {}
        in_all = self.job.epochs if self.job is not None else int(schedule.get("epochs", 0))
        return len(self.history), in_all

    @property
    def when(self) -> str:
        return datetime.fromtimestamp(self.changed).astimezone().strftime("%Y-%m-%d %H:%M")

    @property
    def checksum(self) -> str:
        data = self.metrics.get("data", {})
        found = data.get("checksum", "") if isinstance(data, dict) else ""
        return str(found or self.metrics.get("data_checksum", ""))

    @property
    def models(self) -> tuple[Path, ...]:
        """The model files in the folder."""
        return tuple(sorted(p for pattern in _MODELS for p in self.folder.glob(pattern)))

    @property
    def pictures(self) -> tuple[Path, ...]:
        """The report's drawings in the folder."""
        return tuple(sorted(self.folder.glob("*.png")))


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that two runs have, or one of them: its *name*, and how it is in each."""

    name: str
    first: Any
    second: Any


def list_runs(root: Path) -> list[Run]:
    """Return the runs below *root*, the newest first; at most 500."""
    if not root.is_dir():
        return []
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    found = [run for folder in folders[:MOST_RUNS] if (run := read_run(folder)) is not None]
    return sorted(found, key=lambda run: run.changed, reverse=True)


def read_run(folder: Path) -> Run | None:
    """Return the run in *folder*, None where there is nothing of one."""
    job = read_job(folder)
    metrics = read_json(folder / "metrics.json") or read_json(folder / EVALUATION_NAME)
    history = read_history(folder / "history.csv")
    if job is None and not metrics and not history:
        return None
    names = ("job.json", "log.txt", "metrics.json", "history.csv", EVALUATION_NAME)
    times = [(folder / n).stat().st_mtime for n in names if (folder / n).exists()]
    return Run(folder, job, metrics, history, max(times, default=0.0))


def evaluations_of(found: Sequence[Run], model: Path) -> list[Run]:
    """Return those of the runs *found* that measured the file *model* as it is now."""
    if not model.is_file():
        return []
    written = model.stat().st_mtime
    return [
        run for run in found
        if run.kind == "evaluate" and run.metrics and run.job is not None
        and Path(argument(run.job.command, "--model")).resolve() == model.resolve()
        and run.changed >= written
    ]


def argument(command: Sequence[str], option: str) -> str:
    """Return what *command* is given as *option*, "" where it is not."""
    return command[command.index(option) + 1] if option in command[:-1] else ""


def training_seed(model: Path) -> int | None:
    """Return the seed of the training that *model* came from, None where nothing tells it.

    It stands beside a ``model.keras``, in its ``metrics.json``, and in the card of a ``.tflite``.
    """
    told: Mapping[str, Any]
    if model.suffix == ".keras":
        told = read_json(model.parent / "metrics.json")
    else:
        try:
            told = read_model(model).card.provenance
        except (ModelError, OSError):
            return None
    config = told.get("config")
    seed = told.get("seed", config.get("seed") if isinstance(config, Mapping) else None)
    return seed if isinstance(seed, int) and not isinstance(seed, bool) else None


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in the JSON file at *path*, empty where there is none to be read."""
    try:
        if path.stat().st_size > LARGEST_JSON:
            return {}
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def read_history(path: Path) -> tuple[dict[str, float], ...]:
    """Return the rows of ``history.csv`` at *path*; a number that is none is left out."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        return ()
    return tuple(
        {name: number for name, text in row.items() if (number := _number(text)) is not None}
        for row in rows
    )


def flat(tree: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return the leaves of *tree* by their dotted place; a metric with an interval is a leaf."""
    leaves: dict[str, Any] = {}
    for name, value in tree.items():
        place = f"{above}{name}"
        if isinstance(value, Mapping) and "value" not in value:
            leaves |= flat(value, f"{place}.")
        else:
            leaves[place] = value
    return leaves


def settings_of(run: Run) -> dict[str, Any]:
    """Return the part of the metrics of *run* that tells what was asked of it."""
    chosen = ("config", "seed", "backbone", "start", "libraries")
    return {name: run.metrics[name] for name in chosen if name in run.metrics}


def measured_of(run: Run) -> dict[str, Any]:
    """Return the part of the metrics of *run* that tells what was measured."""
    return {
        name: value for name, value in run.metrics.items()
        if name.startswith("validation") or name in ("seconds", "parameters", "temperature")
        or run.kind == "evaluate"
    }


def headlines(run: Run, most: int = 8) -> list[tuple[str, Any]]:
    """Return what stands first of the results of *run*: numbers, or metrics with an interval, by
    the words for them.

    An evaluation measures what a training validates; of one that measures something else, as of
    both networks together, the first *most* whole-set numbers.
    """
    leaves = flat(run.metrics)
    above = "" if run.kind == "evaluate" else "validation."
    told = [
        (words, leaves[place]) for name, words in HEADLINES.items()
        if number_of(leaves.get(place := above + name.removeprefix("validation."))) is not None
    ]
    if run.kind != "evaluate":
        return told
    return told or [
        (name.rpartition(".")[2].replace("_", " "), value) for name, value in leaves.items()
        if isinstance(value, dict) and number_of(value) is not None and "slices." not in name
    ][:most]


def differences(first: Run, second: Run) -> list[Difference]:
    """Return the settings in which two runs differ, by name."""
    one, two = (flat(settings_of(run)) for run in (first, second))
    return [
        Difference(name, one.get(name), two.get(name))
        for name in dict.fromkeys([*one, *two]) if one.get(name) != two.get(name)
    ]


def metrics_side_by_side(first: Run, second: Run) -> list[Difference]:
    """Return the numbers that both runs measured, the headlines first."""
    one, two = (flat(measured_of(run)) for run in (first, second))
    shared = [n for n in one if n in two and number_of(one[n]) is not None]
    order = list(HEADLINES)
    shared.sort(key=lambda n: order.index(n) if n in order else len(order))
    return [Difference(name, one[name], two[name]) for name in shared]


def number_of(value: Any) -> float | None:
    """Return the number in *value*, a number or a metric with an interval; None for neither."""
    if isinstance(value, Mapping):
        value = value.get("value")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value)


def number_words(name: str, number: float) -> str:
    """Return *number*, measured as *name*, for a headline: shares in percent."""
    share = 0 <= number <= 1 and "loss" not in name
    return f"{number:.1%}" if share else f"{number:.4g}"


def better(difference: Difference) -> int:
    """Return 1 where the second run is better, -1 where it is worse, 0 where that is open.

    Open while the intervals of both overlap, as it may be chance, and for a number of which
    neither more nor less is known to be better.
    """
    one, two = number_of(difference.first), number_of(difference.second)
    if one is None or two is None or one == two or _overlap(difference.first, difference.second):
        return 0
    direction = _direction(difference.name)
    return direction if two > one else -direction


def _direction(name: str) -> int:
    # Some are told by label or kind, as recalls.with_mask: there the part before is the measure.
    parts = name.split(".")[-2:]
    return next((DIRECTIONS[part] for part in reversed(parts) if part in DIRECTIONS), 0)


def _overlap(one: Any, two: Any) -> bool:
    first, second = _interval(one), _interval(two)
    if first is None or second is None:
        return False
    return first[0] <= second[1] and second[0] <= first[1]


def _interval(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, Mapping) or None in (value.get("low"), value.get("high")):
        return None
    return float(value["low"]), float(value["high"])


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
