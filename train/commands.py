"""What the commands of ``python -m train`` share: options, files that are written, progress."""

from __future__ import annotations

import errno
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from edge.errors import MaskgateError, OutputError, UsageError

# What the operating system says of a folder that took files a while and then takes no more.
_NO_MORE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)

MOST_SEED = 2**32 - 1
"""The largest seed that NumPy's older generator takes, which Keras sets too."""


def path_option(*names: str, **options: Any) -> Any:
    """Return an option that is a path."""
    return click.option(*names, type=click.Path(path_type=Path), **options)


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Make *out*, and tell of what cannot be written there by an OutputError that names it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise OutputError(
            f"--out {out}: cannot be written ({error.strerror or error}); name another folder"
        ) from error
    try:
        yield
    except MaskgateError:
        # Some are an OSError too, and say better what is wrong.
        raise
    except OSError as error:
        if error.errno not in _NO_MORE and not _lies_in(error.filename, out):
            raise
        raise OutputError(
            f"--out {out}: cannot be written ({error.strerror or error}); make room or name "
            "another folder; the same command goes on after the last whole epoch"
        ) from error


def _lies_in(name: Any, folder: Path) -> bool:
    return isinstance(name, (str, Path)) and folder in (Path(name), *Path(name).parents)


Seeded = TypeVar("Seeded", bound=Any)


def seed_option(text: str) -> Any:
    """Return the option ``--seed`` with the help *text*."""
    return click.option("--seed", type=click.IntRange(0, MOST_SEED), help=text)


def seeded(settings: Seeded, seed: int | None) -> Seeded:
    """Return *settings*, a dataclass with a ``seed``, with *seed* where one is given.

    Raises UsageError when the settings' own is none that a generator takes.
    """
    if seed is not None:
        return replace(settings, seed=seed)
    if not 0 <= settings.seed <= MOST_SEED:
        raise UsageError(f"seed is {settings.seed}; allowed is 0 to {MOST_SEED}")
    return settings


def released(kind: Any) -> Path:
    """Return the path of the released model of *kind*."""
    from edge.modelfile import released_model

    return released_model(kind)


def progress(entries: Any) -> Any:
    """Return *entries* with a progress bar, where somebody looks."""
    from tqdm import tqdm

    return tqdm(entries, disable=None, leave=False)


def command_line() -> str:
    """Return the command as it was typed, for records."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    chosen = [] if backend == "tensorflow" else [f"KERAS_BACKEND={backend}"]
    return shlex.join([*chosen, "python", "-m", "train", *sys.argv[1:]])
