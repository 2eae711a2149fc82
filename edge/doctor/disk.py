"""The disk: room, file names left, writable, and without errors."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from edge.board.facts import read_board
from edge.board.reading import list_folder, read_number, read_text
from edge.doctor.context import Context
from edge.doctor.finding import Finding, failure, ok, skipped, together, warning
from edge.doctor.past import state_environ
from edge.files import given_folder
from edge.journal.settings import SERVICE_FOLDER

# Below this SQLite and the model store cannot write at all.
_LEAST_MIB = 20.0
_LEAST_FILES = 200
# Room for the kept models, for updates of the system, and for a log.
_SPARE_MIB = 150.0
_TROUBLE = re.compile(
    r"mmc\d+: .*(error|timeout)|I/O error|EXT4-fs error|Remounting filesystem read-only", re.I
)
_GONE_AT_RESTART = ("tmpfs", "ramfs", "overlay")


@dataclass(frozen=True, slots=True)
class Room:
    """What is left at a place: *mib* free of *whole* MiB, how many more *files* (None: no end),
    and whether it can be written at all."""

    mib: float
    whole: float
    files: int | None
    writable: bool


def check_disk(ctx: Context) -> Finding:
    """Room and rights where the gate writes, and what the card's errors say."""
    config = ctx.settings()
    folder = given_folder(state_environ(ctx), "STATE_DIRECTORY") or ctx.root
    needed = _SPARE_MIB + (config.journal.max_megabytes if config.journal.enabled else 0)
    parts = [judge_room(str(folder), read_room(folder), needed)]
    kind = file_system(read_text(ctx.root / "proc/mounts") or "", folder)
    if kind in _GONE_AT_RESTART and not read_board(ctx.root, ctx.run).surroundings:
        parts.append(warning(
            f"{folder} is on {kind}: journal and models are gone at the next start",
            f"keep {SERVICE_FOLDER} on a partition of its own that is written to",
        ))
    return together(*parts, *_errors(ctx))


def read_room(folder: Path) -> Room | None:
    """Return what is left at *folder*, or at the nearest folder above that exists."""
    for place in (folder, *folder.parents):
        try:
            told = os.statvfs(place)
        except OSError:
            continue
        mib = told.f_frsize / 2**20
        return Room(
            told.f_bavail * mib, told.f_blocks * mib,
            # Some file systems make as many as there is room for, and say 0.
            told.f_favail if told.f_files else None,
            not told.f_flag & os.ST_RDONLY,
        )
    return None


def judge_room(where: str, room: Room | None, needed: float) -> Finding:
    """Return what to say of the *room* at *where*, of which *needed* MiB are wanted."""
    if room is None:
        return skipped(f"{where} cannot be looked at by this user", "use sudo")
    words = f"{where}: {room.mib:.0f} of {room.whole:.0f} MiB free"
    if not room.writable:
        return failure(
            f"{where} is read-only",
            "after errors the system makes it so: look at 'dmesg', and replace the card",
        )
    if room.mib < _LEAST_MIB:
        return failure(words, "make room: sudo apt clean; sudo journalctl --vacuum-size=50M")
    if room.files is not None and room.files < _LEAST_FILES:
        return failure(f"{where}: only {room.files} more files fit", "delete many small files")
    if room.mib < needed:
        return warning(f"{words}; {needed:.0f} are wanted", "make room, or take a larger card")
    return ok(words)


def file_system(mounts: str, folder: Path) -> str:
    """Return the kind of file system that holds *folder*, by the text of /proc/mounts."""
    best, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        place = Path(fields[1].replace("\\040", " "))
        if (place == folder or place in folder.parents) and len(str(place)) >= len(best):
            best, kind = str(place), fields[2]
    return kind


def kernel_troubles(log: str) -> tuple[str, ...]:
    """Return the lines of the kernel's *log* that tell of a failing card, the newest last."""
    return tuple(line.strip() for line in log.splitlines() if _TROUBLE.search(line))


def _errors(ctx: Context) -> list[Finding]:
    parts = []
    for system in list_folder(ctx.root / "sys/fs/ext4"):
        count = read_number(system / "errors_count")
        if count:
            parts.append(warning(
                f"{system.name} has had {count:.0f} errors", "check it (fsck), and replace the card"
            ))
    log = ctx.ask(("dmesg", "--level", "emerg,alert,crit,err,warn"), 5.0)
    if not log.good:
        log = ctx.ask(
            ("journalctl", "-k", "-b", "-p", "warning", "-n", "2000", "-o", "cat", "-q"), 5.0
        )
    if log.good:
        found = kernel_troubles(log.text)
        if found:
            parts.append(warning(
                f"the kernel told of {len(found)} errors of a disk, last: {found[-1][:120]}",
                "copy what you need, and replace the card",
            ))
    return parts
