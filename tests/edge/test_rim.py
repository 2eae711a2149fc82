"""Standard output that is full, closed or gone ends in one line and a code."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

import edge
from edge.rim import Rim

ROOT = Path(edge.__file__).parents[1]
HELP = f"{sys.executable} -m edge run --help"


def shell(line: str, **extra: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MASKGATE_DEBUG": "", **extra}
    return subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, timeout=60, env=environment,
        check=False,
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", ">&- 2>&- <&-"])
def test_a_closed_stream_is_no_error(closed):
    result = shell(f"{HELP} {closed}")
    assert result.returncode == 0 and not result.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_output_is_one_line_and_its_code(unbuffered):
    result = shell(f"{HELP} >/dev/full", PYTHONUNBUFFERED=unbuffered)
    assert result.returncode == 5
    assert result.stderr.count("\n") == 1 and "maskgate: cannot write: No space" in result.stderr
    silent = shell(f"{HELP} >/dev/full 2>/dev/full", PYTHONUNBUFFERED=unbuffered)
    assert silent.returncode == 5 and not silent.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_went_away_is_one_line_and_its_code(unbuffered):
    reading, writing = os.pipe()
    os.close(reading)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered}
    result = subprocess.run(
        HELP.split(), stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60,
        env={**environment, "MASKGATE_DEBUG": ""}, check=False,
    )
    os.close(writing)
    assert result.returncode == 5
    assert result.stderr == "maskgate: standard output was closed by its reader\n"


def test_an_output_lost_while_a_command_runs_is_one_line_and_its_code(capsys, monkeypatch):
    monkeypatch.delenv("MASKGATE_DEBUG", raising=False)
    group = Rim("group")

    @group.command()
    def work() -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    with pytest.raises(SystemExit) as caught:
        group.main(["work"])
    assert caught.value.code == 5
    assert capsys.readouterr().err == "maskgate: standard output was closed by its reader\n"
