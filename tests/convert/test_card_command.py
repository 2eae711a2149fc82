"""``python -m convert card``: what it refuses to print, and where it cannot write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tensorflow")

from click.testing import CliRunner, Result

from convert.cli import main
from tests.networks import model_content

FIGURES = {"confusion": [[9, 1, 0], [0, 9, 1], [0, 0, 9]]}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "masks.tflite"
    path.write_bytes(model_content("mask-classifier"))
    return path


def card(model: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["card", str(model), *options])


@pytest.mark.parametrize(
    ("evaluation", "says"),
    [
        ({"confusion": 3}, "confusion is 3; a table of 3 by 3 numbers"),
        ({**FIGURES, "accuracy": {"value": 0.5, "low": "q", "high": 1}}, "accuracy: low is 'q'"),
        ({"ranges": {"gate": {"ap50": 0.8}}}, "an evaluation of a face-detector"),
        ({"kind": "looks", **FIGURES}, "an evaluation of a looks"),
        ({"close_faces": {}}, "an evaluation of a pair"),
        ({"faces": 3}, "is no evaluation"),
        ({**FIGURES, "sha256": "f00d"}, "SHA-256 f00d"),
    ],
)
def test_figures_of_something_else_are_not_printed_as_this_files(
    model: Path, evaluation: dict[str, Any], says: str
) -> None:
    path = model.with_name("evaluation.json")
    path.write_text(json.dumps(evaluation))
    result = card(model, "--evaluation", str(path))
    assert result.exit_code == 2 and says in result.output
    assert "a bug" not in result.output and not model.with_suffix(".md").exists()


@pytest.mark.parametrize("place", ["/proc/nope/x.md", "/etc/hostname/x.md", "FOLDER"])
def test_a_card_that_cannot_be_written_is_no_bug(model: Path, place: str) -> None:
    folder = model.with_name("folder.md")
    folder.mkdir()
    out = str(folder) if place == "FOLDER" else place
    result = card(model, "--out", out)
    assert result.exit_code == 5 and f"--out: {out} cannot be written: " in result.output
