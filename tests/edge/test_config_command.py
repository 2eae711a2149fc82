"""``maskgate config`` as typed."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from edge.config import config_text, default_config, read_config
from edge.config_command import config
from edge.config_show import effective_text
from edge.rim import Rim


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    """Run ``maskgate config`` in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    @click.group(cls=Rim)
    def main() -> None:
        """As edge.cli has it."""

    main.add_command(config)
    return lambda *args: CliRunner().invoke(main, ["config", *map(str, args)])


def test_the_printed_default_is_the_shipped_file_and_right(invoke, tmp_path):
    printed = invoke("default")
    assert printed.exit_code == 0 and printed.stdout == config_text()
    (tmp_path / "gate.toml").write_text(printed.stdout)
    checked = invoke("check", "gate.toml")
    assert checked.exit_code == 0 and checked.stdout == "gate.toml: ok, and as the defaults are\n"


def test_check_tells_what_differs(invoke, tmp_path):
    (tmp_path / "gate.toml").write_text("[alarm]\nmax_seconds = 60\n")
    result = invoke("check", "gate.toml")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "gate.toml: ok", "alarm.max_seconds = 60.0 (default: 30.0)",
    ]


def test_check_tells_each_mistake_on_its_line(invoke, tmp_path):
    (tmp_path / "gate.toml").write_text("[alarm]\nmax_seconds = 0\n[camera]\nwait = 1\n")
    result = invoke("check", "gate.toml")
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr.splitlines() == [
        "gate.toml: alarm.max_seconds is 0; allowed: 1 to 3600",
        "gate.toml: camera.wait is 1; allowed: true or false",
    ]


def test_show_prints_what_holds(invoke, tmp_path):
    (tmp_path / "gate.toml").write_text("[alarm]\nmax_seconds = 60\n")
    (tmp_path / "shown.toml").write_text(invoke("show", "gate.toml").stdout)
    assert read_config("shown.toml") == read_config("gate.toml")
    assert invoke("show").stdout == effective_text(default_config())


def test_show_hides_a_password_unless_asked(invoke, tmp_path):
    (tmp_path / "gate.toml").write_text('[camera]\nsource = "rtsp://me:hush@host/"\n')
    assert "hush" not in invoke("show", "gate.toml").stdout
    assert "hush" in invoke("show", "gate.toml", "--secrets").stdout


@pytest.mark.parametrize("args", [("show", "absent.toml"), ("check", "absent.toml"), ("check",)])
def test_what_cannot_be_is_one_line_with_code_2(invoke, args):
    result = invoke(*args)
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1


def test_the_command_costs_the_help_nothing():
    program = (
        "import sys, edge.config_command\n"
        "print([m for m in ('msgspec', 'numpy', 'cv2', 'gpiozero') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"
