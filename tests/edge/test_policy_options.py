"""What is typed about people: sizes, zones and hours, and one clear line when it is wrong."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from edge import gatekeeper
from edge.cli import main


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--zone", "0,0,2,1", "outside the picture"),
        ("--zone", "", "cannot be read"),
        ("--quiet-hours", "late", "allowed: HH:MM-HH:MM"),
        ("--min-face", "5", "allowed: 8 to 2000 pixels"),
        ("--cool-down", "-1", "not in the range"),
    ],
)
def test_a_wrong_one_is_one_line_before_anything_is_opened(option, value, says, monkeypatch):
    monkeypatch.setattr(gatekeeper, "open_source", lambda *_: pytest.fail("a source was opened"))
    result = CliRunner().invoke(main, ["run", option, value])
    assert result.exit_code == 2
    assert says in result.stderr and len(result.stderr.splitlines()) == 1
