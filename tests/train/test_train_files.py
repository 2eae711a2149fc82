"""Files of a training are whole, or as they were."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

import train.classifier.training as classifier_training
from edge.files import replaced
from train.report.files import write_json, write_rows


def test_a_file_is_as_it_was_when_its_writer_fails(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), replaced(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_rows(path, [{"loss": 1.0}]),
        lambda path: write_json(path, {"loss": 1.0}),
    ],
)
def test_a_file_is_as_it_was_when_the_power_fails_before_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None]
) -> None:
    path = tmp_path / "history"
    path.write_text("old")

    def cut(*given: object) -> None:
        raise OSError("power cut")

    monkeypatch.setattr("edge.files.os.fsync", cut)
    with pytest.raises(OSError, match="power cut"):
        write(path)
    assert path.read_text() == "old"


def test_rows_get_a_header_of_all_their_names(tmp_path: Path) -> None:
    write_rows(tmp_path / "h.csv", [{"epoch": 1}, {"epoch": 2, "loss": 0.5}])
    with (tmp_path / "h.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [{"epoch": "1", "loss": ""}, {"epoch": "2", "loss": "0.5"}]


def test_the_classifier_history_survives_a_failed_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier_training._write_history(tmp_path, ({"epoch": 1.0}, {"epoch": 2.0}))
    before = (tmp_path / "history.csv").read_text()
    broken = {"epoch": _Unprintable()}
    monkeypatch.setattr(classifier_training, "write_json", lambda path, value: None)
    with pytest.raises(RuntimeError):
        classifier_training._write_history(tmp_path, ({"epoch": 1.0}, broken))
    assert (tmp_path / "history.csv").read_text() == before


class _Unprintable:
    def __str__(self) -> str:
        raise RuntimeError
