"""Where the journal and the evidence pictures are kept, and how much of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.errors import UsageError
from edge.files import given_folder

VERDICTS = ("mask", "no_mask", "incorrect", "unsure")
SHOWS = ("face", "frame")

SERVICE_FOLDER = Path("/var/lib/maskgate")
"""What systemd makes of ``StateDirectory=maskgate``: where to look when nothing else is said."""


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """What is kept of what happened.

    enabled        whether there is a journal at all; default true
    file           its SQLite file; the folder must exist. Default "": journal.db in the state
                   directory that systemd gives the service ($STATE_DIRECTORY), and no journal
                   where there is none, as when maskgate is run by hand
    max_days       older events are deleted, within ten minutes; default 90, 1 to 3660.
                   A longer time shows more history, and keeps more about people
    max_megabytes  the oldest events are deleted before the files grow beyond this, in MiB,
                   SQLite's own side files included; default 50 (some 350,000 events), 2 to 10000

    Raises UsageError for a value outside its range.
    """

    enabled: bool = True
    file: str = ""
    max_days: int = 90
    max_megabytes: int = 50

    def __post_init__(self) -> None:
        _check("max_days", self.max_days, 1, 3660)
        _check("max_megabytes", self.max_megabytes, 2, 10_000)


@dataclass(frozen=True, slots=True)
class PictureSettings:
    """Which evidence pictures are kept; none unless somebody switches them on.

    enabled       whether pictures are stored; default false
    folder        where; made, for this user alone, if it does not exist. Default "": evidence
                  in $STATE_DIRECTORY. Other files in it are left alone
    verdicts      a picture is taken when a person is judged to be one of these: mask, no_mask,
                  incorrect, unsure; default no_mask and incorrect
    show          "face", cut out with the margin, or "frame", the whole picture; default face.
                  A whole frame shows more of who else is there
    margin        how much around the face is shown, as a share of its longer side on each
                  side; default 0.5, 0 to 3
    blur_others   whether every other face that was found is made unrecognisable; default true.
                  Nobody blurs a face that was not found
    jpeg_quality  default 80, 10 to 100; higher takes more space
    max_count     the oldest pictures are deleted beyond this many; default 200, 1 to 100000
    max_days      older pictures are deleted, within ten minutes; default 7, 1 to 366

    Both limits hold while pictures are switched off, too, for those that are left.
    Raises UsageError for a value outside its range.
    """

    enabled: bool = False
    folder: str = ""
    verdicts: tuple[str, ...] = ("no_mask", "incorrect")
    show: str = "face"
    margin: float = 0.5
    blur_others: bool = True
    jpeg_quality: int = 80
    max_count: int = 200
    max_days: int = 7

    def __post_init__(self) -> None:
        wrong = [verdict for verdict in self.verdicts if verdict not in VERDICTS]
        if wrong or not self.verdicts:
            named = ", ".join(wrong) or "empty"
            raise UsageError(f"verdicts: {named}; allowed: {', '.join(VERDICTS)}, at least one")
        if self.show not in SHOWS:
            raise UsageError(f"show is {self.show!r}; allowed: {' or '.join(SHOWS)}")
        _check("margin", self.margin, 0, 3)
        _check("jpeg_quality", self.jpeg_quality, 10, 100)
        _check("max_count", self.max_count, 1, 100_000)
        _check("max_days", self.max_days, 1, 366)


def journal_file(settings: JournalSettings, environ: Mapping[str, str]) -> Path | None:
    """Return the file that *settings* mean with these environment variables, None for no journal.

    With an empty file that is journal.db in the first folder of $STATE_DIRECTORY.
    """
    return _place(settings.enabled, settings.file, "journal.db", environ)


def picture_folder(settings: PictureSettings, environ: Mapping[str, str]) -> Path | None:
    """Return the folder that *settings* mean, whether enabled or not; None where there is none."""
    return _place(True, settings.folder, "evidence", environ)


def file_to_read(environ: Mapping[str, str]) -> Path:
    """Return the journal that a person means who names none: the service's."""
    found = journal_file(JournalSettings(), environ)
    return found if found is not None else SERVICE_FOLDER / "journal.db"


def _place(wanted: bool, named: str, usual: str, environ: Mapping[str, str]) -> Path | None:
    if not wanted:
        return None
    if named:
        return Path(named).expanduser()
    folder = given_folder(environ, "STATE_DIRECTORY")
    return folder / usual if folder else None


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UsageError(f"{name} is {value}; allowed: {low:g} to {high:g}")
