"""How systemd's unit of the gate is, from ``systemctl show``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.doctor.asking import Ask

UNIT = "maskgate.service"
_PROPERTIES = (
    "LoadState", "ActiveState", "SubState", "UnitFileState", "Result", "NRestarts", "ExecMainCode",
    "ExecMainStatus", "WatchdogUSec", "StatusText", "FragmentPath", "DropInPaths",
    "NeedDaemonReload", "User", "SupplementaryGroups", "MainPID",
)


@dataclass(frozen=True, slots=True)
class UnitState:
    """What systemd says of the unit: its properties; *why* is why it says nothing."""

    values: Mapping[str, str] = field(default_factory=dict)
    why: str = ""

    @property
    def known(self) -> bool:
        """Whether systemd answered at all."""
        return bool(self.values)

    @property
    def installed(self) -> bool:
        return self.known and self.values.get("LoadState") not in ("not-found", "")

    @property
    def running(self) -> bool:
        """Whether it has the camera and the pins, or may take them at any moment."""
        return self.installed and self.values.get("ActiveState") in (
            "active", "reloading", "activating", "deactivating"
        )

    @property
    def status(self) -> str:
        """What the gate itself told systemd last."""
        return self.values.get("StatusText", "")

    @property
    def user(self) -> str:
        """Whose the service is; root where the unit names nobody."""
        return self.values.get("User") or "root"


def read_unit(ask: Ask, seconds: float = 5.0) -> UnitState:
    """Return how the unit is; raises nothing."""
    answer = ask(("systemctl", "show", UNIT, f"--property={','.join(_PROPERTIES)}"), seconds)
    values = {
        key: value
        for key, found, value in (line.partition("=") for line in answer.text.splitlines())
        if found and key in _PROPERTIES
    }
    if answer.good and values.get("LoadState"):
        return UnitState(values)
    return UnitState(why=answer.why or "systemctl told nothing")
