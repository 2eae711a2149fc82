"""Everything that somebody far away needs to help: texts only, no picture, no secret."""

from __future__ import annotations

import importlib.metadata
import io
import json
import os
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge.board.facts import board_rows, read_board
from edge.board.memory import read_memory
from edge.config_show import effective_text
from edge.doctor.context import Context
from edge.doctor.past import journal_path, state_environ
from edge.errors import OutputError, UsageError
from edge.files import check_named, replaced
from edge.journal.query import Filter, Reader
from edge.modelfile import read_model, released_model
from edge.modelstore.listing import list_values
from edge.modelstore.state import KINDS
from edge.modelstore.store import Store

NEWEST_EVENTS = 500
NEWEST_LINES = 2000
_SUFFIX = ".tar.gz"
_MOST_CHARACTERS = 1_000_000
_ABOUT = """A support bundle of maskgate.

doctor.json        what was found wrong, and right
board.txt          what the board is, and how it fares
gate.toml          the settings that hold
events.jsonl       the newest {events} events of the journal, no pictures
service.log        the newest {lines} lines of the service's log
unit.txt           how systemd sees the service
models.json        which models there are
packages.txt       versions of Python packages

Taken out: passwords, tokens, keys, users and hosts' names, names of wireless networks, serial
numbers and network cards' addresses.  There are no pictures in it.  All of it is plain text: read
it before you pass it on.
"""


def check_bundle(path: Path) -> None:
    """Raise UsageError, before anything is done, for a *path* that no bundle can have.

    Raises OutputError for one that cannot be written.
    """
    if not path.name.endswith(_SUFFIX):
        raise UsageError(f"--bundle is {path}; name a file that ends in {_SUFFIX}")
    check_named("--bundle", path)


def write_bundle(
    path: Path, report: Mapping[str, Any], ctx: Context, mask: Callable[[str], str]
) -> tuple[str, ...]:
    """Write the bundle to *path*, for this user's eyes only; return the names of its files.

    Every text goes through *mask*.  What cannot be had is said in its place.  Raises
    OutputError when *path* cannot be written.
    """
    parts: dict[str, Callable[[], str]] = {
        "about.txt": lambda: _ABOUT.format(events=NEWEST_EVENTS, lines=NEWEST_LINES),
        "doctor.json": lambda: json.dumps(report, indent=1, ensure_ascii=False) + "\n",
        "board.txt": lambda: _board(ctx),
        "gate.toml": lambda: _settings(ctx),
        "events.jsonl": lambda: _events(ctx),
        "service.log": lambda: _log(ctx),
        "unit.txt": lambda: _unit(ctx),
        "models.json": lambda: _models(ctx),
        "packages.txt": _packages,
    }
    folder = path.name[: -len(_SUFFIX)]
    try:
        with replaced(path) as file:
            os.fchmod(file.fileno(), 0o600)
            with tarfile.open(fileobj=file, mode="w:gz") as archive:
                for name, make in parts.items():
                    content = mask(_made(make))[-_MOST_CHARACTERS:].encode("utf-8", "replace")
                    entry = tarfile.TarInfo(f"{folder}/{name}")
                    entry.size, entry.mode = len(content), 0o600
                    entry.mtime = int(ctx.now.timestamp())
                    archive.addfile(entry, io.BytesIO(content))
    except OSError as error:
        raise OutputError(
            f"--bundle: {path} cannot be written ({error.strerror or error}); name another file"
        ) from None
    return tuple(parts)


def _made(make: Callable[[], str]) -> str:
    try:
        return make()
    except Exception as error:  # a part that is missing must not cost the others
        return f"not to be had ({type(error).__name__}: {error})\n"


def _board(ctx: Context) -> str:
    rows = board_rows(read_board(ctx.root, ctx.run))
    available = read_memory(ctx.root).available
    if available is not None:
        rows.append(("available memory", f"{available:.0f} MiB"))
    return "".join(f"{name:<18}{value}\n" for name, value in rows)


def _settings(ctx: Context) -> str:
    if ctx.config is None:
        return "".join(f"# {problem}\n" for problem in ctx.problems)
    return f"# {ctx.config_file or 'defaults, there is no file'}\n{effective_text(ctx.config)}"


def _events(ctx: Context) -> str:
    file = journal_path(ctx)
    if file is None:
        return ""
    lines = []
    with Reader(file) as reader:
        for entry in reader.entries(Filter(), last=NEWEST_EVENTS):
            values = asdict(entry)
            values["at"] = entry.at.isoformat(timespec="milliseconds")
            # Names of files, by which a picture could be asked for.
            del values["evidence"], values["picture"]
            lines.append(json.dumps(values, ensure_ascii=False) + "\n")
    return "".join(lines)


def _log(ctx: Context) -> str:
    answer = ctx.ask(
        ("journalctl", "--unit=maskgate", f"--lines={NEWEST_LINES}", "--output=short-iso",
         "--no-hostname", "--no-pager", "--quiet"), 20.0,
    )
    return answer.text if answer.good else f"not to be had ({answer.why})\n"


def _unit(ctx: Context) -> str:
    if not ctx.service.known:
        return f"not to be had ({ctx.service.why})\n"
    return "".join(f"{name}={value}\n" for name, value in ctx.service.values.items())


def _models(ctx: Context) -> str:
    store = Store(ctx.settings().updates.root(state_environ(ctx)))
    released = {kind: read_model(released_model(kind), kind) for kind in KINDS}
    return json.dumps(list_values(store.read(), released), indent=1, ensure_ascii=False) + "\n"


def _packages() -> str:
    named = {
        f"{one.metadata['Name']} {one.version}" for one in importlib.metadata.distributions()
    }
    return "".join(f"{line}\n" for line in sorted(named, key=str.lower))
