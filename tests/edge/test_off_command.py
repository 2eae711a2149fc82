"""``maskgate off``: what cleans up behind a gate that ended in any way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from click.testing import CliRunner

from edge.alerts.pins import mock_pins
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


@pytest.mark.parametrize("mock", [True, False])
def test_pins_that_are_not_real_are_said_to_be_none(monkeypatch, mock):
    pins = replace(mock_pins(), mock=mock)
    monkeypatch.setattr("edge.alerts.pins.choose_pins", lambda pretend: pins)
    done = CliRunner().invoke(main, ["off"])
    assert done.exit_code == 0 and done.stdout.startswith("buzzer: off (shutdown)")
    note = "No real pins (as asked for): these are gpiozero's mock pins.\n"
    assert done.stderr == (note if mock else "")


def test_what_was_driven_is_left_whatever_the_configuration_says_by_now(tmp_path, monkeypatch):
    config = tmp_path / "gate.toml"
    config.write_text(CONFIG)
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    run = ["run", "--no-pins", "--quiet", "--max-frames", "1", "--config", str(config)]
    assert CliRunner().invoke(main, run).exit_code == 0
    monkeypatch.setenv("SERVICE_RESULT", "signal")
    for mistake in ("[camera", "[outputs.door]\nkind = 'relay'\npins = [5]\n"):
        config.write_text(mistake)
        done = CliRunner().invoke(main, ["off", "--no-pins", "--config", str(config)])
        assert done.exit_code == 0, done.output
        assert done.stdout.splitlines() == ["door: on (crash)", "light: off (crash)"]


@pytest.mark.parametrize("note", [None, b"", b"{", b"[1]", b'{"a": {"kind": "led", "pins": [99]}}'])
def test_a_note_that_cannot_be_used_leaves_it_to_the_configuration(tmp_path, monkeypatch, note):
    config = tmp_path / "gate.toml"
    config.write_text(CONFIG)
    if note is not None:
        (tmp_path / "outputs.json").write_bytes(note)
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    done = CliRunner().invoke(main, ["off", "--no-pins", "--config", str(config)])
    assert done.exit_code == 0 and done.stdout.startswith("door: off (shutdown)")


def test_a_broken_configuration_is_one_line(tmp_path):
    config = tmp_path / "gate.toml"
    config.write_text("[outputs.x]\nkind = 'siren'\npins = [5]\n")
    done = CliRunner().invoke(main, ["off", "--no-pins", "--config", str(config)])
    assert done.exit_code == 2 and "siren" in done.stderr and len(done.stderr.splitlines()) == 1
