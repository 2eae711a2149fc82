"""Stand-ins for the system's programs, as executables that record how they were called.

They ship with the package, so that whoever adds a check can test it without a board.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from edge.alerts.pins import mock_pins
from edge.config import default_config
from edge.doctor.asking import Ask, ask
from edge.doctor.context import Context, User
from edge.doctor.unit_state import UnitState

NOW = datetime(2026, 11, 23, 6, 30, tzinfo=timezone.utc)
RUNNING: Mapping[str, str] = {
    "LoadState": "loaded", "ActiveState": "active", "SubState": "running",
    "UnitFileState": "enabled", "Result": "success", "NRestarts": "0", "ExecMainStatus": "0",
    "WatchdogUSec": "20s", "StatusText": "nobody is there", "FragmentPath": "/nowhere",
    "DropInPaths": "", "NeedDaemonReload": "no", "User": "maskgate",
    "SupplementaryGroups": "video gpio audio", "MainPID": "321",
}
"""What systemd says of a service that is well."""


class FakePrograms:
    """Programs in *folder*, the only ones that :attr:`ask` and :meth:`environ` find.

    Each answers as it was told by :meth:`says`, and fails with code 1 otherwise.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._cases: dict[str, list[str]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def says(
        self, name: str, text: str = "", *, when: str = "*", code: int = 0, then: str = ""
    ) -> Path:
        """Let the program *name* print *text* and end with *code* where its arguments are *when*.

        *when* is a pattern of the shell, the first that fits counts; a *code* other than 0
        prints to standard error.  *then* is shell to run first.  Returns the file of the text.
        """
        cases = self._cases.setdefault(name, [])
        told = self.folder / f"{name}.{len(cases)}"
        told.write_text(text)
        where = " >&2" if code else ""
        pattern = when.replace(" ", "\\ ")
        cases.append(f'    {pattern}) {then or ":"}; /bin/cat "{told}"{where}; exit {code} ;;')
        program = self.folder / name
        program.write_text(
            f'#!/bin/sh\necho "{name} $*" >> "{self.folder / "calls"}"\ncase "$*" in\n'
            + "\n".join(cases) + "\nesac\nexit 1\n"
        )
        program.chmod(0o755)
        return told

    def hangs(self, name: str) -> None:
        """Let the program *name* never end."""
        self.says(name, then="exec /bin/sleep 600")

    def unit(self, **values: str) -> None:
        """Let systemctl tell of a service that is well but for *values*, and obey."""
        text = "".join(f"{key}={value}\n" for key, value in {**RUNNING, **values}.items())
        told = self.says("systemctl", text, when="show maskgate.service *")
        for word, state in (("stop", "inactive"), ("start", "active")):
            change = f'/bin/sed -i "s/^ActiveState=.*/ActiveState={state}/" "{told}"'
            self.says("systemctl", when=f"{word} maskgate.service", then=change)

    @property
    def calls(self) -> list[str]:
        """Each call, as ``NAME ARGUMENTS``."""
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def ask(self) -> Ask:
        return partial(ask, environ=self.environ())

    def environ(self) -> dict[str, str]:
        """Return an environment in which only these programs are found."""
        return {"PATH": str(self.folder)}


def fake_context(root: Path, programs: FakePrograms, **changes: Any) -> Context:
    """Return what checks look at: the files under *root*, *programs*, mock pins, no service."""
    usual: dict[str, Any] = {
        "root": root, "ask": programs.ask, "environ": {}, "now": NOW,
        "user": User("pi", os.geteuid(), frozenset({"video", "gpio", "audio"})),
        "config": default_config(), "config_file": None, "service": UnitState(why="none here"),
        "sleep": lambda seconds: None, "open_pins": mock_pins,
    }
    return Context(**{**usual, **changes})
