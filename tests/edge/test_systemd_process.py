"""The protocol as systemd sees it: a real process, a real socket, and what arrives in which order.

The child runs a main loop of scripted turns with a clock of its own, so that ten minutes pass at
once; what is real is the process, its environment, the socket and the messages.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CHILD = """
import os, sys
from edge.heartbeat import Heartbeat, HeartbeatSettings
from edge.systemd import service_manager

manager = service_manager(os.environ, os.getpid())
heart = Heartbeat(HeartbeatSettings(camera_patience_seconds=60), manager.watchdog)
manager.ready("watching")
now = 0.0
for part in sys.argv[1].split(","):
    what, _, seconds = part.partition(":")
    manager.status(part)
    for _ in range(int(float(seconds) / 0.5)):
        now += 0.5
        if what == "hang":
            continue
        if what == "reload":
            manager.reloading("reading gate.toml")
            manager.ready("gate.toml is read")
            continue
        pet = {"frame": heart.frame, "fault": heart.fault, "waiting": heart.waiting}[what](now)
        if pet:
            manager.pet()
manager.stopping("stopped by SIGTERM")
print("ended")
"""


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "notify"))
        bound.settimeout(20)
        yield bound


def gate(script: str, listener: socket.socket | None, **environ: str) -> list[str]:
    """Run the child; return the messages that came, those of a reload on one line."""
    if listener is not None:
        environ["NOTIFY_SOCKET"] = str(listener.getsockname())
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, script],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as child:
        messages: list[str] = []
        # Read while it runs: the kernel queues only few datagrams.
        while listener is not None and not any("STOPPING" in m for m in messages):
            messages.append(listener.recv(4096).decode().replace("\n", " "))
        out, errors = child.communicate(timeout=20)
    assert (out, errors, child.returncode) == ("ended\n", "", 0)
    return messages


def pets_by_part(messages: list[str]) -> dict[str, int]:
    """Return how many pets came in each part of the script."""
    counts: dict[str, int] = {}
    for message in messages:
        if message.startswith("STATUS="):
            part = message.removeprefix("STATUS=")
            counts[part] = 0
        elif message == "WATCHDOG=1":
            counts[part] += 1
    return counts


def test_frames_pet_four_times_in_a_period_and_a_hang_never(listener: socket.socket) -> None:
    messages = gate("frame:20,hang:100,frame:20.5", listener, WATCHDOG_USEC="20000000")
    assert messages[0] == "READY=1 STATUS=watching"
    assert messages[-1] == "STOPPING=1 STATUS=stopped by SIGTERM"
    assert pets_by_part(messages) == {"frame:20": 4, "hang:100": 0, "frame:20.5": 5}


def test_a_camera_that_stays_away_is_petted_for_a_minute_and_then_left_to_systemd(
    listener: socket.socket,
) -> None:
    messages = gate("waiting:30,fault:31,fault:200,frame:1", listener, WATCHDOG_USEC="20000000")
    assert pets_by_part(messages) == {"waiting:30": 6, "fault:31": 7, "fault:200": 0, "frame:1": 1}


def test_a_reload_is_begun_and_ended_with_the_time_between(listener: socket.socket) -> None:
    messages = gate("reload:0.5", listener)
    begun, ended = messages[2:4]
    assert begun.startswith("RELOADING=1 MONOTONIC_USEC=") and begun.endswith("=reading gate.toml")
    assert ended == "READY=1 STATUS=gate.toml is read"


@pytest.mark.parametrize(
    "environ",
    [{}, {"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"}],
    ids=["no watchdog", "the watchdog of another process"],
)
def test_what_is_not_asked_for_is_not_sent(
    listener: socket.socket, environ: dict[str, str]
) -> None:
    assert "WATCHDOG=1" not in gate("frame:60", listener, **environ)


@pytest.mark.parametrize("address", ["", "/nowhere/notify", "@maskgate-nobody-listens"])
def test_without_a_manager_the_gate_works_all_the_same(address: str) -> None:
    assert gate("frame:60", None, NOTIFY_SOCKET=address, WATCHDOG_USEC="20000000") == []
