"""``maskgate off``: what cleans up behind a gate that ended in any way."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from edge.cli import main
from edge.off_command import after

CONFIG = """
[outputs.door]
kind = "relay"
pins = [22]
states = { crash = "on" }
[outputs.light]
kind = "led"
pins = [27]
"""


@pytest.mark.parametrize(
    ("environ", "state"),
    [
        ({}, "shutdown"),
        ({"SERVICE_RESULT": "success"}, "shutdown"),
        ({"SERVICE_RESULT": "watchdog"}, "crash"),
        ({"SERVICE_RESULT": "signal"}, "crash"),
        ({"SERVICE_RESULT": "exit-code"}, "crash"),
    ],
)
def test_how_the_service_ended_tells_the_state(environ, state):
    assert after(environ) == state


@pytest.mark.parametrize(("result", "door"), [("success", "off"), ("oom-kill", "on")])
def test_each_output_is_left_as_configured(tmp_path, monkeypatch, result, door):
    config = tmp_path / "gate.toml"
    config.write_text(CONFIG)
    monkeypatch.setenv("SERVICE_RESULT", result)
    done = CliRunner().invoke(main, ["off", "--no-pins", "--config", str(config)])
    assert done.exit_code == 0, done.output
    state = "shutdown" if result == "success" else "crash"
    assert done.stdout.splitlines() == [f"door: {door} ({state})", f"light: off ({state})"]


def test_a_broken_configuration_is_one_line(tmp_path):
    config = tmp_path / "gate.toml"
    config.write_text("[outputs.x]\nkind = 'siren'\npins = [5]\n")
    done = CliRunner().invoke(main, ["off", "--no-pins", "--config", str(config)])
    assert done.exit_code == 2 and "siren" in done.stderr and len(done.stderr.splitlines()) == 1
