"""Small reads that never fail, never block for long and never return much.

A board's facts lie in files that one kernel has and the next has not.  What cannot be read is
None; nothing here raises.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

Run = Callable[[Sequence[str]], "str | None"]
"""Runs a command and returns what it printed; None when there is none or it fails."""

_MOST_BYTES = 64 * 1024
_MOST_ENTRIES = 4096
_COMMAND_SECONDS = 2.0


def read_text(path: Path) -> str | None:
    """Return the first 64 KiB of *path* as text without its NULs and outer blanks, or None."""
    # Not Path.read_text: a thermal zone that is switched off answers EAGAIN, which Python's
    # text layer turns into a TypeError.
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        content = os.read(handle, _MOST_BYTES)
        # /proc hands out long files a page at a time.
        while len(content) < _MOST_BYTES and (more := os.read(handle, _MOST_BYTES - len(content))):
            content += more
    except OSError:
        return None
    finally:
        os.close(handle)
    return content.decode("utf-8", "replace").strip("\0 \t\r\n")


def read_strings(path: Path) -> tuple[str, ...]:
    """Return the NUL-separated strings in *path*, as a device tree holds them; () for none."""
    return tuple(part for part in (read_text(path) or "").split("\0") if part)


def read_number(path: Path, scale: float = 1.0) -> float | None:
    """Return the number in *path* times *scale*, or None."""
    text = read_text(path)
    try:
        return float(text) * scale if text else None
    except ValueError:
        return None


def read_table(path: Path, separator: str = ":") -> dict[str, str]:
    """Return ``key: value`` lines of *path*; a key that comes twice keeps its first value."""
    table: dict[str, str] = {}
    for line in (read_text(path) or "").splitlines():
        key, found, value = line.partition(separator)
        if found:
            table.setdefault(key.strip(), value.strip().strip('"'))
    return table


def list_folder(path: Path, start: str = "") -> tuple[Path, ...]:
    """Return what *path* holds whose name begins with *start*, numbers in order; () for none."""
    try:
        found = [entry for entry in path.iterdir() if entry.name.startswith(start)]
    except OSError:
        return ()
    return tuple(sorted(found, key=_by_number)[:_MOST_ENTRIES])


def run_command(command: Sequence[str]) -> str | None:
    """Return what *command* prints within 2 seconds, or None when it is missing or fails."""
    program = shutil.which(command[0])
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_COMMAND_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout[:_MOST_BYTES].decode("utf-8", "replace").strip()


def _by_number(path: Path) -> tuple[str, int]:
    stem = path.name.rstrip("0123456789")
    return stem, int(path.name[len(stem) :] or -1)
