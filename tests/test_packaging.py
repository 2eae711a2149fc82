"""What is installed: every package, the released models, nothing of TensorFlow on a device."""

from __future__ import annotations

import configparser
import importlib.util
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = (
    "scripts/demo", "scripts/test", "scripts/lock", "scripts/install-device", "scripts/flash",
    "scripts/make-bundle", "scripts/test-device", ".ci/run",
)
HEAVY = {"tensorflow", "keras", "torch", "matplotlib", "scipy", "scikit-image"}


@pytest.fixture(scope="module")
def setup() -> configparser.ConfigParser:
    """The project's setup.cfg."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def names(text: str) -> set[str]:
    """Return the distributions named in lines of requirements."""
    found = (re.match(r"[A-Za-z0-9._-]+", line.strip()) for line in text.splitlines())
    return {match[0].lower() for match in found if match}


def test_every_folder_of_code_is_a_listed_package(setup: configparser.ConfigParser) -> None:
    folders = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for room in ("edge", "train", "convert")
        for pattern in ("*.py", "*.toml")
        for path in (ROOT / room).rglob(pattern)
    }
    assert names(setup["options"]["packages"]) == folders | {"edge.released"}


def test_a_device_installs_nothing_heavy(setup: configparser.ConfigParser) -> None:
    assert not HEAVY & names(setup["options"]["install_requires"])
    locked = (ROOT / "scripts/constraints/device.txt").read_text()
    assert not {"tensorflow", "keras", "torch", "matplotlib"} & names(locked)


def test_every_requirement_is_locked(setup: configparser.ConfigParser) -> None:
    needed = names(setup["options"]["install_requires"])
    extras = setup["options.extras_require"]
    device = names((ROOT / "scripts/constraints/device.txt").read_text())
    dev = names((ROOT / "scripts/constraints/dev.txt").read_text())
    assert needed | names(extras["demo"]) <= device
    ours = ("demo", "train", "studio", "tracking", "dev")
    assert needed.union(*(names(extras[extra]) for extra in ours)) <= dev


@pytest.mark.parametrize("file", ["device.txt", "dev.txt"])
def test_locked_versions_are_exact_and_name_no_host(file: str) -> None:
    lines = (ROOT / "scripts/constraints" / file).read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert len(pins) > 15
    assert all(re.fullmatch(r"[a-z0-9._-]+==[0-9][^ ]*( ; .+)?", pin) for pin in pins)
    assert not any("://" in line or "file:" in line for line in lines)


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_executable_and_parse(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(path)], check=True, timeout=20)


@pytest.mark.parametrize("script", ["scripts/demo", "scripts/test"])
def test_without_a_suitable_python_one_sentence_says_so(script: str, tmp_path: Path) -> None:
    copy = tmp_path / "clone" / "scripts"
    shutil.copytree(ROOT / "scripts", copy)
    done = subprocess.run(
        ["bash", str(copy / Path(script).name)], env={"PATH": "/usr/bin:/bin", "PYTHON": "python0"},
        cwd=tmp_path, capture_output=True, text=True, timeout=20,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and "Python 3.10 to 3.13" in done.stderr


def test_the_wheel_holds_models_and_settings_and_no_tests(tmp_path: Path) -> None:
    # Looked for, not imported: it minds what other tests have imported before it.
    if importlib.util.find_spec("setuptools") is None:
        pytest.skip("setuptools is not installed")
    clone = tmp_path / "clone"
    clone.mkdir()
    for name in ("edge", "train", "convert", "models"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, clone / name)
    (clone / "README.md").write_text("maskgate")
    (clone / "models" / "extra.tflite").write_bytes(b"x")
    done = subprocess.run(
        [sys.executable, "-c", "from setuptools.build_meta import build_wheel; build_wheel('..')"],
        cwd=clone, capture_output=True, text=True, timeout=120,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("maskgate-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
        (metadata,) = (name for name in held if name.endswith("dist-info/METADATA"))
        described = archive.read(metadata).decode()
    assert {
        "edge/py.typed", "edge/gate.toml", "edge/status/web/page.html",
        "edge/bench/references/amd-epyc-2-cores.json", "edge/released/extra.tflite",
        "train/configs/classifier.toml",
    } <= held
    assert {f"edge/released/{path.name}" for path in (ROOT / "models").glob("*.tflite")} <= held
    assert not [name for name in held if name.startswith(("tests", "models", "scripts"))]
    assert "Requires-Python: <3.14,>=3.10" in described
