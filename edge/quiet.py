"""Keeping what native libraries print away from what the user has to read.

OpenCV, FFmpeg, libjpeg and TFLite write to file descriptor 2 behind Python's back: "moov atom
not found", "Created XNNPACK delegate".  maskgate says in one line of its own what went wrong.
"""

from __future__ import annotations

import faulthandler
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

DEBUG = "MASKGATE_DEBUG"
"""Environment variable; set to 1, it shows tracebacks and what the libraries print."""


def debugging() -> bool:
    """Return whether the user asked for tracebacks."""
    return os.environ.get(DEBUG, "") not in ("", "0")


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Let only Python write to standard error while inside; everything when debugging."""
    try:
        ours = sys.stderr.fileno() == 2
    except (AttributeError, OSError, ValueError):
        ours = False
    # Where a test or a host program has put something else in place of standard error, what
    # libraries print cannot reach it anyway.
    if not ours or debugging():
        yield
        return
    before = sys.stderr
    before.flush()
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = os.fdopen(os.dup(saved), "w", buffering=1, errors="backslashreplace")
    # Where the program hung or crashed, when systemd or a person asks for that
    # (PYTHONFAULTHANDLER=1), is not one of the things to keep quiet about.
    traced = faulthandler.is_enabled()
    if traced:
        faulthandler.enable(file=sys.stderr)
    try:
        yield
    finally:
        replaced, sys.stderr = sys.stderr, before
        if traced:
            faulthandler.enable(file=before)
        # What a full or closed standard error cannot take is lost either way.
        with suppress(OSError):
            replaced.close()
        os.dup2(saved, 2)
        os.close(saved)
