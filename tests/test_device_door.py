"""The network camera that the device test plays."""

from __future__ import annotations

import socket

import pytest

from tests.device import door
from tests.device.door import NOBODY, Door


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = int(free.getsockname()[1])
    monkeypatch.setattr(door, "PORT", number)
    return number


def test_its_port_is_free_for_the_next_board_once_it_has_ended(port: int) -> None:
    for _ in range(3):
        camera = Door({NOBODY: []})
        with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
            line.sendall(b"OPTIONS rtsp://door RTSP/1.0\r\nCSeq: 1\r\n\r\n")
            assert line.recv(100).startswith(b"RTSP/1.0 200")
        camera.close()
