"""The users and groups of a system, as its own tables name them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge.board.reading import read_text


@dataclass(frozen=True, slots=True)
class User:
    """A user's *number*, and that of the *group* it begins with."""

    number: int
    group: int


@dataclass(frozen=True, slots=True)
class Group:
    """A group's *number*, and the names of its *members* beyond those who begin with it."""

    number: int
    members: tuple[str, ...]


def read_users(root: Path) -> dict[str, User]:
    """Return the users of the system under *root* by name; empty where it does not tell."""
    return {
        name: User(int(number), int(group))
        for name, _, number, group, *_ in _table(root / "etc/passwd", 7) if group.isdigit()
    }


def read_groups(root: Path) -> dict[str, Group]:
    """Return the groups of the system under *root* by name; empty where it does not tell."""
    return {
        name: Group(int(number), tuple(filter(None, members.split(","))))
        for name, _, number, members in _table(root / "etc/group", 4)
    }


def _table(path: Path, columns: int) -> list[list[str]]:
    lines = [line.split(":") for line in (read_text(path) or "").splitlines()]
    return [line for line in lines if len(line) == columns and line[2].isdigit()]
