"""What a check found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "failure", "skipped"]

LEVELS: tuple[Level, ...] = ("skipped", "ok", "warning", "failure")
"""From what weighs least to what weighs most."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the check *name* found.

    *level* is ``ok``; ``warning`` for what will matter some day, or to somebody; ``failure``
    for what keeps the gate from doing its work; ``skipped`` for what could not be or need not
    be looked at.  *found* says what is there, *advice* what to do, *mended* what the doctor did
    about it; each is one line, the last two may be empty.  A check leaves its *name* empty:
    who runs it knows it.
    """

    level: Level
    found: str
    advice: str = ""
    mended: str = ""
    name: str = ""


def ok(found: str) -> Finding:
    """Return that all is well: *found*."""
    return Finding("ok", found)


def warning(found: str, advice: str = "") -> Finding:
    """Return what a person should know, and what to do about it."""
    return Finding("warning", found, advice)


def failure(found: str, advice: str = "") -> Finding:
    """Return what keeps the gate from its work, and what to do about it."""
    return Finding("failure", found, advice)


def skipped(found: str, advice: str = "") -> Finding:
    """Return why something was not looked at."""
    return Finding("skipped", found, advice)


def together(*parts: Finding) -> Finding:
    """Return several findings as one: the worst level, and the words of what is wrong.

    Where nothing is wrong it has the words of all.  Raises ValueError for no parts.
    """
    level = max((part.level for part in parts), key=LEVELS.index)
    bad = [part for part in parts if part.level in ("warning", "failure")]
    bad.sort(key=lambda part: -LEVELS.index(part.level))
    return Finding(
        level,
        _joined(part.found for part in bad or parts),
        _joined(part.advice for part in bad or parts),
        _joined(part.mended for part in parts),
    )


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))
