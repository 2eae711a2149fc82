"""Numbers as aligned text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def slices_side_by_side(
    title: str,
    columns: Mapping[str, Mapping[str, Mapping[str, Any]]],
    kinds: Sequence[str],
    unit: str = "",
) -> tuple[list[str], list[list[Any]]]:
    """Return head and rows of a table of slices: for each column its faces and each kind.

    *columns* holds by name slices by name, each an entry with ``faces`` and the metrics
    *kinds*.  *unit* follows a kind's name in the head.  A slice that a column lacks is a dash.
    """
    names = dict.fromkeys(name for slices in columns.values() for name in slices)
    head = [title]
    for column in columns:
        head += [f"{column}: faces", *(kind.replace("_", " ") + unit for kind in kinds)]
    rows: list[list[Any]] = []
    for name in names:
        row: list[Any] = [name]
        for slices in columns.values():
            entry = slices.get(name)
            row += (
                ["-"] * (1 + len(kinds)) if entry is None
                else [entry["faces"], *(percent_interval(entry[kind]) for kind in kinds)]
            )
        rows.append(row)
    return head, rows
