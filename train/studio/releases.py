"""Releases: models that somebody promoted, each in a folder that appears whole and stays as it is.

``RUNS/releases/KIND-VERSION/`` holds the model file, which has its signature inside, its card,
``release.json``, and checksums for ``sha256sum --check``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.errors import MaskgateError, ModelError, OutputError, UsageError
from edge.files import sync_folder
from edge.modelfile import RELEASED_NAMES, Kind, read_model, released_model

FOLDER = "releases"
FACTS_NAME = "release.json"
SUMS_NAME = "SHA256SUMS"
LARGEST_FACTS = 65536
MOST_RELEASES = 200
LONGEST_NOTES = 20_000
"""Letters."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What ``release.json`` tells of a release.

    *sha256* is of the model file.  *released* is the time, UTC, ISO 8601; *run* the folder it was
    promoted from.  *key* is the id of the key that signed it and *public* that key, both "" where
    nobody did.  *notes* are the words of whoever promoted it.
    """

    kind: Kind
    version: int
    name: str
    sha256: str
    released: str
    run: str
    key: str = ""
    public: str = ""
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """A release's *folder* and what it tells of itself."""

    folder: Path
    facts: Facts

    @property
    def model(self) -> Path:
        return self.folder / RELEASED_NAMES[self.facts.kind]

    @property
    def card(self) -> Path:
        return self.model.with_suffix(".md")

    @property
    def title(self) -> str:
        return f"{self.facts.kind} {self.facts.version}"


def folder_of(runs: Path, kind: Kind, version: int) -> Path:
    """Return where *version* of *kind* lies, or would lie, below the folder *runs*."""
    return runs / FOLDER / f"{kind}-{version}"


def list_releases(runs: Path) -> list[Release]:
    """Return the releases below *runs*, those of the last promotion first; at most 200.

    A folder that is not wholly a release is passed over.
    """
    found = [release for path in sorted((runs / FOLDER).glob(f"*/{FACTS_NAME}"))[:MOST_RELEASES]
             if (release := _read(path)) is not None]
    return sorted(found, key=lambda r: (r.facts.released, r.facts.version), reverse=True)


def newest_version(runs: Path, kind: Kind) -> int:
    """Return the highest version of *kind* among the released one and those promoted in *runs*.

    Raises ModelError where no model came with maskgate.
    """
    promoted = [r.facts.version for r in list_releases(runs) if r.facts.kind == kind]
    return max(read_model(released_model(kind), kind).card.version, *promoted, 0)


def check_version(runs: Path, kind: Kind, version: int) -> None:
    """Raise UsageError, in words, unless *version* is above every one of *kind* so far."""
    if folder_of(runs, kind, version).exists():
        raise UsageError(
            f"{kind} {version} is released already; a release is never replaced: give "
            f"{newest_version(runs, kind) + 1} or more"
        )
    newest = newest_version(runs, kind)
    if version <= newest:
        raise UsageError(
            f"version is {version}, and {kind} {newest} is released; versions only grow: give "
            f"{newest + 1} or more"
        )


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """Give an empty folder, which becomes *folder* when the block ends well and vanishes if not.

    Raises UsageError when *folder* is there by then, OutputError when it cannot be written.
    """
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True, exist_ok=True)
        yield temporary
        sync_folder(temporary)
        temporary.rename(folder)
        sync_folder(folder.parent)
    except MaskgateError:
        raise
    except OSError as error:
        if folder.exists():
            raise UsageError(f"{folder.name} is released already; give a higher version") from error
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror or error}); make room"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def trouble_of(release: Release, sha256: str) -> str:
    """Return what is wrong with *release*, whose model file has *sha256* now; "" for nothing."""
    if not sha256:
        return "its model file is missing or damaged"
    return "" if sha256 == release.facts.sha256 else "its model file was changed after the release"


def _read(path: Path) -> Release | None:
    try:
        if path.stat().st_size > LARGEST_FACTS:
            return None
        facts = msgspec.json.decode(path.read_bytes(), type=Facts)
    except (OSError, msgspec.DecodeError):
        return None
    release = Release(path.parent, facts)
    # A hidden one is not whole yet, or was cut off.
    whole = not path.parent.name.startswith(".") and release.model.is_file()
    return release if whole else None


def model_sha256(path: Path) -> str:
    """Return the SHA-256 of the model file at *path*, "" where it is none."""
    try:
        return read_model(path).sha256
    except (ModelError, OSError):
        return ""
