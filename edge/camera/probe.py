"""Asking the file system what a name stands for, without a traceback for names it refuses."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Literal

from edge.errors import SourceError

PathKind = Literal["absent", "folder", "file", "other"]


def path_kind(path: str | Path) -> PathKind:
    """Return what *path* is; a name that no file can have is absent.

    Raises SourceError when it cannot be found out, as in a folder that may not be entered.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return "folder"
        if path.is_file():
            return "file"
        return "other" if path.exists() else "absent"
    except ValueError:
        return "absent"
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return "absent"
        raise SourceError(
            f"{path}: cannot be looked at ({error.strerror or error}); check the permissions of "
            "its folders"
        ) from None
