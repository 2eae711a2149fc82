"""The service's own word, from its journal, on what only it can see while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from edge.doctor.context import Context
from edge.doctor.places import place
from edge.errors import OutputError
from edge.journal.query import Entry, Reader
from edge.journal.settings import SERVICE_FOLDER, journal_file


def state_environ(ctx: Context) -> dict[str, str]:
    """Return the environment with $STATE_DIRECTORY as the service has it.

    A person's shell has none, and then the service's folder is meant, where there is one.
    """
    environ = dict(ctx.environ)
    folder = ctx.root / SERVICE_FOLDER.relative_to("/")
    if not environ.get("STATE_DIRECTORY") and (
        ctx.service.installed or place(folder) == "folder"
    ):
        environ["STATE_DIRECTORY"] = str(folder)
    return environ


def journal_path(ctx: Context) -> Path | None:
    """Return the journal that the service writes by the configuration, None for none."""
    return journal_file(ctx.settings().journal, state_environ(ctx))


def newest_of(ctx: Context, kinds: Sequence[str]) -> Entry | str | None:
    """Return the newest event of these *kinds*, None for none, or why that cannot be told."""
    file = journal_path(ctx)
    if file is None:
        return "there is no journal"
    try:
        with Reader(file) as reader:
            # A clock that ran ahead must not hide what was written then.
            return reader.before(ctx.now + timedelta(days=36_500), kinds)
    except OutputError as error:
        return str(error)


def when(entry: Entry) -> str:
    """Return when *entry* happened, in local time."""
    return entry.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
