"""Which outputs the gate at work drives, noted for whoever cleans up behind it.

The configuration may say something else by then, or nothing that can be read: a mistake saved
just before a crash must not leave a buzzer on for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from edge.alerts.settings import OutputSettings
from edge.files import given_folder, regular, write_whole

_NAME = "outputs.json"
_MOST_BYTES = 100_000


def note_outputs(settings: Mapping[str, OutputSettings], environ: Mapping[str, str]) -> None:
    """Note *settings* in $RUNTIME_DIRECTORY, which systemd empties after each end of the service.

    Without such a folder, as when maskgate is run by hand, nothing is noted.  A note that cannot
    be written keeps no gate from its work.
    """
    path = _path(environ)
    if path is not None:
        with suppress(OSError):
            write_whole(path, msgspec.json.encode(dict(settings)))


def noted_outputs(environ: Mapping[str, str]) -> dict[str, OutputSettings] | None:
    """Return the outputs that the last gate drove, None where nobody noted any."""
    path = _path(environ)
    if path is None:
        return None
    try:
        with regular(path) as file:
            content = file.read(_MOST_BYTES)
        return msgspec.json.decode(content, type=dict[str, OutputSettings])
    except (OSError, ValueError):  # the second is msgspec's, too
        return None


def _path(environ: Mapping[str, str]) -> Path | None:
    folder = given_folder(environ, "RUNTIME_DIRECTORY")
    return folder / _NAME if folder else None
