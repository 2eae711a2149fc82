"""Files that are whole or not there, through errors and power cuts alike; where they go."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Literal

from edge.errors import MaskgateError, OutputError, UsageError

_NO_LINK = os.O_NOFOLLOW | os.O_CLOEXEC


class _Enough(Exception):
    """Raised to leave what is there as it is."""


def regular(path: str | Path) -> BinaryIO:
    """Open the regular file at *path* for reading bytes.

    Raises OSError where it cannot be read, and for a pipe or a device, which could keep the
    reader waiting, or reading, for ever.
    """
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is a pipe or a device")
    return file


@contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """Open a file for bytes that takes the place of *path* when the block ends well.

    Until then, and for ever when the block raises, *path* is as it was.  Raises OSError where
    it cannot be written, and for a pipe or a device: root would put a file in its place.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "it is a pipe or a device")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    # What lies there is left from a dead process, or put there by somebody who may write into
    # this folder: opened as it is, it could be a link to any file of whoever runs this.
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def opened_to_lock(path: Path) -> BinaryIO:
    """Open the regular file *path*, made where there is none, to hold a lock on it.

    Raises OSError where that cannot be, and for a link, a pipe or a device: with one of those,
    whoever may write into the folder would lead root to another file, or keep it waiting.
    """
    flags = os.O_CREAT | os.O_NONBLOCK | _NO_LINK
    try:
        handle = os.open(path, os.O_RDWR | flags, 0o666)
    except PermissionError:
        # Root made it; a lock takes no right to write.
        handle = os.open(path, os.O_RDONLY | flags, 0o666)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is a pipe or a device")
    return os.fdopen(handle, "rb")


def abandoned(path: Path) -> bool:
    """Return whether nobody holds a lock on *path*; never waits, and a link is nobody's."""
    try:
        if path.is_symlink():
            return True
        with regular(path) as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except OSError:
        return False


def write_whole(path: Path, content: bytes | str) -> None:
    """Write *content*, text as UTF-8, to *path*, whole or not at all; make its folder if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def check_writable(what: str, path: Path, *, folders: bool = False) -> None:
    """Raise OutputError unless a file at *path* can be written whole; *what*, an option, names it.

    What is at *path* stays as it is, and nothing is left beside it.  With *folders* that of *path*
    need not be there yet: the nearest one above it is tried.
    """
    with told_as(what, path):
        if path.is_dir():
            raise OutputError(f"{what}: {path} is a folder; name a file")
        place = path.absolute()
        while folders and not place.parent.exists():
            place = place.parent
        with suppress(_Enough), replaced(place):
            raise _Enough


def check_named(option: str, path: Path) -> None:
    """Raise UsageError for a *path* of *option* that is no file, or in no folder that is there.

    Raises OutputError for one that cannot be written.
    """
    with told_as(option, path):
        if path.exists() and not path.is_file():
            raise UsageError(f"{option} is {path}, which is no file; name another")
        if not path.parent.is_dir():
            raise UsageError(f"{option} is {path}, but there is no folder {path.parent}")
    check_writable(option, path)


@contextmanager
def told_as(what: str, path: Path) -> Iterator[None]:
    """Turn an OSError of the block into the OutputError that *path*, *what*, is no good."""
    try:
        yield
    except MaskgateError:
        raise
    except OSError as error:
        raise OutputError(
            f"{what}: {path} cannot be written: {error.strerror or error}; name another file, or "
            "make room"
        ) from None


def sync_folder(folder: Path) -> None:
    """Make renames in *folder* last through a power cut."""
    # A rename is on disk only when its folder is.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def given_folder(
    environ: Mapping[str, str], name: Literal["STATE_DIRECTORY", "RUNTIME_DIRECTORY"]
) -> Path | None:
    """Return the service's own folder of the kind *name*; None where systemd gave it none.

    Several come as one text with colons between them, the first being the service's own.
    """
    folder = environ.get(name, "").split(":")[0]
    return Path(folder) if folder else None


def _without_waiting(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NONBLOCK)
