"""The supply and the brakes: under-voltage, throttling, and how much the board draws.

Raspberry Pi: ``vcgencmd get_throttled`` and ``vcgencmd pmic_read_adc`` (Pi 5 only), the kernel's
``get_throttled`` file, and the hwmon device ``rpi_volt``.  Jetson Orin: the hwmon devices
``soctherm_oc``, which counts over-current events, and ``ina3221``, which measures three rails.
x86-64: RAPL's energy counters, which most systems show to root only.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.board.reading import Run, list_folder, read_number, read_text, run_command

_FLAGS = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
_SINCE_BOOT = 16
# Jetson Linux, "Orin Nano, NX and AGX Series": events 1 to 3 of soctherm.
_JETSON_EVENTS = {
    1: "under-voltage", 2: "average over-current", 3: "momentary over-current",
}
_GET_THROTTLED = Path("sys/devices/platform/soc/soc:firmware/get_throttled")
# A command that hangs is given up after 2 seconds, and there are two of them.
_LONGEST_READ = 5.0
_RAIL = re.compile(r"(\S+)_([AV])\s+(?:current|volt)\(\d+\)=([0-9.]+)")


@dataclass(frozen=True, slots=True)
class Brakes:
    """What slows the board down: words for what is so *now* and what was so *since_boot*.

    *known* is whether the board tells at all; without it empty tuples mean nothing.  *events*
    counts over-current events since the start (Jetson), by name.
    """

    known: bool = False
    now: tuple[str, ...] = ()
    since_boot: tuple[str, ...] = ()
    events: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Draw:
    """How much the board draws: *watts* now, or *joules* since some moment, and of *what*."""

    what: str
    watts: float | None = None
    joules: float | None = None


def decode_throttled(value: int) -> Brakes:
    """Return the meaning of the bits that ``vcgencmd get_throttled`` gives.

    Bits 0 to 3 are so now, bits 16 to 19 were so at some time since the start; others mean
    nothing yet.
    """
    now = tuple(word for bit, word in enumerate(_FLAGS) if value >> bit & 1)
    past = tuple(word for bit, word in enumerate(_FLAGS) if value >> (bit + _SINCE_BOOT) & 1)
    return Brakes(True, now, past)


def read_brakes(root: Path = Path("/"), run: Run = run_command) -> Brakes:
    """Return what slows the board under *root* down, by whichever way it tells."""
    said = re.search(r"throttled=0x([0-9a-fA-F]+)", run(("vcgencmd", "get_throttled")) or "")
    # The kernel's file has the same bits in hexadecimal without a prefix.
    raw = said.group(1) if said else read_text(root / _GET_THROTTLED)
    try:
        return decode_throttled(int(raw or "", 16))
    except ValueError:
        pass
    alarm = read_number(_hwmon(root, "rpi_volt") / "in0_lcrit_alarm")
    if alarm is not None:
        # This alarm is the only bit that kernels without get_throttled show.
        return Brakes(True, ("under-voltage",) if alarm else ())
    return _jetson_brakes(_hwmon(root, "soctherm_oc"))


def read_draw(root: Path = Path("/"), run: Run = run_command) -> Draw | None:
    """Return how much the machine under *root* draws, or None where it does not tell."""
    sensor = _hwmon(root, "ina3221")
    for number in range(1, 4):
        if read_text(sensor / f"in{number}_label") == "VDD_IN":
            volts = read_number(sensor / f"in{number}_input", 1e-3)
            amperes = read_number(sensor / f"curr{number}_input", 1e-3)
            if volts is not None and amperes is not None:
                return Draw("whole module (VDD_IN)", watts=volts * amperes)
    watts = pmic_watts(run(("vcgencmd", "pmic_read_adc")) or "")
    if watts is not None:
        return Draw("rails of the power chip, without USB", watts=watts)
    microjoules = [
        read_number(zone / "energy_uj", 1e-6)
        for zone in list_folder(root / "sys/class/powercap", "intel-rapl:")
        if (read_text(zone / "name") or "").startswith("package")
    ]
    told = [joules for joules in microjoules if joules is not None]
    return Draw("processor package (RAPL)", joules=sum(told)) if told else None


def pmic_watts(text: str) -> float | None:
    """Return the sum of volts times amperes over the rails that ``pmic_read_adc`` prints.

    A rail with only one of the two is left out: EXT5V has no current.  None for no rail.
    """
    found: dict[str, dict[str, float]] = {}
    for rail, unit, value in _RAIL.findall(text):
        try:
            found.setdefault(rail, {})[unit] = float(value)
        except ValueError:
            continue
    both = [rail["A"] * rail["V"] for rail in found.values() if len(rail) == 2]
    return sum(both) if both else None


class PowerMeter:
    """Mean watts between its making and each reading; *clock* gives seconds.

    Where the board has a counter of joules the mean is exact; where it only tells watts it is
    that of the moments at which :meth:`sample` was called.
    """

    def __init__(
        self,
        read: Callable[[], Draw | None] = read_draw,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._clock = clock
        self._first = read()
        self._began = clock()
        self._watts: list[float] = []

    def sample(self) -> None:
        """Note the watts of this moment; does nothing where the board tells none."""
        if self._first is not None and self._first.watts is not None:
            draw = self._read()
            if draw is not None and draw.watts is not None:
                self._watts.append(draw.watts)

    def mean(self) -> Draw | None:
        """Return the mean so far, None where the board does not tell."""
        first = self._first
        if first is None:
            return None
        if first.joules is not None:
            last = self._read()
            seconds = self._clock() - self._began
            if last is None or last.joules is None or seconds <= 0 or last.joules < first.joules:
                return None
            return Draw(first.what, watts=(last.joules - first.joules) / seconds)
        return Draw(first.what, watts=_mean(self._watts)) if self._watts else None


def power_of(
    work: Callable[[], object],
    seconds: float,
    read: Callable[[], Draw | None] = read_draw,
    every: float = 0.25,
) -> Draw | None:
    """Return the mean watts while *work* is called again and again for *seconds*.

    They are read beside it, in a thread, every *every* seconds.  None where the board does not
    tell.
    """
    meter = PowerMeter(read)
    over = threading.Event()

    def sample() -> None:
        while not over.wait(every):
            meter.sample()

    sampler = threading.Thread(target=sample, name="power", daemon=True)
    sampler.start()
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            work()
        return meter.mean()
    finally:
        over.set()
        sampler.join(_LONGEST_READ)


def brakes_lines(brakes: Brakes) -> tuple[str, ...]:
    """Return a line for each thing that slows the board down, none for none."""
    lines = [f"{word} now" for word in brakes.now]
    lines += [f"{word} since the start" for word in brakes.since_boot if word not in brakes.now]
    lines += [f"{name}: {count} times since the start" for name, count in brakes.events if count]
    return tuple(lines)


def _jetson_brakes(monitor: Path) -> Brakes:
    counts = {
        name: read_number(monitor / f"oc{number}_event_cnt")
        for number, name in _JETSON_EVENTS.items()
    }
    events = tuple((name, int(count)) for name, count in counts.items() if count is not None)
    return Brakes(bool(events), events=events)


def _hwmon(root: Path, name: str) -> Path:
    """Return the hwmon device called *name*, or a path at which there is nothing."""
    for device in list_folder(root / "sys/class/hwmon", "hwmon"):
        if read_text(device / "name") == name:
            return device
    return root / "sys/class/hwmon/none"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
