"""What the person who starts the studio decides, and no visitor can change."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.errors import UsageError

VARIABLE = "MASKGATE_STUDIO"
"""Environment variable in which the command line hands the settings to the pages."""


@dataclass(frozen=True, slots=True)
class StudioSettings:
    """Places that the studio reads and writes; every one is absolute.

    *runs* is the folder of all runs, one folder each.  *data* are folders below which data sets
    may be chosen.  *corrections* is the CSV that re-labelling writes.  *gates* is the TOML file
    with the gates, "" for none.  *password_file* holds the password in its first line, "" for
    a studio that asks for none.  *signing_key* is the file with the private key that releases are
    signed with, "" for none; no page reads it.  *tracking* is the URI of the MLflow store that
    runs are recorded in, "" for none.
    """

    runs: str = ""
    data: tuple[str, ...] = ()
    corrections: str = ""
    gates: str = ""
    password_file: str = ""
    signing_key: str = ""
    tracking: str = ""

    @property
    def runs_folder(self) -> Path:
        return Path(self.runs)

    @property
    def data_folders(self) -> tuple[Path, ...]:
        return tuple(map(Path, self.data))


def settings_text(settings: StudioSettings) -> str:
    """Return *settings* as the text that :func:`current_settings` reads."""
    return msgspec.json.encode(settings).decode()


def current_settings(environ: Mapping[str, str] = os.environ) -> StudioSettings:
    """Return the settings that the command line left in *environ*.

    Raises UsageError where there are none: the pages are no program of their own.
    """
    text = environ.get(VARIABLE, "")
    if not text:
        raise UsageError(f"{VARIABLE} is not set; start the studio with maskgate-studio")
    try:
        return msgspec.json.decode(text, type=StudioSettings)
    except msgspec.DecodeError as error:
        raise UsageError(f"{VARIABLE} cannot be read: {error}") from error
