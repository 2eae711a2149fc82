"""What a run may write: never what it reads, and no two things into one file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from edge.camera.uri import parse_uri
from edge.errors import UsageError
from edge.vision.picture import PICTURE_SUFFIXES


def check_targets(
    source: str, outputs: Mapping[str, str | None], models: Mapping[str, str | None]
) -> None:
    """Raise UsageError when writing *outputs* would destroy what is read, or each other.

    *source* is what was given to ``--source``.  *outputs* and *models* map an option's name to
    its path, None where it was not given; ``-`` as an output is standard output.
    """
    uri = parse_uri(source)
    taken = {name: path for name, path in models.items() if path is not None}
    if uri.target and uri.scheme != "demo":
        taken["--source"] = uri.target
    for name, path in outputs.items():
        if path is None or path == "-":
            continue
        for other, its_path in taken.items():
            if _same(path, its_path):
                raise UsageError(
                    f"{name} {path} would overwrite {other} {its_path}; name another file"
                )
        picture = Path(path).suffix.lower() in PICTURE_SUFFIXES
        if uri.scheme == "folder" and picture and _same(Path(path).parent, uri.target):
            raise UsageError(
                f"{name} {path} is a picture's name in the folder of --source; name another file"
            )
        taken[name] = path


def _same(one: str | Path, other: str | Path) -> bool:
    try:
        # Finds links of either kind; a file that is still to be written is known by its name.
        return Path(one).samefile(other)
    except (OSError, ValueError):
        pass
    try:
        return os.path.realpath(one) == os.path.realpath(other)
    except (OSError, ValueError):
        return False
