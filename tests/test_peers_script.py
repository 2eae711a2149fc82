"""scripts/compare_peers as a person runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge.modelfile import ModelFile
from tests.train.making import coco_document, write_json
from train.evaluate.peers.known import KNOWN

ROOT = Path(__file__).resolve().parents[1]


def compare(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "compare_peers"), *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_it_tells_its_options() -> None:
    done = compare("--help")
    assert done.returncode == 0
    for option in ("--pictures", "--markdown", "--json", "--repeats", "--peers"):
        assert option in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--pictures", "0", "gone.tflite"], 4, "gone.tflite"),
        (["--pictures", "0", "notes.txt"], 4, "notes.txt"),
        (["--data", "nowhere"], 6, "nowhere"),
        (["--pictures", "0", "--detector", "gone.tflite"], 4, "gone.tflite"),
        (["--pictures", "-1"], 2, "--pictures"),
    ],
)
def test_what_is_wrong_is_one_line_and_an_exit_code(
    arguments: list[str], code: int, told: str, tmp_path: Path
) -> None:
    done = compare("--peers", tmp_path, *arguments)
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_unknown_file_is_timed_beside_ours(
    detector_file: ModelFile, classifier_file: ModelFile
) -> None:
    ours = ["--detector", detector_file.path, "--classifier", classifier_file.path]
    done = compare("--pictures", 0, *ours, detector_file.path)
    assert done.returncode == 0, done.stderr
    assert "Speed on 1 thread" in done.stdout
    assert detector_file.path.name in done.stdout
    assert "AP50" not in done.stdout.split("Every network")[0]


def test_missing_peers_are_named_and_ours_is_still_measured(
    detector_file: ModelFile, classifier_file: ModelFile, tmp_path: Path
) -> None:
    write_json(tmp_path / "val.json", coco_document(tmp_path, ["with_mask", "without_mask"]))
    ours = ["--detector", detector_file.path, "--classifier", classifier_file.path]
    written = tmp_path / "all.json"
    done = compare(
        *ours, "--peers", tmp_path, "--data", tmp_path, "--repeats", 3, "--json", written,
        "--markdown", tmp_path / "all.md",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("skipped") == len(KNOWN)
    result = json.loads(written.read_text())
    assert result["networks"][0]["pair"]["pictures"] == 2
    assert "## End to end" in (tmp_path / "all.md").read_text()
