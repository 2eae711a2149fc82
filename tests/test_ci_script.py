"""What ends .ci/run and what does not, with a suite and a device test that end as they are told."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# No apt-get: nothing is installed here.
PROGRAMS = ("bash", "dirname", "id", "mktemp", "rm", "sed", "tee", "timeout")
UNPREPARED = "echo early; echo 'test-device: not prepared: there are no loop devices'; exit 75"


def ended(place: Path, suite: str, device: str, *options: str) -> tuple[int, str]:
    """Return exit code and output of .ci/run in *place*, by what its two scripts do."""
    programs = place / "bin"
    for name in (".ci", "scripts", "bin"):
        (place / name).mkdir()
    for name in PROGRAMS:
        found = shutil.which(name)
        assert found is not None, name
        (programs / name).symlink_to(found)
    shutil.copy(ROOT / ".ci/run", place / ".ci/run")
    for name, text in (("test", suite), ("test-device", device)):
        script = place / "scripts" / name
        script.write_text(f"#!{programs}/bash\n{text}\n")
        script.chmod(0o755)
    done = subprocess.run(
        [str(programs / "bash"), str(place / ".ci/run"), *options], cwd=place, text=True,
        env={"PATH": str(programs), "PYTHON": "python0"}, capture_output=True, timeout=60,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(("device", "code", "last"), [
    ("echo passed; exit 0", 0, "passed"),
    (UNPREPARED, 0, "device test: not run: there are no loop devices"),
    ("exit 124", 0, "device test: not run: out of time, 45 minutes, or of memory"),
    ("kill -KILL $$", 0, "device test: not run: out of time, 45 minutes, or of memory"),
    ("echo failed; exit 1", 1, "failed"),
    ("echo failed; exit 2", 2, "failed"),
    ("echo failed; kill -SEGV $$", 139, "failed"),
])
def test_only_a_machine_that_cannot_emulate_is_forgiven(
    tmp_path: Path, device: str, code: int, last: str
) -> None:
    found, said = ended(tmp_path, "exit 0", device)
    assert (found, said.splitlines()[-1]) == (code, last)


def test_the_suite_that_fails_ends_it_at_once(tmp_path: Path) -> None:
    assert ended(tmp_path, "exit 3", "echo never") == (3, "")


def test_options_go_to_the_suite_and_leave_the_device_out(tmp_path: Path) -> None:
    assert ended(tmp_path, 'echo "$@"', "echo never", "-k", "crop") == (0, "-k crop\n")


def test_the_device_is_tested_by_the_python_of_the_suite(tmp_path: Path) -> None:
    _, said = ended(tmp_path, "exit 0", 'echo "$PYTHON $@"')
    assert said.splitlines()[0] == f"{tmp_path}/.venv/bin/python --quick"
