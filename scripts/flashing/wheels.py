"""A wheelhouse for a board's Python, downloaded on the workstation: nothing is compiled."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from edge.errors import OutputError

ROOT = Path(__file__).resolve().parents[2]
_LOCKED = ROOT / "scripts/constraints/device.txt"
# glibc of Bookworm is 2.36, of Trixie 2.41, of JetPack 6 (Ubuntu 22.04) 2.35.
_GLIBC = {"3.10": 35, "3.11": 36, "3.12": 39, "3.13": 41}
_OLDEST = 17
_PARTS = ("edge", "train", "convert", "models", "setup.cfg", "pyproject.toml", "README.md",
          "LICENSE")
# With the system's numpy these are free to fit it, as in scripts/install-device.
_FREE = re.compile(r"^(numpy|opencv-python-headless|ml-dtypes|scipy|scikit-image)==")


def constraints(python: str, numpy: str) -> str:
    """Return the locked versions for *python*; with the system's *numpy*, as "2.2.4", that one."""
    lines = []
    for line in _LOCKED.read_text(encoding="utf-8").splitlines():
        version, _, condition = line.partition(" ; ")
        if not line.startswith("#") and _holds(condition, python):
            lines.append(version)
    if numpy:
        lines = [line for line in lines if not _FREE.match(line)]
        lines.append(f"numpy=={numpy}")
    return "\n".join([*lines, ""])


def platforms(python: str) -> list[str]:
    """Return pip's names of the arm64 platforms that run wheels for *python*, newest first."""
    names = [f"manylinux_2_{minor}_aarch64" for minor in range(_GLIBC[python], _OLDEST - 1, -1)]
    return [*names, "manylinux2014_aarch64"]


def fill(folder: Path, python: str, numpy: str) -> None:
    """Put maskgate's wheel and those of all it needs into *folder*, for an arm64 board.

    *python* is such as "3.13", *numpy* the version that the system has, or "".  Raises
    OutputError, with pip's last line, where pip cannot make or get one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    with tempfile.TemporaryDirectory() as work:
        limits = Path(work) / "constraints.txt"
        limits.write_text(constraints(python, numpy), encoding="utf-8")
        # Of a copy: a build leaves folders behind, and as root they would be root's.
        source = Path(work) / "source"
        for part in _PARTS:
            _copy(ROOT / part, source / part)
        _pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(source), work=work)
        (ours,) = folder.glob("maskgate-*.whl")
        wanted = [f"--platform={name}" for name in platforms(python)]
        _pip(
            "download", "--only-binary=:all:", "--implementation=cp",
            f"--python-version={python}", *wanted, "--constraint", str(limits),
            "--dest", str(folder), str(ours), *needed(ours, python), work=work,
        )


def needed(wheel: Path, python: str) -> list[str]:
    """Return what *wheel* requires with *python*; pip asks its own Python for conditions."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
        text = archive.read(name).decode()
    found = []
    for line in re.findall(r"^Requires-Dist: (.*)$", text, re.M):
        requirement, _, condition = line.partition(";")
        if "extra ==" not in condition and _holds(condition, python):
            found.append(requirement.strip())
    return found


def _holds(condition: str, python: str) -> bool:
    """Return whether *condition*, a marker of PEP 508, holds on an arm64 board with *python*."""
    from pip._vendor.packaging.markers import Marker

    return not condition.strip() or Marker(condition.strip()).evaluate({
        "python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux",
        "platform_machine": "aarch64", "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    })


def _copy(place: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if place.is_dir():
        shutil.copytree(place, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(place, target)


def _pip(*arguments: str, work: str) -> None:
    flags = ("--no-input", "--disable-pip-version-check", "-q")
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments, *flags],
        capture_output=True, text=True, timeout=1800, cwd=work,
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["nothing"]
        raise OutputError(f"pip {arguments[0]} failed: {said[-1]}; is there a network?")
