"""Wheels for a board's Python, whatever Python the workstation has."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts.flashing.wheels import constraints, needed, platforms

ROOT = Path(__file__).resolve().parents[1]
METADATA = """Metadata-Version: 2.1
Name: maskgate
Requires-Dist: click>=8.1
Requires-Dist: tomli>=2; python_version < "3.11"
Requires-Dist: pytest>=8; extra == "dev"
"""


def pinned(text: str, name: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(f"{name}==")]


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_each_package_is_locked_once_and_without_conditions(python: str) -> None:
    lines = constraints(python, "").splitlines()
    names = [line.partition("==")[0] for line in lines]
    assert len(set(names)) == len(names) and not any(";" in line for line in lines)
    assert "numpy" in names and ("tomli" in names) is (python == "3.10")


def test_the_systems_numpy_stays_and_what_depends_on_it_is_free() -> None:
    text = constraints("3.11", "1.24.2")
    assert pinned(text, "numpy") == ["numpy==1.24.2"]
    assert not pinned(text, "opencv-python-headless")
    assert pinned(text, "ai-edge-litert")


@pytest.mark.parametrize(
    ("python", "wanted"), [("3.10", ["click>=8.1", "tomli>=2"]), ("3.13", ["click>=8.1"])]
)
def test_what_is_required_goes_by_the_boards_python(
    tmp_path: Path, python: str, wanted: list[str]
) -> None:
    wheel = tmp_path / "maskgate-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("maskgate-1.dist-info/METADATA", METADATA)
    assert needed(wheel, python) == wanted


def test_no_wheel_needs_a_newer_system_than_the_release_has() -> None:
    assert platforms("3.11")[0] == "manylinux_2_36_aarch64"
    assert "manylinux_2_17_aarch64" in platforms("3.10")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "name one: --target"),
        (["--target", "pios-buster"], "--target is pios-buster; allowed: pios-trixie"),
        (["--target", "jetpack6", "--numpy", "new"], "--numpy is new; allowed"),
        (["--target", "jetpack6", "--output", "."], "is there already"),
        (["--target", "jetpack6", "--output", "a/b"], "is not there; make it first"),
        (["--target"], "--target needs a value"),
        (["--bundle"], "unknown option --bundle"),
    ],
)
def test_a_bundle_that_cannot_be_made_is_refused_in_one_sentence(
    tmp_path: Path, arguments: list[str], told: str
) -> None:
    done = subprocess.run(
        [str(ROOT / "scripts/make-bundle"), *arguments], cwd=tmp_path, capture_output=True,
        text=True, timeout=60, env={**os.environ, "PYTHON": sys.executable},
    )
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
    assert told in done.stderr and len(done.stderr.splitlines()) == 1
