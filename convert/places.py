"""Where a conversion writes: each file of its own, and none that it reads."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.errors import OutputError, UsageError

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


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what keeps *path* from being written inside the block into OutputError that names it."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; check the folder and the space left"
        ) from error


def check_writable(path: Path) -> None:
    """Raise OutputError where no file could be put at *path*; nothing is left behind.

    Its folder need not be there yet: then one above it is tried.
    """
    with writing(path):
        if path.is_dir():
            raise OSError(errno.EISDIR, "it is a folder")
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "it is a pipe or a device")
        folder = path.absolute().parent
        while not folder.exists():
            folder = folder.parent
        # Tried, not asked: root may do everything, but not in /proc or on a read-only disk.
        with tempfile.TemporaryFile(dir=folder):
            pass


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
