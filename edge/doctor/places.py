"""What is at a path, told apart from what this user may not see."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Literal

Place = Literal["folder", "file", "other", "absent", "hidden"]


def place(path: Path) -> Place:
    """Return what is at *path*, links followed; ``hidden`` in a folder that may not be entered."""
    try:
        mode = os.stat(path).st_mode
    except PermissionError:
        return "hidden"
    except (OSError, ValueError):
        return "absent"
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else "other"
