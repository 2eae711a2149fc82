"""Numbers as aligned text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def aligned(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return *rows* under *head* in aligned columns: the first to the left, the rest right."""
    cells = [list(head), *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = []
    for row in cells:
        first = row[0].ljust(widths[0])
        rest = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([first, *rest]).rstrip())
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def percent(value: float | None, digits: int = 1) -> str:
    """Return *value*, 0 to 1, as a percentage; a dash for None."""
    return "-" if value is None else f"{100 * value:.{digits}f}"


def percent_interval(entry: dict[str, Any], digits: int = 1) -> str:
    """Return ``value [low, high]`` in percent of a metric with a bootstrap interval."""
    text = percent(entry["value"], digits)
    if entry.get("low") is None:
        return text
    return f"{text} [{percent(entry['low'], digits)}, {percent(entry['high'], digits)}]"
