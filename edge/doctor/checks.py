"""All checks, in the order in which a person would look: board, gate, surroundings."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.alerts.settings import OutputSettings
from edge.doctor import (
    broker,
    camera,
    clock,
    configuration,
    disk,
    folders,
    journal,
    models,
    page,
    pins,
    power,
    service,
    sound,
    system,
)
from edge.doctor.context import Context
from edge.doctor.finding import Finding
from edge.errors import UsageError


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its *name*, *what* it looks at, the *seconds* it may take, and what *looks*.

    *shows*: with ``--outputs`` it may take longer, by what every output takes.  *alone*: it
    needs what the service has while it runs.
    """

    name: str
    what: str
    seconds: float
    looks: Callable[[Context], Finding]
    shows: bool = False
    alone: bool = False

    def limit(self, outputs: Sequence[OutputSettings] = ()) -> float:
        """Return the seconds it may take when each of *outputs* is shown."""
        # Twice the time that it is on: pin libraries open and close slowly on a busy board.
        extra = 2 * pins.OUTPUT_SECONDS * len(outputs) + 15.0
        return self.seconds + extra if self.shows and outputs else self.seconds


CHECKS: tuple[Check, ...] = (
    Check("system", "the board, and a 64-bit system on it", 20, system.check_system),
    Check("python", "a Python that maskgate is tested with", 5, system.check_python),
    Check("memory", "room for both networks", 5, system.check_memory),
    Check("groups", "rights to camera, pins and sound", 10, system.check_groups),
    Check("configuration", "every mistake in gate.toml", 10, configuration.check_configuration),
    Check("camera", "fresh pictures that show something", 40, camera.check_camera, alone=True),
    Check("pins", "each output's pins: free, and doing as told", 15, pins.check_pins, True, True),
    Check("sound", "aplay, a card, files of your own", 15, sound.check_sound, True, True),
    Check("models", "whole, signed, computing right here", 100, models.check_models),
    Check("service", "installed, enabled, at work, watched", 10, service.check_service),
    Check("unit", "the service's unit as shipped", 10, service.check_unit),
    Check("journal", "readable, whole, without gaps", 25, journal.check_journal),
    Check("folders", "where the gate keeps things", 15, folders.check_folders),
    Check("disk", "room, and a card without errors", 20, disk.check_disk),
    Check("power", "under-voltage and throttling", 10, power.check_power),
    Check("temperature", "heat", 5, power.check_temperature),
    Check("hardware-watchdog", "a restart when the kernel hangs", 10,
          power.check_hardware_watchdog),
    Check("clock", "a sane time of day", 5, clock.check_clock),
    Check("network-time", "a clock that is set", 10, clock.check_network_time),
    Check("status-page", "the status page at its address, its token", 15, page.check_page),
    Check("broker", "the MQTT broker takes the gate", 25, broker.check_broker),
)
"""Every check; the names are for ``--only`` and ``--skip``."""


def choose_checks(only: Sequence[str] = (), skip: Sequence[str] = ()) -> tuple[Check, ...]:
    """Return the checks to do, in their order; UsageError for a name that is none's."""
    known = [check.name for check in CHECKS]
    for option, names in (("--only", only), ("--skip", skip)):
        for name in names:
            if name not in known:
                close = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {close[0]}?" if close else f"allowed: {', '.join(known)}"
                raise UsageError(f"{option} is {name!r}; {hint}")
    return tuple(
        check for check in CHECKS if (not only or check.name in only) and check.name not in skip
    )
