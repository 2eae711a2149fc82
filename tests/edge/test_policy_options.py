"""What is typed about people: sizes, zones and hours, and one clear line when it is wrong."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from edge import commands
from edge.cli import main
from edge.commands import face_size, policy_settings
from edge.errors import UsageError

OPTIONS = {
    "min_face": "20", "max_alarm": 30.0, "cool_down": 5.0, "zone": None, "quiet_hours": None,
}


@pytest.mark.parametrize(
    ("text", "size"),
    [("20", (20, 0)), ("8", (8, 0)), (" 33.5 ", (33.5, 0)), ("8%", (20, 0.08)), ("90%", (20, 0.9))],
)
def test_a_face_size_is_pixels_or_a_share(text, size):
    assert face_size(text) == pytest.approx(size)


@pytest.mark.parametrize("text", ["", "7", "2001", "nan", "0.5%", "95%", "8%%", "8% of it", "big"])
def test_a_face_size_that_is_neither_is_refused_with_what_to_give(text):
    with pytest.raises(UsageError, match=r"--min-face is .*allowed: 8 to 2000 pixels"):
        face_size(text)


def test_options_become_the_policy():
    options = OPTIONS | {
        "min_face": "10%", "zone": "0,0,0.5,1", "quiet_hours": "22:00-07:00", "cool_down": 9.0,
    }
    settings = policy_settings(options)
    assert (settings.min_face_share, settings.cool_down_seconds) == (0.1, 9.0)
    assert settings.zone is not None and settings.zone.area == pytest.approx(0.5)
    assert settings.quiet_hours is not None
    assert policy_settings(OPTIONS).zone is None


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
    monkeypatch.setattr(commands, "open_source", lambda *_: pytest.fail("a source was opened"))
    result = CliRunner().invoke(main, ["run", option, value])
    assert result.exit_code == 2
    assert says in result.stderr and len(result.stderr.splitlines()) == 1
