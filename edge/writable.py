"""Whether a file can be written, found out before the work that fills it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.errors import MaskgateError, OutputError
from edge.files import replaced


class _Enough(Exception):
    """Raised to leave what is there as it is."""


def check_writable(option: str, path: Path) -> None:
    """Raise OutputError unless a file at *path*, given to *option*, can be written whole.

    What is at *path* stays as it is, and nothing is left beside it.
    """
    with told_as(option, path):
        if path.is_dir():
            raise OutputError(f"{option}: {path} is a folder; name a file")
        with suppress(_Enough), replaced(path):
            raise _Enough


@contextmanager
def told_as(option: str, path: Path) -> Iterator[None]:
    """Turn an OSError of the block into the OutputError that *path* of *option* is no good."""
    try:
        yield
    except MaskgateError:
        raise
    except OSError as error:
        raise OutputError(
            f"{option}: {path} cannot be written: {error.strerror or error}; name another file"
        ) from None
