"""MLflow's record of runs: what is in it, once only, and a studio that does without it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edge.errors import OutputError, UsageError
from edge.modelfile import read_model
from tests.edge.model_files import CLASSIFIER, make
from tests.train.studio_site import eventually
from tests.train.test_studio_runs import METRICS, run_in
from train.studio import tracking
from train.studio.cli import chosen_tracking
from train.studio.jobs import Job, log_tail, read_job, start_job, write_job
from train.studio.promote import Wish, promote
from train.studio.settings import VARIABLE, StudioSettings, settings_text

CONVERT = ("convert", "classifier", "--model", "{}/model.keras", "--data", "d")


@dataclass(frozen=True)
class Records:
    """A store in the folder *runs*, and MLflow's own client that looks into it."""

    runs: Path
    uri: str
    client: Any

    def named(self, name: str) -> Any:
        """Return the one record of the run *name*."""
        found = self.client.search_runs(
            [e.experiment_id for e in self.client.search_experiments()],
            f"attributes.run_name = '{name}'",
        )
        assert len(found) == 1, [r.info for r in found]
        return found[0]

    def files(self, name: str) -> set[str]:
        run = self.named(name)
        return {file.path for file in self.client.list_artifacts(run.info.run_id)}

    def curve(self, name: str, what: str) -> list[tuple[int, float]]:
        points = self.client.get_metric_history(self.named(name).info.run_id, what)
        return sorted((point.step, point.value) for point in points)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Records]:
    """A store with one training in it, made once: making one takes MLflow seconds."""
    for name in ("mlflow", "sqlalchemy", "alembic"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    from mlflow.tracking import MlflowClient

    runs = tmp_path_factory.mktemp("tracked") / "runs"
    trained(runs / "first")
    uri = tracking.local_uri(runs)
    tracking.record(runs / "first", uri)
    yield Records(runs, uri, MlflowClient(tracking_uri=uri))


def trained(folder: Path, epochs: int = 2, state: str = "done", **config: Any) -> Path:
    """Make a training as it lies in its folder, *config* among its settings."""
    metrics = {**METRICS, "config": {**METRICS["config"], **config}}
    run_in(folder, metrics, epochs)
    (folder / "curves.png").write_bytes(b"\x89PNG")
    (folder / "model.keras").write_bytes(b"weights")
    write_job(folder, Job(
        "classifier", ("train", "classifier", "--data", "../faces"), "/", state, 3,  # type: ignore[arg-type]
        started="2026-01-02T03:04:05+00:00", ended="2026-01-02T03:05:05+00:00",
    ))
    return folder


def test_settings_data_results_curves_and_files_are_recorded(records: Records) -> None:
    run = records.named("first")
    assert run.info.status == "FINISHED"
    assert (run.info.start_time, run.info.end_time) == (1767323045000, 1767323105000)
    assert run.data.params["config.schedule.epochs"] == "3"
    assert run.data.params["data_checksum"] == "abc"
    assert run.data.params["command"] == "train classifier --data ../faces"
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("faces", "abc")
    told = run.data.metrics
    assert told["validation.accuracy"] == 0.9 and told["validation.accuracy.low"] == 0.88
    assert records.curve("first", "curves/loss") == [(1, 1.0), (2, 0.5)]
    assert records.files("first") == {"curves.png", "history.csv", "metrics.json", "model.keras"}
    assert run.data.tags["maskgate.folder"] == str(records.runs / "first")


def test_a_run_that_went_on_is_recorded_in_the_same_place(records: Records) -> None:
    folder = trained(records.runs / "resumed", epochs=1, state="stopped")
    first = tracking.record(folder, records.uri)
    assert records.named("resumed").info.status == "KILLED"
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    trained(folder, epochs=3)
    assert tracking.record(folder, records.uri) == first
    assert tracking.record(folder, records.uri) == first
    assert records.named("resumed").info.status == "FINISHED"
    points = records.curve("resumed", "curves/loss")
    assert points == [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3))]
    assert len(records.named("resumed").inputs.dataset_inputs) == 1


def test_a_setting_that_changed_in_between_is_told_beside_the_first(records: Records) -> None:
    folder = trained(records.runs / "changed", rate=0.1)
    tracking.record(folder, records.uri)
    text = (folder / "metrics.json").read_text().replace('"rate": 0.1', '"rate": 0.2')
    (folder / "metrics.json").write_text(text)
    tracking.record(folder, records.uri)
    run = records.named("changed")
    assert run.data.params["config.rate"] == "0.1"
    assert run.data.tags["changed.config.rate"] == "0.2"


def test_names_and_lengths_that_mlflow_refuses_are_bent_to_it(records: Records) -> None:
    odd = {"a%b": 1, "../x": 2.0, "": 3, "ü": 4, "a//b": 5, "x" * 400: 6, "ok": float("inf")}
    metrics = {"kind": "mask-classifier", "config": {**odd, "long": "y" * 9000}, "validation": odd}
    folder = records.runs / "odd"
    folder.mkdir()
    (folder / "metrics.json").write_text(json.dumps(metrics))
    tracking.record(folder, records.uri)
    assert records.named("odd").data.metrics["validation.apercentb"] == 1


def test_a_promotion_is_marked_at_the_conversion_and_at_its_training(records: Records) -> None:
    pytest.importorskip("flatbuffers", reason="flatbuffers is not installed")
    training, folder = trained(records.runs / "promoted"), records.runs / "promoted-int8"
    folder.mkdir()
    (folder / "mask-classifier.int8.tflite").write_bytes(make(CLASSIFIER, 50))
    (folder / "parity.json").write_text('{"parity": {"agreement": 0.998}}')
    command = tuple(word.format(training) for word in CONVERT)
    write_job(folder, Job("convert", command, "/", "done"))
    model = read_model(folder / "mask-classifier.int8.tflite")
    now = datetime(2026, 1, 2, tzinfo=timezone.utc)
    release = promote(records.runs, Wish(model, 60), now)
    told = list(tracking.mark_released(folder, release, records.uri))
    assert told == [f"marked {n} in MLflow as mask-classifier 60" for n in (
        "promoted-int8", "promoted"
    )]
    for name in ("promoted", "promoted-int8"):
        tags = records.named(name).data.tags
        assert tags["maskgate.released"] == "mask-classifier 60"
        assert tags["maskgate.released_sha256"] == release.facts.sha256
    assert records.named("promoted-int8").data.metrics["parity.agreement"] == 0.998
    assert "mask-classifier.int8.tflite" in records.files("promoted-int8")


def test_the_watcher_of_a_run_records_it_when_it_ends(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = records.runs.parent / "code"
    code.mkdir()
    (code / "measure.py").write_text(
        "import pathlib, sys\n"
        "pathlib.Path(sys.argv[1], 'evaluation.json').write_text('{\"accuracy\": 0.75}')\n"
    )
    settings = StudioSettings(runs=str(records.runs), tracking=records.uri)
    monkeypatch.setenv(VARIABLE, settings_text(settings))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    folder = records.runs / "measured"
    start_job(records.runs, "measured", "evaluate", ("measure", str(folder)), cwd=code)
    eventually(lambda: "recorded measured in MLflow as" in log_tail(folder), 170)
    job, run = read_job(folder), records.named("measured")
    assert job is not None and job.state == "done"
    assert (run.info.status, run.data.metrics["accuracy"]) == ("FINISHED", 0.75)


def test_a_store_that_cannot_be_is_told_and_breaks_no_run(
    records: Records, tmp_path: Path
) -> None:
    folder = trained(tmp_path / "runs" / "one")
    with pytest.raises(OutputError, match="MLflow"):
        tracking.record(folder, "nosuch://store")
    with pytest.raises(UsageError, match="holds no run"):
        tracking.record(tmp_path / "gone", records.uri)


def test_a_store_that_mlflow_has_given_up_is_refused_at_the_start(tmp_path: Path) -> None:
    for uri in ("file:///x", "/x", "mlruns", "Local"):
        with pytest.raises(UsageError, match="allowed are local, none, and addresses"):
            chosen_tracking(uri, tmp_path)
    assert chosen_tracking("none", tmp_path) == ""


def test_without_mlflow_one_line_says_so_and_nothing_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # What Python itself holds of a package that cannot be imported.
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert chosen_tracking("local", tmp_path) == ""
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "pip install 'maskgate[tracking]'" in told
    with pytest.raises(OutputError, match="MLflow is not installed"):
        tracking.record(trained(tmp_path / "one"), "sqlite:////nowhere/x.db")


def test_runs_of_other_kinds_are_passed_over(tmp_path: Path) -> None:
    write_job(run_in(tmp_path / "rollout-1"), Job("rollout", ("x",), "/", "done"))
    result = CliRunner().invoke(tracking.main, ["record", str(tmp_path / "rollout-1")])
    assert result.exit_code == 0 and "passed over" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["rollout-1"]
