"""Who may be served the status page, by its settings."""

from __future__ import annotations

import os

import pytest

from edge.errors import OutputError, UsageError
from edge.status.settings import StatusSettings, is_loopback, read_token

TOKEN = "0123456789abcdef"


def test_there_is_no_page_unless_somebody_asks_and_then_only_for_the_device_itself():
    settings = StatusSettings()
    assert not settings.enabled and not settings.preview and settings.preview_hide_faces
    assert is_loopback(settings.address)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1"])
def test_an_address_of_the_device_alone_needs_no_token(address):
    assert StatusSettings(address=address).token_file == ""


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.20", "fe80::1", "8.8.8.8"])
def test_an_address_that_others_reach_needs_a_token(address):
    with pytest.raises(UsageError, match=r"^address is .*token_file"):
        StatusSettings(address=address)
    assert StatusSettings(address=address, token_file="/etc/token").address == address


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"address": "localhost"}, "address is 'localhost'; allowed: an IP address"),
        ({"address": ""}, "address is ''; allowed: an IP address"),
        ({"address": "127.1"}, "address is '127.1'"),
        ({"port": 80}, "port is 80; allowed: 1024 to 65535"),
        ({"port": 65536}, "port is 65536; allowed: 1024 to 65535"),
        ({"names": ("a b",)}, "names has 'a b'; allowed: names of hosts"),
        ({"names": ("gate.example:8070",)}, "names has 'gate.example:8070'"),
        ({"names": ("a",) * 17}, "names has 17; allowed: at most 16"),
        ({"preview_fps": 0.1}, "preview_fps is 0.1; allowed: 0.2 to 10"),
        ({"preview_fps": float("nan")}, "preview_fps is nan; allowed: 0.2 to 10"),
    ],
)
def test_what_is_not_allowed_is_named_first(values, told):
    with pytest.raises(UsageError) as error:
        StatusSettings(**values)
    assert str(error.value).startswith(told) and "\n" not in str(error.value)


def test_the_token_is_the_first_line(tmp_path):
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\r\nmore\n", encoding="utf-8")
    assert read_token(str(file)) == TOKEN and read_token("") is None


NO_TOKENS = [b"", b"short\n", b"\n" + TOKEN.encode(), b"has spaces in it 12345",
             "ünïcödé-tökén-1234".encode(), b"\xff" * 20, b"x" * 5000]


@pytest.mark.parametrize("text", NO_TOKENS)
def test_what_is_no_token_is_told_in_one_line(tmp_path, text):
    file = tmp_path / "token"
    file.write_bytes(text)
    with pytest.raises(OutputError, match=r"^token_file .*token") as error:
        read_token(str(file))
    assert "\n" not in str(error.value)


def test_a_token_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(OutputError, match="cannot be read"):
        read_token(str(tmp_path / "none"))


def test_nobody_waits_for_who_would_write_a_token_into_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="pipe or a device"):
        read_token(str(tmp_path / "pipe"))
