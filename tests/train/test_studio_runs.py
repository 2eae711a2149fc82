"""Runs read from their folders, the command lines of forms, and two runs side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from convert.cli import main as convert_main
from edge.errors import UsageError
from tests.edge.model_files import CLASSIFIER, make
from train.cli import main as train_main
from train.evaluate.pictures import RANGES
from train.studio import forms
from train.studio.forms import ClassifierForm, DetectorForm
from train.studio.jobs import Job, write_job
from train.studio.promote import main as promote_main
from train.studio.runs import (
    HEADLINES,
    Difference,
    better,
    differences,
    flat,
    headlines,
    list_runs,
    metrics_side_by_side,
    read_history,
    read_run,
    training_seed,
)

METRICS: dict[str, Any] = {
    "kind": "mask-classifier",
    "config": {"seed": 1, "schedule": {"epochs": 3}, "sampling": {"synthetic": ["a"]}},
    "data": {"checksum": "abc"},
    "validation": {
        "accuracy": {"value": 0.9, "low": 0.88, "high": 0.92},
        "expected_calibration_error": {"value": 0.02, "low": 0.01, "high": 0.03},
        "log_loss": 0.3,
    },
}


def run_in(folder: Path, metrics: dict[str, Any] | None = None, epochs: int = 0) -> Path:
    folder.mkdir(parents=True)
    if metrics is not None:
        (folder / "metrics.json").write_text(json.dumps(metrics))
    if epochs:
        rows = [f"{n},{1 / n},nan" for n in range(1, epochs + 1)]
        (folder / "history.csv").write_text("\n".join(["epoch,loss,val_loss", *rows]) + "\n")
    return folder


def changed(**validation: Any) -> dict[str, Any]:
    return {**METRICS, "validation": {**METRICS["validation"], **validation}}


def test_runs_of_the_command_line_and_of_the_studio_stand_in_one_list(tmp_path: Path) -> None:
    run_in(tmp_path / "by-hand", METRICS, 3)
    write_job(run_in(tmp_path / "by-form"), Job("detector", ("x",), "/", "failed", 9))
    run_in(tmp_path / "nothing")
    found = {run.name: run for run in list_runs(tmp_path)}
    assert set(found) == {"by-hand", "by-form"}
    assert (found["by-hand"].kind, found["by-hand"].state) == ("classifier", "done")
    assert found["by-hand"].epochs == (3, 3) and found["by-hand"].checksum == "abc"
    assert (found["by-form"].kind, found["by-form"].state) == ("detector", "failed")
    assert found["by-form"].epochs == (0, 9)


def test_a_number_that_is_none_is_left_out_of_a_history(tmp_path: Path) -> None:
    rows = read_history(run_in(tmp_path / "r", None, 2) / "history.csv")
    assert rows == ({"epoch": 1.0, "loss": 1.0}, {"epoch": 2.0, "loss": 0.5})


def test_every_headline_of_a_detector_is_of_a_range_that_is_measured() -> None:
    asked = {name.split(".")[2] for name in HEADLINES if ".ranges." in name}
    assert asked == set(RANGES)


def test_an_evaluation_is_headed_by_the_words_of_a_training(tmp_path: Path) -> None:
    training = read_run(run_in(tmp_path / "training", METRICS))
    evaluation = run_in(tmp_path / "evaluation")
    sliced = {"size: 64 px": {"accuracy": {"value": 0.1, "low": 0.0, "high": 0.2}}}
    told = {**METRICS["validation"], "slices": sliced}
    (evaluation / "evaluation.json").write_text(json.dumps(told))
    write_job(evaluation, Job("evaluate", ("x",), "/", "done"))
    found = read_run(evaluation)
    assert training is not None and found is not None
    assert headlines(found) == headlines(training)
    assert "all three classes, accuracy" in dict(headlines(found))


def test_an_evaluation_of_both_networks_is_headed_by_what_it_has(tmp_path: Path) -> None:
    pair = {"gate": {"right": {"value": 0.9, "low": 0.8, "high": 1.0}, "faces": 3}}
    (run_in(tmp_path / "pair") / "evaluation.json").write_text(json.dumps(pair))
    write_job(tmp_path / "pair", Job("evaluate", ("x",), "/", "done"))
    found = read_run(tmp_path / "pair")
    assert found is not None and [words for words, _ in headlines(found)] == ["right"]


@pytest.mark.parametrize("content", ["", "{", "[1]", "\0"])
def test_damaged_metrics_are_no_metrics(tmp_path: Path, content: str) -> None:
    (tmp_path / "metrics.json").write_text(content)
    assert read_run(tmp_path) is None


def test_settings_that_differ_are_named_by_their_place(tmp_path: Path) -> None:
    one = read_run(run_in(tmp_path / "one", METRICS))
    other = {**METRICS, "config": {**METRICS["config"], "schedule": {"epochs": 5}}, "seed": 2}
    two = read_run(run_in(tmp_path / "two", other))
    assert one is not None and two is not None
    assert differences(one, two) == [
        Difference("config.schedule.epochs", 3, 5), Difference("seed", None, 2),
    ]
    assert differences(one, one) == []


def test_headlines_come_first_among_the_numbers(tmp_path: Path) -> None:
    one = read_run(run_in(tmp_path / "one", METRICS))
    two = read_run(run_in(tmp_path / "two", changed(log_loss=0.1, other=1)))
    assert one is not None and two is not None
    names = [entry.name for entry in metrics_side_by_side(one, two)]
    assert names == [
        "validation.accuracy", "validation.expected_calibration_error", "validation.log_loss",
    ]


@pytest.mark.parametrize(
    ("name", "one", "two", "says"),
    [
        ("accuracy", 0.8, 0.9, 1),
        ("accuracy", 0.9, 0.8, -1),
        ("log_loss", 0.3, 0.1, 1),
        ("accuracy", 0.9, 0.9, 0),
        ("accuracy", {"value": 0.8, "low": 0.7, "high": 0.9},
         {"value": 0.85, "low": 0.75, "high": 0.95}, 0),
        ("accuracy", {"value": 0.8, "low": 0.79, "high": 0.81},
         {"value": 0.85, "low": 0.84, "high": 0.86}, 1),
        ("validation.expected_calibration_error", {"value": 0.02, "low": 0.01, "high": 0.03},
         {"value": 0.09, "low": 0.08, "high": 0.1}, -1),
        ("name", "a", "b", 0),
        ("validation.sources.ilc.recalls.with_mask", 0.8, 0.9, 1),
        ("wrong_alerts_per_100_pictures.all", 1.0, 5.0, -1),
        ("seconds", 60, 30, 1),
        ("parameters", 400_000, 2_200_000, 0),
        ("temperature", 1.1, 1.9, 0),
        ("validation.ranges.gate.score_threshold", 0.4, 0.62, 0),
        ("validation.classes.with_mask.faces", 100, 200, 0),
        ("validation.false_positives_per_picture", 0.1, 0.2, 0),
    ],
)
def test_better_is_said_only_beyond_chance(name: str, one: Any, two: Any, says: int) -> None:
    assert better(Difference(name, one, two)) == says


@pytest.mark.parametrize(
    ("metrics", "seed"),
    [({"seed": 7}, 7), (METRICS, 1), ({"config": []}, None), ({"seed": True}, None), (None, None)],
)
def test_the_seed_of_a_training_stands_beside_its_network(
    tmp_path: Path, metrics: dict[str, Any] | None, seed: int | None
) -> None:
    assert training_seed(run_in(tmp_path / "run", metrics) / "model.keras") == seed


def test_the_seed_of_a_converted_training_stands_in_the_card(tmp_path: Path) -> None:
    path = tmp_path / "new.tflite"
    path.write_bytes(make(CLASSIFIER, 50, lambda card: card["provenance"].update(seed=7)))
    assert training_seed(path) == 7
    path.write_bytes(b"no model")
    assert training_seed(path) is None


def test_a_metric_with_an_interval_is_one_leaf() -> None:
    assert flat({"a": {"b": {"value": 1, "low": 0}, "c": 2}}) == {
        "a.b": {"value": 1, "low": 0}, "a.c": 2,
    }


@pytest.mark.parametrize(
    "command",
    [
        forms.classifier_command(ClassifierForm(Path("d")), Path("o"), None),
        forms.classifier_command(
            ClassifierForm(Path("d"), 2, 4, 1, 0.35, 32, "none"), Path("o"), Path("c.toml")
        ),
        forms.detector_command(DetectorForm(Path("d"), 3), Path("o")),
        forms.convert_command("classifier", Path("r"), Path("d"), Path("o"), 4, True),
        forms.convert_command("detector", Path("r"), Path("d"), Path("o"), None, False),
        forms.evaluate_command("detector", Path("m"), Path("d"), "val", 0, Path("o")),
        forms.evaluate_command("classifier", Path("m"), Path("d"), "test", 9, Path("o")),
        forms.evaluate_command("classifier", Path("m"), Path("d"), "val", 9, Path("o"), 7),
        forms.evaluate_command("detector", Path("m"), Path("d"), "val", 9, Path("o"), 7),
        forms.promote_command(Path("m"), Path("d"), 4, Path("n"), Path("e"), "/key"),
        forms.promote_command(Path("m"), Path("d"), 4, Path("n"), None, ""),
    ],
)
def test_what_a_form_says_is_a_command_line_that_exists(command: tuple[str, ...]) -> None:
    group: Any = {
        "train": train_main, "convert": convert_main, "train.studio.promote": promote_main,
    }[command[0]]
    words = list(command[1:])
    # Parsed down to the last command, options and all; nothing is run.
    while hasattr(group, "commands"):
        group = group.commands[words.pop(0)]
    context = group.make_context(group.name, words)
    where = context.params["runs"] if "runs" in context.params else context.params["data"]
    assert where == Path("d")


@pytest.mark.parametrize("split", ["", "../val", "a b", "--help", "x" * 41])
def test_a_split_that_is_no_name_is_refused(split: str) -> None:
    if split == "--help":
        # A word that click would take for an option stands behind --split, which eats it.
        command = forms.evaluate_command("detector", Path("m"), Path("d"), split, 0, Path("o"))
        assert command[command.index("--split") + 1] == split
        return
    with pytest.raises(UsageError, match="split is"):
        forms.evaluate_command("detector", Path("m"), Path("d"), split, 0, Path("o"))
