"""What was found, for people and for programs, and the exit code that sums it up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from edge.doctor.finding import LEVELS, Finding, Level
from edge.errors import EXIT_OK

FORMAT = 1
"""The version of the JSON; it changes when a program that reads it would have to."""

EXIT_WARNINGS = 10
"""With ``--strict``: something was found that is no failure."""

EXIT_FAILURES = 11
"""Something keeps the gate from its work."""

_WORDS: Mapping[Level, str] = {
    "ok": "ok", "warning": "warning", "failure": "FAILURE", "skipped": "skipped",
}
_COLOURS: Mapping[Level, str] = {
    "ok": "green", "warning": "yellow", "failure": "red", "skipped": "bright_black",
}
_LEVEL_WIDTH, _NAME_WIDTH = 9, 19


def finding_line(finding: Finding, colour: bool = False) -> str:
    """Return *finding* as a line: how it is, of what, what was found, and what to do."""
    word = f"{_WORDS[finding.level]:<{_LEVEL_WIDTH}}"
    if colour:
        word = click.style(word, fg=_COLOURS[finding.level], bold=finding.level == "failure")
    text = f"{word}{finding.name:<{_NAME_WIDTH}}{finding.found}"
    if finding.mended:
        text += f"; mended: {finding.mended}"
    return f"{text} -> {finding.advice}" if finding.advice else text


def summary_line(findings: Sequence[Finding]) -> str:
    """Return how many findings there are of each level, the worst first."""
    counts = Counter(finding.level for finding in findings)
    names = {"failure": "failures", "warning": "warnings", "ok": "ok", "skipped": "skipped"}
    parts = []
    for level in reversed(LEVELS):
        count = counts[level]
        if count or level in ("failure", "warning"):
            name = names[level]
            parts.append(f"{count} {name[:-1] if count == 1 and name[-1] == 's' else name}")
    return ", ".join(parts)


def exit_code(findings: Sequence[Finding], strict: bool = False) -> int:
    """Return the exit code for *findings*; warnings count only if *strict*."""
    levels = {finding.level for finding in findings}
    if "failure" in levels:
        return EXIT_FAILURES
    return EXIT_WARNINGS if strict and "warning" in levels else EXIT_OK


def report_values(
    findings: Sequence[Finding], *, maskgate: str, machine: str, at: datetime, code: int
) -> dict[str, Any]:
    """Return everything as JSON values.

    ``format`` is FORMAT; ``findings`` have the fields of :class:`Finding`, ``name`` first.
    """
    rows = [asdict(finding) for finding in findings]
    return {
        "format": FORMAT,
        "maskgate": maskgate,
        "machine": machine,
        "at": at.isoformat(timespec="seconds"),
        "exit_code": code,
        "findings": [{"name": row.pop("name"), **row} for row in rows],
    }
