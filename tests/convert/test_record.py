"""What a training wrote, and options, are found wrong before the work and named."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from convert.cli import main
from convert.record import converted_on, read_record
from edge.errors import UsageError

GOOD = '"crop_margin": 0.2, "temperature": 1.3'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('"seed": "x"', "seed is 'x'"),
        ('"config": {"seed": -1}', "config: seed is -1"),
        ('"data": []', "data is []; an object"),
        ('"data": {"synthetic": "maskon"}', "data: synthetic is 'maskon'"),
        ('"config": [1]', "config is [1]; an object"),
        ('"calibration": {"priors": {"with_mask": "a"}}', "priors: with_mask is 'a'"),
        ('"temperature": 0', "temperature is 0; a number above 0"),
        ('"crop_margin": -5', "crop_margin is -5; 0 to 2"),
        ('"input": {"std": 0}', "input: std is 0"),
        ('"input": {"color": "grey"}', "input: color is 'grey'"),
        ('"decision": {"nms_iou": true}', "decision: nms_iou is True"),
        ('"start": "first.keras"', "start is 'first.keras'"),
        ('"average_of": [{"file": 1}]', "average_of is"),
        ('"validation": {"confusion": 3}', "validation: confusion is 3; a table"),
        ('"validation": {"accuracy": {"value": "x"}}', "accuracy: value is 'x'"),
    ],
)
def test_an_entry_that_no_training_writes_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(f"{{{GOOD}, {text}}}")
    with pytest.raises(UsageError) as caught:
        read_record(path)
    assert str(caught.value).startswith(f"{path}: ") and says in str(caught.value)


@pytest.mark.parametrize("text", ['"seed": null', '"validation": {"loss": NaN}', '"start": null'])
def test_what_a_training_leaves_open_is_allowed(tmp_path: Path, text: str) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(f'{{{GOOD}, {text}, "config": {{"seed": null}}}}')
    assert read_record(path)["config"] == {"seed": None}


@pytest.mark.parametrize("text", ["[" * 100_000, '{"command": "\\ud800"}'])
def test_json_that_no_card_can_hold_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="cannot be read as JSON"):
        read_record(path)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--temperature", "nan"), ("--crop-margin", "nan"), ("--least-agreement", "nan"),
        ("--model-version", str(10**30)),
    ],
)
def test_an_option_that_is_no_number_of_its_range_is_refused(option: str, value: str) -> None:
    given = ("--model", "m.keras", "--data", "d", "--out", "o.tflite", option, value)
    result = CliRunner().invoke(main, ["classifier", *given])
    assert result.exit_code == 2 and option in result.output


def test_a_build_date_that_is_no_time_is_refused() -> None:
    assert converted_on({"SOURCE_DATE_EPOCH": "1700000000"}) == "2023-11-14"
    for stamp in ("abc", "1" * 30):
        with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH"):
            converted_on({"SOURCE_DATE_EPOCH": stamp})


def test_the_help_tells_every_exit_code() -> None:
    text = CliRunner().invoke(main, ["--help"]).output
    for code in (0, 1, 2, 4, 5, 6, 7, 130):
        assert f"\n    {code:<4} " in text
