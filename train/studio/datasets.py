"""Which folders hold data sets: below the roots that were named at the start, and only there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from edge.errors import UsageError
from train.data.folders import is_folder_per_class

Layout = Literal["faces", "pictures", "folders", "voc"]
_DEEPEST = 2
_MOST_FOLDERS = 400


def layout_of(folder: Path) -> Layout | None:
    """Return what kind of data set lies in *folder* itself, None for none that is known."""
    if is_folder_per_class(folder):
        return "folders"
    if all((folder / f"{side}.csv").is_file() for side in ("train", "val")):
        return "faces"
    if all((folder / f"{side}.json").is_file() for side in ("train", "val")):
        return "pictures"
    if any(folder.glob("*.xml")) or (folder / "Annotations").is_dir():
        return "voc"
    if len(list(folder.glob("*.csv"))) == 1:
        return "faces"
    return None


def list_datasets(roots: Sequence[Path]) -> dict[str, Path]:
    """Return the data sets in *roots* and two levels below, by the name a visitor sees.

    Links are not followed out of a root.
    """
    found: dict[str, Path] = {}
    for root in roots:
        home = root.resolve()
        for folder in _folders(home):
            if folder.is_relative_to(home) and layout_of(folder) is not None:
                inner = folder.relative_to(home).as_posix()
                found[home.name if inner == "." else f"{home.name}/{inner}"] = folder
    return found


def chosen_dataset(roots: Sequence[Path], name: str) -> Path:
    """Return the data set that is shown as *name*; raises UsageError where none is."""
    found = list_datasets(roots)
    if name not in found:
        raise UsageError(
            f"{name[:80]!r} is no data set here; allowed are {', '.join(found) or 'none: --data'}"
        )
    return found[name]


def _folders(root: Path) -> list[Path]:
    level, everything = [root], [root]
    for _ in range(_DEEPEST):
        below: list[Path] = []
        for folder in level:
            try:
                inner = sorted(p.resolve() for p in folder.iterdir() if p.is_dir())
            except OSError:
                continue
            below += [p for p in inner if not p.name.startswith(".")]
        level = below
        everything += below
        if len(everything) > _MOST_FOLDERS:
            break
    return everything[:_MOST_FOLDERS]
