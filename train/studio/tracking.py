"""``python -m train.studio.tracking``: what runs did, recorded with MLflow where it is installed.

The files in a run's folder stay the truth; this copies them, and may do so again at any time.  A
run is found by a tag, so that a resumed one goes on in the same record.
"""

from __future__ import annotations

import hashlib
import math
import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib import util
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edge.errors import MaskgateError, OutputError, UsageError
from edge.rim import Rim
from train.studio.runs import (
    Run,
    argument,
    flat,
    measured_of,
    number_of,
    read_json,
    read_run,
    settings_of,
)
from train.studio.settings import VARIABLE, current_settings
from train.studio.supervise import RECORDED
from train.studio.turns import turn

if TYPE_CHECKING:
    from train.studio.releases import Release

T = TypeVar("T")
FOLDER = "mlflow"
"""Below the folder of the runs: the local store, and the files that it keeps."""

LARGEST_FILE = 200 * 1024 * 1024
_FILES = (
    "metrics.json", "evaluation.json", "history.csv", "parity.json", "parity.md", "config.toml",
    "corrections.csv", "log.txt", "*.png", "*.tflite", "*.int8.md", "model.keras",
)
_STATUS = {
    "done": "FINISHED", "stopped": "KILLED",
    **dict.fromkeys(("running", "starting", "unfinished"), "RUNNING"),
}
# What MLflow allows, by mlflow.utils.validation.
_LONGEST_NAME, _LONGEST_PARAMETER, _LONGEST_TAG, _LONGEST_DIGEST = 250, 6000, 8000, 36
_AT_ONCE, _PARAMETERS_AT_ONCE = 1000, 100
_NOT_IN_NAMES = re.compile(r"[^\w\-. /]", re.ASCII)
_TURN_SECONDS = 120.0
_WHY_NOT = "MLflow is not installed; install it with: pip install 'maskgate[tracking]'"


def local_uri(runs: Path) -> str:
    """Return the URI of the store in the folder *runs*, an SQLite file."""
    return f"sqlite:///{runs.resolve() / FOLDER / 'mlflow.db'}"


def chosen_uri(given: str | None) -> str:
    """Return the store to record in: *given*, or else the studio's; "" for none."""
    if given is None:
        return current_settings().tracking if VARIABLE in os.environ else ""
    return "" if given == "none" else checked_uri(given)


def checked_uri(uri: str) -> str:
    """Return *uri* if it may be a store's; raises UsageError that says what is allowed."""
    if "://" not in uri or uri.startswith("file:"):
        raise UsageError(
            f"--tracking is {uri[:80]!r}; allowed are local, none, and addresses such as "
            "sqlite:////srv/mlflow.db or http://localhost:5000 (MLflow has given up folders)"
        )
    return uri


def missing(uri: str) -> str:
    """Return why nothing can be recorded in the store *uri*, "" where nothing is missing."""
    needed = ["mlflow"]
    if not uri.startswith(("http:", "https:")):
        needed += ["sqlalchemy", "alembic"]
    return "" if all(util.find_spec(name) is not None for name in needed) else _WHY_NOT


def record(folder: Path, uri: str) -> str:
    """Record the run in *folder* in the store *uri*, anew or once more; return MLflow's id of it.

    Raises UsageError where there is no run, OutputError where MLflow is missing or refuses.
    """
    run = read_run(folder.resolve())
    if run is None:
        raise UsageError(f"{folder}: holds no run")
    with _store(uri, run.folder.parent) as client:
        found = _record_of(client, run, uri)
        _tell(client, run, found)
    return str(found.info.run_id)


def mark_released(folder: Path, release: Release, uri: str) -> Iterator[str]:
    """Mark the run in *folder*, and the training that its model came from, as released.

    Either is recorded first where it is not yet.  Yields a line for each.
    """
    facts = release.facts
    tags = {
        "maskgate.released": release.title, "maskgate.released_at": facts.released,
        "maskgate.released_sha256": facts.sha256, "maskgate.signed_by": facts.key or "nobody",
    }
    for place in dict.fromkeys((folder.resolve(), *_origin(folder))):
        run = read_run(place)
        if run is None:
            continue
        found = record(place, uri)
        with _store(uri, place.parent) as client:
            for name, text in tags.items():
                client.set_tag(found, name, text)
        yield f"marked {run.name} in MLflow as {release.title}"


def parameters_of(run: Run) -> dict[str, str]:
    """Return what was asked of *run*, by names that MLflow allows."""
    command = " ".join(run.job.command) if run.job is not None else run.metrics.get("command", "")
    told = {**settings_of(run), "data_checksum": run.checksum, "command": command}
    return {
        _name(name): str(value)[:_LONGEST_PARAMETER]
        for name, value in flat(told).items() if value not in ("", None)
    }


def results_of(run: Run) -> dict[str, float]:
    """Return what *run* measured; an interval's ends stand beside its value."""
    tree: dict[str, Any] = measured_of(run)
    parity = read_json(run.folder / "parity.json").get("parity")
    if isinstance(parity, Mapping):
        tree["parity"] = parity
    found: dict[str, float] = {}
    for name, value in flat(tree).items():
        ends = value if isinstance(value, Mapping) else {"value": value}
        for end in ("value", "low", "high"):
            number = number_of(ends.get(end))
            if number is not None and math.isfinite(number):
                found[_name(name if end == "value" else f"{name}.{end}")] = number
    return found


def curves_of(run: Run) -> dict[str, list[tuple[int, float]]]:
    """Return the columns of the history of *run*: the epoch and the value, by name."""
    found: dict[str, list[tuple[int, float]]] = {}
    for place, row in enumerate(run.history, 1):
        step = int(row.get("epoch", place))
        for name, value in row.items():
            if name != "epoch":
                found.setdefault(_name(f"curves/{name}"), []).append((step, value))
    return found


def _tell(client: Any, run: Run, found: Any) -> None:
    from mlflow.entities import Metric, Param, RunTag

    number, at = found.info.run_id, round(1000 * run.changed)
    before = found.data
    wanted = parameters_of(run)
    tags = _tags(run)
    # MLflow lets no parameter change.
    tags |= {
        f"changed.{name}"[:_LONGEST_NAME]: text[:_LONGEST_TAG] for name, text in wanted.items()
        if before.params.get(name, text) != text
    }
    epochs = len(run.history)
    metrics = [
        Metric(name, value, at, epochs) for name, value in results_of(run).items()
        if before.metrics.get(name) != value
    ]
    for name, points in curves_of(run).items():
        known = {(m.step, m.value) for m in client.get_metric_history(number, name)} \
            if name in before.metrics else set()
        metrics += [Metric(name, value, at, s) for s, value in points if (s, value) not in known]
    new = [Param(name, text) for name, text in wanted.items() if name not in before.params]
    for some in _batches(metrics, _AT_ONCE):
        client.log_batch(number, metrics=some)
    for more in _batches(new, _PARAMETERS_AT_ONCE):
        client.log_batch(number, params=more)
    client.log_batch(number, tags=[RunTag(name, text) for name, text in tags.items()])
    if run.checksum and not found.inputs.dataset_inputs:
        client.log_inputs(number, datasets=[_data(run)])
    for path in _files(run.folder):
        client.log_artifact(number, str(path))
    status = _STATUS.get(run.state, "FAILED")
    if status == "RUNNING":
        client.update_run(number, status=status)
    else:
        ended = _milliseconds(run.job.ended) if run.job is not None else 0
        client.set_terminated(number, status, ended or at)


def _data(run: Run) -> Any:
    """Return the data set of *run* as MLflow lists it: by its checksum, as much as fits."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    command = run.job.command if run.job is not None else tuple(
        str(run.metrics.get("command", "")).split()
    )
    folder = argument(command, "--data") or "data"
    use = "evaluation" if run.kind == "evaluate" else "training"
    return DatasetInput(
        Dataset(Path(folder).name, run.checksum[:_LONGEST_DIGEST], "local", f'"{folder}"'),
        [InputTag("mlflow.data.context", use)],
    )


def _tags(run: Run) -> dict[str, str]:
    told = {
        "maskgate.key": _key(run.folder), "maskgate.folder": str(run.folder),
        "maskgate.machine": platform.node(), "maskgate.kind": run.kind,
        "maskgate.state": run.state,
        "mlflow.source.name": f"python -m {run.job.command[0]}" if run.job is not None else "",
    }
    return {name: text[:_LONGEST_TAG] for name, text in told.items() if text}


def _record_of(client: Any, run: Run, uri: str) -> Any:
    """Return MLflow's record of *run*, a new one where there is none."""
    name = f"maskgate {run.kind}"
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        number = experiment.experiment_id
    else:
        local = run.folder.parent / FOLDER / "files" / run.kind
        number = client.create_experiment(
            name, local.as_uri() if uri.startswith("sqlite:") else None
        )
    found = client.search_runs(
        [number], f"tags.`maskgate.key` = '{_key(run.folder)}'", max_results=1
    )
    if found:
        return found[0]
    seconds = number_of(run.metrics.get("seconds")) or 0.0
    start = _milliseconds(run.job.started) if run.job is not None else 0
    return client.create_run(
        number, start or round(1000 * (run.changed - seconds)), tags=_tags(run), run_name=run.name
    )


@contextmanager
def _store(uri: str, runs: Path) -> Iterator[Any]:
    """Open the store *uri*; one process at a time does so for *runs*."""
    trouble = missing(uri)
    if trouble:
        raise OutputError(trouble)
    # Read when MLflow is imported; it would tell its makers of each use, and the log of each step.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    # Two that make one store, or one record, at once would make two.
    busy = f"{runs / FOLDER}: another run is recorded there; later"
    with turn(runs / FOLDER / "lock", _TURN_SECONDS, busy):
        try:
            from mlflow.tracking import MlflowClient

            yield MlflowClient(tracking_uri=uri)
        except MaskgateError:
            raise
        # What it rests on raises errors of its own: of databases, of the network, at import.
        except Exception as error:
            words = " ".join(str(error).split())[:400]
            raise OutputError(f"MLflow cannot do that: {words or type(error).__name__}") from error


def _origin(folder: Path) -> Sequence[Path]:
    """Return the folder of the training whose network a conversion in *folder* took."""
    run = read_run(folder)
    if run is None or run.job is None or run.kind != "convert":
        return ()
    model = argument(run.job.command, "--model")
    return (Path(model).resolve().parent,) if model else ()


def _files(folder: Path) -> Iterator[Path]:
    for pattern in _FILES:
        for path in sorted(folder.glob(pattern)):
            if path.is_file() and path.stat().st_size <= LARGEST_FILE:
                yield path


def _key(folder: Path) -> str:
    text = f"{platform.node()}\n{folder}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _name(name: str) -> str:
    plain = _NOT_IN_NAMES.sub("_", name.replace("%", "percent"))
    # A name that reads as a path with steps back or empty ones is refused.
    return re.sub(r"/{2,}|\.{2,}", "_", plain).strip("/. ")[:_LONGEST_NAME] or "_"


def _milliseconds(text: str) -> int:
    try:
        return round(1000 * datetime.fromisoformat(text).timestamp())
    except ValueError:
        return 0


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(items)
    while some := list(islice(left, size)):
        yield some


@click.group(cls=Rim, program="python -m train.studio.tracking")
def main() -> None:
    """Record runs with MLflow."""


@main.command("record")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--tracking", metavar="URI",
              help="Default: the studio's, or else mlflow/mlflow.db beside the run.")
def record_runs(folders: tuple[Path, ...], tracking: str | None) -> None:
    """Record the runs in FOLDERS: settings, data checksum, results, curves, pictures, models."""
    for folder in folders:
        found = read_run(folder)
        if found is None or found.kind not in RECORDED:
            click.echo(f"{folder}: no training, conversion or evaluation; passed over")
            continue
        uri = chosen_uri(tracking) or local_uri(folder.resolve().parent)
        click.echo(f"recorded {found.name} in MLflow as {record(folder, uri)}")


if __name__ == "__main__":
    main()
