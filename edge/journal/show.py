"""Entries of the journal as lines for people, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import tzinfo

from edge.journal.query import Entry
from edge.report.events import sureness

CSV_COLUMNS = (
    "id", "utc", "local", "session", "uptime", "seconds", "kind", "person", "verdict",
    "confidence", "x0", "y0", "x1", "y1", "picture", "lack", "muted", "fault", "detail",
    "evidence", "model",
)
"""The columns of the export; new ones are only ever added at the end."""

_VERDICTS = {
    "mask": "mask", "no_mask": "NO MASK", "incorrect": "WORN WRONG", "unsure": "unsure",
}
_EVENTS = {
    "person_judged": "judged", "person_left": "left", "alarm_started": "ALARM",
    "person_rings": "ALARM too", "alarm_ended": "alarm over",
    "fixture_found": "never moves", "camera_fault": "CAMERA FAULT",
    "camera_recovered": "camera back", "output_fault": "OUTPUT FAULT",
    "output_recovered": "output back", "software_fault": "PROGRAM FAULT",
}
# A spreadsheet takes a cell that begins like this for a formula and runs it.
_FORMULAS = ("=", "+", "-", "@")
_TABLE = "{:<19}  {:<16}  {:<6}  {:<17}  {}"


def table_head() -> str:
    """Return the line above :func:`table_line`."""
    return _TABLE.format("LOCAL TIME", "EVENT", "PERSON", "VERDICT", "DETAILS").rstrip()


def table_line(entry: Entry, zone: tzinfo | None = None) -> str:
    """Return *entry* as a line of a table, its time in *zone*, the machine's by default."""
    local = entry.at.astimezone(zone)
    verdict = _VERDICTS.get(entry.verdict or "", entry.verdict or "")
    sure = "" if entry.confidence is None else f" {sureness(entry.confidence)}"
    detail = ", ".join(
        text
        for text in (
            entry.fault, entry.lack, entry.detail, entry.picture, entry.evidence,
            "muted" if entry.muted else "",
        )
        if text
    )
    return _TABLE.format(
        f"{local:%Y-%m-%d %H:%M:%S}",
        _EVENTS.get(entry.kind, entry.kind.replace("_", " ")),
        "" if entry.person is None else entry.person,
        f"{verdict}{sure}" if verdict else "",
        detail,
    ).rstrip()


def csv_lines(entries: Iterable[Entry], zone: tzinfo | None = None) -> Iterator[str]:
    """Yield *entries* as lines of CSV, the columns' names first.

    Texts that a spreadsheet would run as a formula begin with an apostrophe: verdicts and kinds
    are maskgate's own words, but names of pictures and messages of drivers are not.
    """
    yield _csv_line(CSV_COLUMNS)
    for entry in entries:
        local = entry.at.astimezone(zone)
        box = entry.box if len(entry.box) == 4 else ("",) * 4
        yield _csv_line(
            (
                entry.id,
                _utc(entry),
                local.isoformat(timespec="milliseconds"),
                _harmless(entry.session),
                entry.uptime,
                entry.seconds,
                _harmless(entry.kind),
                entry.person,
                _harmless(entry.verdict or ""),
                entry.confidence,
                *box,
                _harmless(entry.picture),
                _harmless(entry.lack),
                int(entry.muted),
                _harmless(entry.fault),
                _harmless(entry.detail),
                _harmless(entry.evidence),
                _harmless(entry.model),
            )
        )


def json_line(entry: Entry) -> str:
    """Return *entry* as a JSON object on one line; what is not known is left out."""
    values: dict[str, object] = {
        name: getattr(entry, name)
        for name in Entry.__dataclass_fields__
        if getattr(entry, name) not in (None, "", ()) and name not in ("at", "muted")
    }
    values = {"id": values.pop("id"), "utc": _utc(entry), **values}
    if entry.muted:
        values["muted"] = True
    return json.dumps(values, ensure_ascii=False)


def _utc(entry: Entry) -> str:
    return f"{entry.at:%Y-%m-%dT%H:%M:%S}.{entry.at.microsecond // 1000:03d}Z"


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULAS) else text


def _csv_line(cells: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
