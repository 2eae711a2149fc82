"""Messages to the service manager, read from a real socket."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.systemd import ServiceManager, service_manager, watchdog_seconds


@pytest.fixture(params=["path", "abstract"])
def manager_socket(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    """What systemd would listen on, with a file and without."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        name = str(tmp_path / "notify")
        listener.bind(name if request.param == "path" else f"\0maskgate-test-{os.getpid()}")
        listener.settimeout(10)
        yield listener


def manager_at(listener: socket.socket) -> ServiceManager:
    name = listener.getsockname()
    address = name if isinstance(name, str) else "@" + os.fsdecode(name[1:])
    return ServiceManager(address, monotonic_ns=lambda: 12_345_678_901)


@pytest.mark.parametrize(
    ("say", "message"),
    [
        (lambda m: m.ready(), "READY=1"),
        (lambda m: m.ready("2 models, 3 outputs"), "READY=1\nSTATUS=2 models, 3 outputs"),
        (lambda m: m.status("watching"), "STATUS=watching"),
        (lambda m: m.pet(), "WATCHDOG=1"),
        (lambda m: m.reloading(), "RELOADING=1\nMONOTONIC_USEC=12345678"),
        (lambda m: m.stopping("SIGTERM"), "STOPPING=1\nSTATUS=SIGTERM"),
        (lambda m: m.extend(2.5), "EXTEND_TIMEOUT_USEC=2500000"),
    ],
)
def test_each_message_is_what_systemd_reads(
    manager_socket: socket.socket, say: object, message: str
) -> None:
    assert callable(say) and say(manager_at(manager_socket)) is True
    assert manager_socket.recv(4096).decode() == message


def test_the_time_of_a_reload_is_the_kernels_monotonic_clock(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "n"))
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        ServiceManager(str(tmp_path / "n")).reloading()
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        assert before <= int(listener.recv(4096).rpartition(b"=")[2]) <= after


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "relative/name", "@", "/"])
def test_without_a_socket_of_ours_nothing_is_sent(address: str) -> None:
    manager = ServiceManager(address)
    assert not any([manager.ready(), manager.pet(), manager.status("x"), manager.extend(1)])


@pytest.mark.parametrize("name", ["gone", "a\0b", "x" * 200])
def test_a_socket_that_cannot_be_reached_is_no_error(name: str, tmp_path: Path) -> None:
    assert not ServiceManager(f"{tmp_path}/{name}").ready()


def test_a_manager_that_does_not_read_does_not_hold_up_the_gate(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "n"))
        manager = ServiceManager(str(tmp_path / "n"))
        # The kernel queues a bounded number (net.unix.max_dgram_qlen), then the sender waits.
        assert any(not manager.pet() for _ in range(5000))


@given(st.text(max_size=2000))
def test_any_status_is_one_line_that_systemd_reads_whole(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-status"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        assert ServiceManager(str(path)).ready(text)
        lines = listener.recv(65536).decode().split("\n")
    assert lines[0] == "READY=1" and len(lines) == (2 if text.split() else 1)
    assert all(len(line.encode()) <= 500 for line in lines)


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "20000000"}, 20.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "7"}, 20.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": ""}, None),
    ],
)
def test_the_watchdog_is_read_from_the_environment(
    environ: dict[str, str], seconds: float | None
) -> None:
    assert watchdog_seconds(environ, 7) == seconds
    assert service_manager(environ, 7).watchdog == seconds


def test_the_address_is_read_from_the_environment() -> None:
    assert service_manager({"NOTIFY_SOCKET": "/run/systemd/notify"}, 1).address
    assert not service_manager({}, 1).address
