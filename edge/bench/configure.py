"""Writing the measured thread count into a configuration without touching anything else in it."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge.errors import OutputError, UsageError
from edge.files import replaced

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_HEADER = re.compile(r"^[ \t]*\[[ \t]*models[ \t]*\][ \t]*(#.*)?$")
_OTHER_HEADER = re.compile(r"^[ \t]*\[")
_THREADS = re.compile(r"^([ \t]*threads[ \t]*=[ \t]*)([0-9_]+)(.*)$")
_BY_HAND = "write the line into it yourself"


def write_threads(path: Path, threads: int) -> bool:
    """Set ``[models] threads`` to *threads* in the TOML file at *path*; return whether it changed.

    Comments, order and every other key stay as they are, and so do the file's owner, group and
    rights; it is replaced whole.
    Raises UsageError for what is no TOML or cannot be edited safely, OutputError for a file
    that cannot be read or written.
    """
    path = Path(os.path.realpath(path))
    try:
        before = path.read_bytes().decode()
        whose = path.stat()
    except OSError as error:
        raise OutputError(
            f"--write-config: {path} cannot be read: {error.strerror or error}; make it with "
            "maskgate config default"
        ) from None
    except UnicodeDecodeError:
        raise UsageError(f"--write-config: {path} is no UTF-8 text; save it as UTF-8") from None
    after = with_threads(before, threads, str(path))
    if after == before:
        return False
    try:
        with _nobody_elses(), replaced(path) as file:
            _give(file.fileno(), whose)
            file.write(after.encode())
    except OSError as error:
        raise OutputError(
            f"--write-config: {path} cannot be written: {error.strerror or error}; use sudo, or "
            "name a copy"
        ) from None
    return True


@contextmanager
def _nobody_elses() -> Iterator[None]:
    """Let files that are made in the block be for their owner alone.

    Whoever opens one before its rights are set reads later what is written into it.
    """
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _give(file: int, whose: os.stat_result) -> None:
    """Give the open *file* owner, group and rights of *whose*; raises OSError."""
    now = os.fstat(file)
    # The service would not start with a configuration that it may not read.
    if (now.st_uid, now.st_gid) != (whose.st_uid, whose.st_gid):
        os.fchown(file, whose.st_uid, whose.st_gid)
    os.fchmod(file, stat.S_IMODE(whose.st_mode))


def with_threads(text: str, threads: int, name: str = "the configuration") -> str:
    """Return the TOML *text* with ``[models] threads`` set to *threads*, all else as it is.

    Raises UsageError when *text* is no TOML, or keeps that key where a line cannot be edited.
    """
    wanted = _parsed(text, name)
    models = wanted.setdefault("models", {})
    if not isinstance(models, dict):
        raise UsageError(f"{name}: models is no table; {_BY_HAND}: [models] threads = {threads}")
    models["threads"] = threads
    edited = _edited(text, threads)
    # Lines that look like keys may be inside a text of several lines; only the parser knows.
    try:
        right = tomllib.loads(edited) == wanted
    except tomllib.TOMLDecodeError:
        right = False
    if not right:
        raise UsageError(
            f"{name} keeps [models] in a way that cannot be edited safely; {_BY_HAND}: "
            f"threads = {threads}"
        )
    return edited


def _parsed(text: str, name: str) -> dict[str, Any]:
    try:
        return dict(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name} is no TOML: {error}; mend it first") from None


def _edited(text: str, threads: int) -> str:
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    header = next((i for i, line in enumerate(lines) if _HEADER.match(line.rstrip("\r\n"))), None)
    if header is None:
        gap = "" if not text else end if text.endswith(("\n", "\r")) else end + end
        return f"{text}{gap}[models]{end}threads = {threads}{end}"
    for i in range(header + 1, len(lines)):
        line = lines[i].rstrip("\r\n")
        if _OTHER_HEADER.match(line):
            break
        found = _THREADS.match(line)
        if found:
            rest = lines[i][len(line) :]
            lines[i] = f"{found.group(1)}{threads}{found.group(3)}{rest}"
            return "".join(lines)
    if not lines[header].endswith(("\n", "\r")):
        lines[header] += end
    lines.insert(header + 1, f"threads = {threads}{end}")
    return "".join(lines)
