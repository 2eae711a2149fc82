"""``maskgate`` and ``python -m edge``: the program, from its start to its end."""

from __future__ import annotations

import os
import sys
import threading

# A thread that is told to end does so when what it waits for answers: a camera, a disk.
_GRACE = 1.0  # seconds, for each thread


def program() -> None:
    """Run what was typed, and end with its exit code."""
    try:
        main()
    except SystemExit as ended:
        _leave(ended.code)
        raise


def main() -> None:
    """Run what was typed."""
    try:
        # Only here, so that Ctrl-C while all of it is loaded, seconds on a Pi, is no traceback.
        from edge.cli import main as command
    except KeyboardInterrupt:
        print("maskgate: stopped", file=sys.stderr)
        sys.exit(130)
    command()


def _leave(code: object) -> None:
    """End at once if a thread is still in a library's hands.

    Python ends such a thread where it stands when the interpreter goes, and C++ calls that a
    crash (CPython issue 87135): SIGABRT, with "terminate called without an active exception",
    in place of the exit code.
    """
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(_GRACE)
    if threading.active_count() > 1:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                continue  # nobody is left to take it
        os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    program()
