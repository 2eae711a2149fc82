"""The disk that becomes the card: is it the right one, and did it take what was written."""

from __future__ import annotations

import errno
import json
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from edge.errors import OutputError, UsageError
from scripts.flashing.image import CHUNK, Progress, chunks
from scripts.flashing.tools import run

_COLUMNS = "NAME,PATH,SIZE,TYPE,RM,HOTPLUG,RO,MODEL,SERIAL,TRAN,MOUNTPOINTS"
# Its first bytes are the partition table: without them no board starts from a half-written card.
_TABLE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk that may be written to, *size* bytes large, and what it is known by.

    *number* is the kernel's for its device.  *sequence* is another one each time that a disk or
    a card comes, "" where the kernel does not count (before Linux 5.15).
    """

    path: Path
    size: int
    words: str
    model: str = ""
    serial: str = ""
    number: int = 0
    sequence: str = ""


def disk(path: Path, need: int, listing: str | None = None) -> Disk:
    """Return the disk at *path*; raises UsageError unless it may take *need* bytes.

    *listing* is what ``lsblk --json --bytes`` says, for tests; by default it is asked.
    """
    number, sequence = 0, ""
    if listing is None:
        try:
            found_there = path.stat()
            if not stat.S_ISBLK(found_there.st_mode):
                raise UsageError(f"--device {path} is no disk; write to a file with --output")
            number = found_there.st_rdev
            sequence = _sequence(path, number)
        except OSError as error:
            raise UsageError(
                f"--device {path}: {error.strerror}; is the card in the reader? 'lsblk' lists disks"
            ) from None
        listing = run(["lsblk", "--json", "--bytes", "--output", _COLUMNS, str(path.resolve())])
    found: dict[str, Any] = json.loads(listing)["blockdevices"][0]
    size = int(found["size"] or 0)
    words = f"{path}, {size / 1e9:.1f} GB, {(found.get('model') or 'no name').strip()}"
    if found["type"] != "disk":
        raise UsageError(f"--device {path} is a {found['type']}; name the whole disk, as /dev/sdX")
    used = [place for part in _all(found) for place in part.get("mountpoints") or [] if place]
    if used:
        raise UsageError(f"--device {path} is in use at {', '.join(used)}; unmount it first")
    if not (found["rm"] or found["hotplug"] or str(found["name"]).startswith("mmcblk")):
        raise UsageError(
            f"--device {words}: is built in, no card; allowed: removable disks and card readers"
        )
    if found["ro"]:
        raise UsageError(f"--device {words}: is write-protected; move the card's switch")
    if size < need:
        raise UsageError(
            f"--device {words}: is too small or has no card in it, {need / 1e9:.1f} GB are needed"
        )
    return Disk(
        path, size, words, (found.get("model") or "").strip(),
        (found.get("serial") or "").strip(), number, sequence,
    )


def check_same(agreed: Disk, now: Disk) -> None:
    """Raise UsageError unless *now* is the disk that somebody *agreed* to lose."""
    if replace(now, path=agreed.path, words=agreed.words) != agreed:
        raise UsageError(
            f"--device {agreed.path}: was {agreed.words} when this began, and another disk or card "
            f"is there now ({now.words}); nothing was written, put the card back and start again"
        )


def write(source: Path, target: Path, progress: Progress) -> None:
    """Write all of *source* to *target*, its partition table last.

    So that whatever ends this leaves a card that no board starts from.  Raises OutputError.
    """
    with source.open("rb") as image, _opened(target) as card:
        try:
            table = image.read(_TABLE)
            card.write(bytes(_TABLE))
            _flush(card)
            for chunk in chunks(image):
                card.write(chunk)
                progress(len(chunk))
                _flush(card)
            card.seek(0)
            card.write(table)
            progress(len(table))
            _flush(card)
        except OSError as error:
            raise OutputError(_broke(target, error)) from None


def verify(source: Path, target: Path, progress: Progress) -> None:
    """Read *target* back past the memory; raises OutputError at the first byte that differs."""
    with source.open("rb") as image, target.open("rb", buffering=0) as card:
        place = 0
        for wanted in chunks(image):
            # Else the bytes would come from memory, and prove nothing of the card.
            os.posix_fadvise(card.fileno(), place, len(wanted), os.POSIX_FADV_DONTNEED)
            try:
                found = _read(card, len(wanted))
            except OSError as error:
                raise OutputError(_broke(target, error)) from None
            if found != wanted:
                _spoil(target)
                raise OutputError(
                    f"{target}: what was read back differs from what was written, within "
                    f"{CHUNK // 2**20} MiB after byte {place}; the card is worn out or not what it "
                    "says, use another"
                )
            place += len(wanted)
            progress(len(wanted))


def _sequence(path: Path, number: int) -> str:
    """Return the kernel's count of disks and cards at which the one at *path* came."""
    # A reader tells of another card when it is opened.
    with suppress(OSError):
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    with suppress(OSError):
        where = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/diskseq")
        return where.read_text(encoding="ascii").strip()
    return ""


def _read(card: Any, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = card.read(count - len(found))
        if not more:
            break
        found += more
    return found


def _opened(target: Path) -> BinaryIO:
    try:
        # O_EXCL on a block device: nobody has mounted it since it was looked at.
        device = stat.S_ISBLK(target.stat().st_mode)
        handle = os.open(target, os.O_RDWR | (os.O_EXCL if device else 0))
    except OSError as error:
        why = "is in use" if error.errno == errno.EBUSY else error.strerror
        raise OutputError(f"{target}: cannot be written: {why}") from None
    return os.fdopen(handle, "r+b")


def _flush(card: BinaryIO) -> None:
    card.flush()
    os.fdatasync(card.fileno())


def _spoil(target: Path) -> None:
    try:
        with target.open("r+b") as card:
            card.write(bytes(512))
    except OSError:
        return


def _broke(target: Path, error: OSError) -> str:
    return (
        f"{target}: failed in the middle ({error.strerror}), was the card pulled out? It starts no "
        "board as it is; write it again"
    )


def _all(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [found, *(one for child in found.get("children", []) for one in _all(child))]
