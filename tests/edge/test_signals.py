"""What asks a gate to stop is heard while it waits, too, and with the right exit code."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import edge
from edge.signals import INTERRUPTED, TERMINATED, Signals, Stopped

ROOT = Path(edge.__file__).parents[1]


@pytest.mark.parametrize(
    ("number", "reason"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED)]
)
def test_a_wish_to_stop_ends_what_cannot_be_asked(number, reason):
    with Signals() as signals, pytest.raises(Stopped), signals.at_once():
        os.kill(os.getpid(), number)
        time.sleep(5)
    assert signals.reason == reason


def test_what_was_asked_before_ends_it_at_once_and_nothing_is_raised_afterwards():
    with Signals() as signals:
        with signals.at_once():
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.reason == TERMINATED
        with pytest.raises(Stopped), signals.at_once():
            pytest.fail("waited all the same")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_camera_that_never_answers_keeps_nobody_from_stopping(number, code):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/live"
        process = subprocess.Popen(
            [sys.executable, "-m", "edge", "run", "--no-pins", "--source", address],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        )
        silent.settimeout(60)
        connection, _ = silent.accept()
        process.send_signal(number)
        told, _ = process.communicate(timeout=60)
        connection.close()
    assert process.returncode == code, told
    assert "Nothing was watched: stopped by" in told and "Traceback" not in told
