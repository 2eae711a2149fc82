"""Which folders hold data sets: below the roots that were named at the start, and only there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge.errors import UsageError
from train.data.folders import is_folder_per_class

Layout = Literal["faces", "pictures", "folders", "voc"]
_DEEPEST = 2
_MOST_FOLDERS = 400


@dataclass(frozen=True, slots=True)
class Datasets:
    """Data sets by the name a visitor sees, and the names of those *left_out* as no UTF-8."""

    named: Mapping[str, Path]
    left_out: tuple[str, ...] = ()


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


def is_split_by_seed(folder: Path, split: str) -> bool:
    """Tell whether a training's seed decides which faces of *folder* are its *split*.

    So it is with ``val`` where the data set brings no file of that name.
    """
    return split == "val" and not any((folder / f"val.{end}").is_file() for end in ("csv", "json"))


def find_datasets(roots: Sequence[Path]) -> Datasets:
    """Return what data sets lie in *roots* and two levels below.

    Links are not followed out of a root.
    """
    named: dict[str, Path] = {}
    left_out: list[str] = []
    for root in roots:
        home = root.resolve()
        for folder in _folders(home):
            if folder.is_relative_to(home) and layout_of(folder) is not None:
                inner = folder.relative_to(home).as_posix()
                name = home.name if inner == "." else f"{home.name}/{inner}"
                if is_text(str(folder)):
                    named[name] = folder
                else:
                    left_out.append(name.encode("utf-8", "backslashreplace").decode("utf-8"))
    return Datasets(named, tuple(left_out))


def list_datasets(roots: Sequence[Path]) -> dict[str, Path]:
    """Return the data sets that may be chosen below *roots*, by the name a visitor sees."""
    return dict(find_datasets(roots).named)


def is_text(name: str) -> bool:
    """Tell whether *name* can be shown: a file's name may be any bytes, and then it is no UTF-8."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


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
