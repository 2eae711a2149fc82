"""The whole of it, from an image that was downloaded to a card that was read back."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.errors import OutputError, SourceError
from scripts.flashing import build, card, firstboot, image, mounts, readonly
from scripts.flashing.partitions import BLOCK, Layout, add_data, grow_root, read_layout
from scripts.flashing.personal import Personal
from scripts.flashing.progress import bar
from scripts.flashing.system import examine

# Packages and maskgate take 1.1 GB of a Lite image's root; as much again is for its journal,
# models and updates.  A card has more, and the image makes use of it at its first start.
ROOM = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done: from *source*, whose SHA-256 is *digest*, to the file *output* or *disk*.

    *disk* is the one that somebody agreed to lose.  *wheelhouse* is a folder of wheels for the
    image, or None to download them.  *keep* is a folder for what has to be stored meanwhile.
    *read_only* gives it a third partition and a root that is written to at its first start alone.
    """

    source: Path
    digest: str
    config: Path
    personal: Personal
    output: Path | None
    disk: card.Disk | None
    wheelhouse: Path | None
    keep: Path
    first_boot: bool
    read_only: bool = False


def room_needed(source: Path, read_only: bool) -> int:
    """Return how many bytes the card, or the finished image, has."""
    data = readonly.DATA_SIZE + BLOCK if read_only else 0
    return image.unpacked_size(source) + ROOM + data


def check_space(job: Job) -> None:
    """Raise OutputError where the workstation has no room for the image while it is made."""
    needed = room_needed(job.source, job.read_only)
    free = shutil.disk_usage(job.keep).free
    if free < needed:
        raise OutputError(
            f"{job.keep}: {free / 1e9:.1f} GB are free, and {needed / 1e9:.1f} are needed; make "
            "room, or name another folder: --work FOLDER"
        )


def carry_out(
    job: Job, say: Callable[[str], None], look: Callable[[Path, int], card.Disk] = card.disk
) -> None:
    """Do *job*; on any error there is no file called like the output, and no card that starts.

    *look* says which disk is at a path, as :func:`card.disk` does.  Raises UsageError where that
    is another one than at first.
    """
    with bar("Checking the image", job.source.stat().st_size) as step:
        image.check_digest(job.source, job.digest, step)
    with _unfinished(job) as part:
        _make(job, part, say)
        if job.disk is not None:
            size = part.stat().st_size
            # In the minutes that went by, another disk may have got the card's name.
            card.check_same(job.disk, look(job.disk.path, size))
            with bar("Writing the card", size) as step:
                card.write(part, job.disk.path, step)
            with bar("Reading it back", size) as step:
                card.verify(part, job.disk.path, step)


def _make(job: Job, part: Path, say: Callable[[str], None]) -> None:
    with bar("Unpacking", image.unpacked_size(job.source)) as step, part.open("wb") as output:
        image.unpack(job.source, output, step)
    layout = read_layout(part)
    if layout.data is not None:
        raise SourceError(
            f"{job.source.name}: has three partitions, as a card that was made with --read-only; "
            "start from the image of Raspberry Pi OS"
        )
    # An unfit image is refused before the long work begins.
    with mounts.mounted(part, layout) as root:
        system = examine(root)
        if job.read_only:
            readonly.check_fit(root, system)
    say(f"The image is {system.release}, Python {system.python}")
    layout = grow_root(part, layout, layout.root.size + ROOM)
    mounts.fit_file_system(part, layout)
    if job.read_only:
        layout = _with_data(part, layout)
    with tempfile.TemporaryDirectory(dir=job.keep, prefix=".maskgate-wheels-") as work:
        wheelhouse = job.wheelhouse or Path(work)
        with mounts.mounted(part, layout) as root:
            if job.first_boot:
                firstboot.prepare(root, system, job.personal, job.config, wheelhouse)
            else:
                build.install(root, system, job.config, wheelhouse, say)
                build.personalise(root, system, job.personal)
            if job.read_only:
                readonly.prepare(root)
    mounts.check_file_systems(part, layout)


def _with_data(part: Path, layout: Layout) -> Layout:
    layout = add_data(part, layout, readonly.DATA_SIZE)
    assert layout.data is not None
    mounts.make_file_system(part, layout.data, readonly.LABEL)
    return layout


@contextmanager
def _unfinished(job: Job) -> Iterator[Path]:
    """Yield a file under another name, which becomes the output when the block ends well.

    Only its owner may read it: it holds what the configuration and the Wi-Fi keep secret.
    """
    where = job.output.parent if job.output is not None else job.keep
    name = job.output.name if job.output is not None else "card"
    try:
        handle, text = tempfile.mkstemp(dir=where, prefix=f".{name}.", suffix=".unfinished")
    except OSError as error:
        raise OutputError(f"{where}: cannot be written: {error.strerror}") from None
    os.close(handle)
    part = Path(text)
    try:
        yield part
        if job.output is not None:
            with part.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(part, job.output)
    except OSError as error:
        if isinstance(error, OutputError) or error.errno != errno.ENOSPC:
            raise
        raise OutputError(f"{where}: no space is left; make room or name --work") from None
    finally:
        part.unlink(missing_ok=True)
