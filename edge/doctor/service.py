"""The service: installed as shipped, enabled, at work, restarted when it hangs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import edge
from edge.doctor.context import Context
from edge.doctor.finding import Finding, failure, ok, skipped, together, warning
from edge.doctor.unit_state import UNIT

_NO_LIMIT = ("", "0", "infinity")


def check_service(ctx: Context) -> Finding:
    """Whether systemd has the gate, starts it, keeps it, and watches it."""
    unit, values = ctx.service, ctx.service.values
    if not unit.known:
        return skipped(f"systemd does not answer ({unit.why})")
    if not unit.installed:
        return warning(
            "it is not installed: the gate runs by hand only", "sudo scripts/install-device"
        )
    if values["LoadState"] != "loaded":
        return failure(
            f"its unit cannot be used ({values['LoadState']})", f"systemctl status {UNIT}"
        )
    active = values.get("ActiveState", "unknown")
    words = f"{active} ({values.get('SubState', 'unknown')})"
    if unit.status:
        words += f", says: {unit.status}"
    log = "journalctl -u maskgate -n 50"
    parts = []
    if active == "failed" or values.get("SubState") == "auto-restart":
        parts.append(failure(f"{words}; it ended with {_ending(values)}", log))
    elif active == "inactive":
        parts.append(warning(words, "sudo systemctl start maskgate"))
    else:
        parts.append(ok(words))
    if values.get("UnitFileState") != "enabled":
        parts.append(warning(
            f"it is {values.get('UnitFileState') or 'not enabled'}: a start of the board does not "
            "start it", "sudo systemctl enable maskgate",
        ))
    restarts = values.get("NRestarts", "0")
    if restarts not in ("", "0"):
        parts.append(warning(f"it was restarted {restarts} times since it was started", log))
    if values.get("WatchdogUSec", "") in _NO_LIMIT:
        parts.append(warning("its watchdog is off: a gate that hangs stays so",
                             "take WatchdogSec= out of your own additions to the unit"))
    else:
        parts.append(ok(f"its watchdog: {values['WatchdogUSec']}"))
    return together(*parts)


def check_unit(ctx: Context) -> Finding:
    """Whether the unit is the one that this maskgate ships, and is the one at work."""
    unit = ctx.service
    if not unit.installed:
        return skipped("the service is not installed" if unit.known else "systemd does not answer")
    path = Path(unit.values.get("FragmentPath", ""))
    parts = []
    shipped = shipped_unit()
    if shipped is None:
        parts.append(skipped(f"{path}: this installation has no unit to compare it with"))
    else:
        try:
            same = path.read_bytes() == shipped.read_bytes()
        except OSError as error:
            return skipped(f"{path} cannot be read ({error.strerror or error})", "use sudo")
        if same:
            parts.append(ok(f"{path} is as shipped"))
        else:
            parts.append(warning(
                f"{path} is not the one that this maskgate ships",
                "keep changes in 'sudo systemctl edit maskgate', then: sudo scripts/install-device",
            ))
    if unit.values.get("NeedDaemonReload") == "yes":
        parts.append(warning("systemd has not read it since it was changed",
                             "sudo systemctl daemon-reload && sudo systemctl restart maskgate"))
    additions = unit.values.get("DropInPaths", "")
    if additions:
        parts.append(ok(f"with additions: {additions}"))
    return together(*parts)


def shipped_unit() -> Path | None:
    """Return the unit that came with this maskgate: in its environment, or in its checkout."""
    places = (
        Path(sys.prefix) / "share" / UNIT,
        Path(edge.__file__).resolve().parents[1] / "scripts" / "service" / UNIT,
    )
    return next((place for place in places if place.is_file()), None)


def _ending(values: Mapping[str, str]) -> str:
    result = values.get("Result") or "no result"
    status = values.get("ExecMainStatus", "")
    return f"{result}, status {status}" if status not in ("", "0") else result
