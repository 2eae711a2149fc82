"""``maskgate events``: from what was typed to what is printed."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timezone, tzinfo
from itertools import chain
from pathlib import Path
from typing import Any

import click

from edge.errors import OutputError, UsageError
from edge.files import replaced
from edge.journal.query import Entry, Filter, Reader, follow
from edge.journal.settings import file_to_read, journal_file
from edge.journal.show import csv_lines, json_line, table_head, table_line
from edge.journal.times import day_span, parse_day, parse_since, parse_until

_SHOWN = 50
_POLL_SECONDS = 0.5
# What SQLite puts behind a file's name for its log and its index.
_ENDS = ("", "-wal", "-shm", "-journal")


def _wait() -> bool:
    time.sleep(_POLL_SECONDS)
    return True


def show_events(
    options: Mapping[str, Any],
    *,
    now: datetime | None = None,
    zone: tzinfo | None = None,
    wait: Callable[[], bool] = _wait,
) -> None:
    """Do what the *options* of ``maskgate events`` say.

    *now* is the wall clock's time, *zone* the machine's by default.  *wait* is called between
    looks for what is new, and ends them with False.  Raises UsageError for options that are not
    allowed, OutputError for a journal that cannot be read and a file that cannot be written.
    """
    now = now or datetime.now(timezone.utc)
    _check(options)
    wanted = events_filter(options, now, zone)
    file = _file(options)
    _check_targets(options, file)
    if options["plot"]:
        _plot(options, file, now, zone)
    elif options["follow"]:
        _print(options, follow(file, wanted, last=options["last"] or _SHOWN, wait=wait), zone)
    else:
        last = options["last"]
        ranged = any(options[name] for name in ("since", "until", "day", "csv_file", "as_json"))
        with Reader(file) as reader:
            found = reader.entries(wanted, last=last or (None if ranged else _SHOWN))
            first = next(found, None)
            if first is None:
                _say_empty(reader)
            entries = found if first is None else chain([first], found)
            if options["csv_file"]:
                _write_csv(options["csv_file"], entries, zone)
            elif first is not None:
                _print(options, entries, zone)


def events_filter(
    options: Mapping[str, Any], now: datetime, zone: tzinfo | None
) -> Filter:
    """Return which events the *options* ask for.  Raises UsageError for what is no time."""
    since = parse_since(options["since"], now, zone) if options["since"] else None
    until = parse_until(options["until"], now, zone) if options["until"] else None
    if options["day"]:
        since, until = day_span(parse_day(options["day"], now, zone), zone)
    if since is not None and until is not None and since >= until:
        raise UsageError("--since is not before --until; exchange them")
    return Filter(
        since, until, tuple(options["kinds"]), tuple(options["verdicts"]), options["person"]
    )


def _check(options: Mapping[str, Any]) -> None:
    if options["day"] and (options["since"] or options["until"]):
        raise UsageError("--day and --since or --until exclude each other; leave one out")
    ways = [
        name
        for name, given in (
            ("--csv", options["csv_file"]), ("--json", options["as_json"]),
            ("--plot", options["plot"]),
        )
        if given
    ]
    if len(ways) > 1:
        raise UsageError(f"{' and '.join(ways)} exclude each other; leave one out")
    if options["follow"]:
        given = [f"--{name}" for name in ("until", "day", "plot") if options[name]]
        if options["csv_file"]:
            given.append("--csv")
        if given:
            raise UsageError(f"--follow has no end, so {given[0]} does not go with it; use --json")
    if options["plot"]:
        for name in ("since", "until", "last", "person", "kinds", "verdicts"):
            if options[name]:
                option = {"kinds": "kind", "verdicts": "verdict"}.get(name, name)
                raise UsageError(f"--plot draws one whole day, without --{option}; use --day")
        if options["plot"] != "-":
            from edge.journal.day_picture import check_picture

            check_picture(options["plot"])


def _file(options: Mapping[str, Any]) -> Path:
    if options["journal"]:
        return Path(options["journal"])
    if options.get("config"):
        from edge.config import read_config

        found = journal_file(read_config(options["config"]).journal, os.environ)
        if found is not None:
            return found
    return file_to_read(os.environ)


def _check_targets(options: Mapping[str, Any], file: Path) -> None:
    """Raise UsageError when a file to write is the journal *file*, or one SQLite keeps by it."""
    # SQLite follows links, and keeps its files by the real one.
    kept = [f"{os.path.realpath(file)}{end}" for end in _ENDS]
    for option, path in (("--csv", options["csv_file"]), ("--plot", options["plot"])):
        if path and path != "-" and any(_same(path, one) for one in kept):
            raise UsageError(
                f"{option} {path} would overwrite the journal {file}; name another file"
            )


def _same(one: str, other: str) -> bool:
    # Finds links of either kind; a file that is not there yet is known by its name.
    with contextlib.suppress(OSError):
        return Path(one).samefile(other)
    return os.path.realpath(one) == os.path.realpath(other)


def _print(options: Mapping[str, Any], entries: Iterable[Entry], zone: tzinfo | None) -> None:
    if options["as_json"]:
        for entry in entries:
            _out(json_line(entry))
        return
    _out(table_head())
    for entry in entries:
        _out(table_line(entry, zone))


def _out(text: str) -> None:
    """Print *text* whatever the terminal's encoding is."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding))


def _write_csv(path: str, entries: Iterable[Entry], zone: tzinfo | None) -> None:
    lines: Iterator[str] = csv_lines(entries, zone)
    if path == "-":
        for line in lines:
            _out(line.rstrip("\n"))
        return
    try:
        with replaced(Path(path)) as file:
            for line in lines:
                file.write(line.encode())
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; name a file in a folder that "
            "exists and is writable"
        ) from None


def _plot(
    options: Mapping[str, Any], file: Path, now: datetime, zone: tzinfo | None
) -> None:
    from edge.journal.day import read_day
    from edge.journal.day_plot import terminal_plot

    with Reader(file) as reader:
        day = read_day(reader, parse_day(options["day"] or "today", now, zone), now, zone)
    if options["plot"] == "-":
        columns = shutil.get_terminal_size().columns
        _out(terminal_plot(day, colour=_colour_wanted(), columns=min(columns, 120)))
        return
    from edge.journal.day_picture import write_picture

    write_picture(day, options["plot"])


def _colour_wanted() -> bool:
    # https://no-color.org
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _say_empty(reader: Reader) -> None:
    words = (
        f"nothing of the kind is in the journal {reader.file}"
        if reader.newest()
        else f"nothing has happened yet: the journal {reader.file} is empty"
    )
    click.echo(f"maskgate: {words}", err=True)
