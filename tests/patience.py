"""Waiting for what a thread or another program does, never for ever."""

from __future__ import annotations

import time

PATIENCE = 20.0  # seconds


def eventually(holds, patience=PATIENCE):
    """Wait until *holds* returns something true, at most *patience* s, and return that."""
    deadline = time.monotonic() + patience
    while not (found := holds()):
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)
    return found
