"""Who may reach the studio, and what its command line refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.errors import UsageError
from train.studio.cli import checked_settings, is_own, main, server_options
from train.studio.password import Door, first_line
from train.studio.settings import VARIABLE, StudioSettings, current_settings, settings_text
from train.studio.trying import MOST_MEGABYTES


class Clock:
    """A clock that goes on when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("address", "own"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.9.9.9", True),
     ("0.0.0.0", False), ("::", False), ("192.168.1.5", False), ("studio.local", False)],
)
def test_only_this_machines_own_addresses_need_no_password(
    tmp_path: Path, address: str, own: bool
) -> None:
    assert is_own(address) == own
    if own:
        checked_settings(tmp_path / "runs", (), None, None, address, None)
        return
    with pytest.raises(UsageError, match="give --password-file too"):
        checked_settings(tmp_path / "runs", (), None, None, address, None)


def test_a_folder_of_data_whose_path_is_no_text_is_refused_in_words(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    with pytest.raises(UsageError, match=r"caf\\udce9': its path is no UTF-8; rename"):
        checked_settings(tmp_path / "runs", (folder,), None, None, "127.0.0.1", None)


@pytest.mark.parametrize("content", ["", "\n", "short\n"])
def test_a_password_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "password"
    path.write_text(content)
    with pytest.raises(UsageError, match="password"):
        checked_settings(tmp_path / "runs", (), None, None, "0.0.0.0", path)


def test_a_studio_with_a_password_may_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("correct horse battery\nsecond line\n")
    found = checked_settings(tmp_path / "runs", (), None, None, "0.0.0.0", path)
    assert found.password_file == str(path) and first_line(str(path)) == "correct horse battery"


def test_the_server_is_told_to_be_careful() -> None:
    told = server_options("127.0.0.1", 8501)
    assert told["server.enableXsrfProtection"] is True and told["server.enableCORS"] is True
    assert told["server.maxUploadSize"] == MOST_MEGABYTES
    assert told["server.address"] == "127.0.0.1"
    assert "localhost" in told["server.allowedHosts"]
    assert told["client.showErrorDetails"] == "none"
    assert told["server.enableStaticServing"] is False


def test_every_option_is_one_that_streamlit_knows() -> None:
    config = pytest.importorskip("streamlit.config", reason="Streamlit is not installed")
    known = set(config.get_config_options())
    # Older versions have no list of hosts; the origin is checked by all of them.
    assert set(server_options("127.0.0.1", 1)) - known <= {"server.allowedHosts"}


def test_the_right_password_opens_and_others_do_not() -> None:
    door = Door("correct horse", Clock())
    assert not door.opens("wrong") and not door.opens("") and not door.opens("x" * 5000)
    assert door.opens("correct horse")


def test_guessing_is_slowed_down_for_everybody() -> None:
    clock = Clock()
    door = Door("correct horse", clock)
    for _ in range(5):
        assert not door.opens("guess")
    assert door.pause() == pytest.approx(5)
    assert not door.opens("correct horse")
    clock.now += 5.1
    assert not door.opens("guess")
    assert door.pause() == pytest.approx(10)
    clock.now += 10.1
    assert door.opens("correct horse") and door.pause() == 0


def test_the_password_is_not_kept_as_it_is() -> None:
    door = Door("correct horse", Clock())
    assert "correct horse" not in repr(vars(door))


def test_pages_without_their_command_line_say_so() -> None:
    with pytest.raises(UsageError, match="start the studio with maskgate-studio"):
        current_settings({})
    with pytest.raises(UsageError, match="cannot be read"):
        current_settings({VARIABLE: "{"})


def test_settings_reach_the_pages_as_they_are() -> None:
    given = StudioSettings("/r", ("/a", "/b c"), "/c", "/g", "/p", "/k", "sqlite:////m.db")
    assert current_settings({VARIABLE: settings_text(given)}) == given


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--address", "0.0.0.0"), "give --password-file too"),
        (("--data", "gone"), "--data gone: no such folder"),
        (("--gates", "gone.toml"), "gone.toml: cannot be read"),
        (("--certificate", "c.pem"), "belong together"),
        (("--port", "0"), "--port"),
        (("--signing-key", "gone"), "--signing-key gone: no file that can be read"),
        (("--tracking", "mlruns"), "--tracking is 'mlruns'"),
    ],
)
def test_an_option_that_is_not_allowed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2 and told in result.output


def test_help_lists_what_the_command_does() -> None:
    text = CliRunner().invoke(main, ["start", "--help"]).output
    for word in ("--runs", "--data", "--password-file", "--gates", "--signing-key", "--tracking"):
        assert word in text
