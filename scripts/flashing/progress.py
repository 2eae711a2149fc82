"""A progress bar on standard error, where somebody watches; a line where nobody does."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from scripts.flashing.image import Progress

_WIDTH = 30
_PAUSE = 0.2  # seconds


@contextmanager
def bar(label: str, total: int) -> Iterator[Progress]:
    """Show *label* and how much of *total* bytes is done, as the function is told."""
    watched = sys.stderr.isatty()
    done, began, last = 0, time.monotonic(), 0.0

    def show() -> None:
        share = min(1.0, done / total) if total else 1.0
        speed = done / max(time.monotonic() - began, 0.001) / 1e6
        filled = "#" * round(share * _WIDTH)
        sys.stderr.write(f"\r{label} [{filled:<{_WIDTH}}] {share:4.0%} {speed:5.0f} MB/s ")
        sys.stderr.flush()

    def step(count: int) -> None:
        nonlocal done, last
        done += count
        if watched and time.monotonic() - last >= _PAUSE:
            last = time.monotonic()
            show()

    if not watched:
        sys.stderr.write(f"{label}\n")
    try:
        yield step
    finally:
        if watched:
            show()
            sys.stderr.write("\n")
