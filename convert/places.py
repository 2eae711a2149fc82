"""Where a conversion writes: each file of its own, and none that it reads."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from edge.errors import UsageError

Named = tuple[str, Path | None]


def card_path(model: Path) -> Path:
    """Return where the card that a person reads lies: beside the *model* file."""
    return model.with_suffix(".md")


def report_paths(report: Path) -> tuple[Path, Path]:
    """Return the Markdown and the JSON of the parity report *report*, a path without ending.

    Raises UsageError when it names no file.
    """
    if report.name in ("", ".."):
        raise UsageError(f"--report is {report}; a file's name without ending is needed")
    # Not with_suffix: of parity-1.2 that takes the 2 for an ending.
    return report.with_name(f"{report.name}.md"), report.with_name(f"{report.name}.json")


def check_ending(out: Path, ending: str) -> None:
    """Raise UsageError unless *out* is a name that ends in *ending*, such as ``.tflite``."""
    if out.suffix != ending:
        raise UsageError(
            f"--out is {out}; a name that ends in {ending} is needed, such as "
            f"{out.stem or 'new'}{ending}"
        )


def check_apart(outputs: Iterable[tuple[str, Path]], inputs: Iterable[Named]) -> None:
    """Raise UsageError where one of *outputs* is another one of them, or one of *inputs*.

    Both say for each path, None for one that is not given, what it is.
    """
    taken = {os.path.realpath(path): name for name, path in inputs if path is not None}
    for name, path in outputs:
        other = taken.setdefault(os.path.realpath(path), name)
        if other != name:
            raise UsageError(
                f"{name} would be written over {other}: both are {path}; name another file"
            )
