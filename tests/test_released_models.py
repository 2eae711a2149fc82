"""The released networks on photographs they never saw, where those are at hand.

The bounds lie a little below what the cards state: they catch a model, a crop or a decoder that
went wrong, not noise.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from edge.errors import EXIT_OK
from edge.modelfile import read_model, released_model

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here")


def evaluated(kind: str, folder: str, out: Path) -> dict:
    from train.cli import main

    command = [
        "evaluate", kind, "--data", str(DATA / folder), "--repeats", "0", "--json", str(out),
    ]
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == EXIT_OK
    return json.loads(out.read_text())


@needs_data
def test_the_released_classifier_judges_masks_as_its_card_says(tmp_path):
    result = evaluated("classifier", "faces", tmp_path / "faces.json")
    assert result["with_without_balanced_accuracy"]["value"] > 0.97
    assert result["without_disputed"]["with_without_balanced_accuracy"]["value"] > 0.99
    assert result["classes"]["incorrect_mask"]["recall"] > 0.79
    assert result["accuracy"]["value"] > 0.96
    assert result["expected_calibration_error"]["value"] < 0.02


@needs_data
def test_the_released_detector_finds_faces_as_its_card_says(tmp_path):
    result = evaluated("detector", "detection", tmp_path / "pictures.json")
    close = result["ranges"]["close"]
    assert close["average_precision"]["value"] > 0.885
    assert close["sources"]["ilc"]["average_precision"] > 0.955


@pytest.mark.parametrize("kind", ["face-detector", "mask-classifier"])
def test_a_card_tells_commands_that_anybody_can_repeat(kind):
    made = read_model(released_model(kind)).card.provenance
    for command in (made["command"], made["convert_command"]):
        assert "python -m " in command
        assert not [word for word in shlex.split(command) if word.startswith(("/", "~"))]


@pytest.mark.parametrize("kind", ["face-detector", "mask-classifier"])
def test_a_self_test_shows_the_network_what_it_answers_differently_to(kind):
    for rows in read_model(released_model(kind)).card.self_test.outputs.values():
        spread = np.ptp(np.array(rows), axis=0)
        assert (spread > 3).mean() > 0.5


def test_the_self_test_of_the_classifier_has_every_answer_in_it():
    (rows,) = read_model(released_model("mask-classifier")).card.self_test.outputs.values()
    assert {int(np.argmax(row)) for row in rows} == {0, 1, 2}


@needs_data
def test_a_station_platform_full_of_masked_people_is_seen_as_such(tmp_path, capsys):
    from edge.cli import main

    clip = str(DATA / "clips" / "platform.mp4")
    with pytest.raises(SystemExit) as ended:
        main(["run", "--source", clip, "--max-frames", "260", "--no-pins", "--json", "--quiet"])
    assert ended.value.code == EXIT_OK
    people = json.loads(capsys.readouterr().out)["people"]
    verdicts = [person["verdict"] for person in people]
    assert verdicts.count("mask") >= 5
    assert verdicts.count("no_mask") == 0
