"""Supply, heat, and what restarts a board whose kernel hangs."""

from __future__ import annotations

from edge.board.facts import read_heat
from edge.board.power import Brakes, brakes_lines, read_brakes
from edge.board.reading import list_folder, read_number, read_text
from edge.doctor.context import Context
from edge.doctor.finding import Finding, failure, ok, skipped, warning

# A Raspberry Pi slows down from 80 degrees on and brakes hard at 85 (Raspberry Pi documentation,
# "Frequency management and thermal control"); a Jetson Orin Nano does not before 99.
_WARM, _HOT = 75.0, 85.0


def check_power(ctx: Context) -> Finding:
    """Under-voltage and throttling, now and since the start."""
    return judge_brakes(read_brakes(ctx.root, ctx.run))


def judge_brakes(brakes: Brakes) -> Finding:
    """Return what to say of *brakes*."""
    if not brakes.known:
        return skipped("the board does not tell of its supply")
    words = ", ".join(brakes_lines(brakes))
    if not words:
        return ok("no under-voltage and no throttling since the start")
    supply = any("voltage" in word for word in (*brakes.now, *brakes.since_boot)) or any(
        count for _, count in brakes.events
    )
    advice = (
        "use the board's own power supply and a short, thick cable, and take USB devices off"
        if supply else "give the board a cooler and air"
    )
    return failure(words, advice) if "under-voltage" in brakes.now else warning(words, advice)


def check_temperature(ctx: Context) -> Finding:
    """How hot the hottest sensor is."""
    heat = read_heat(ctx.root)
    if not heat:
        return skipped("the board does not tell its temperature")
    name, celsius = max(heat, key=lambda one: one[1])
    words = f"{celsius:.0f} °C ({name})"
    if celsius >= _HOT:
        return failure(f"{words}: the board slows itself down", "give it a cooler and air")
    if celsius >= _WARM:
        return warning(f"{words}: close to where the board slows down", "give it a cooler and air")
    return ok(words)


def check_hardware_watchdog(ctx: Context) -> Finding:
    """Whether a timer restarts the board when its kernel hangs."""
    timers = list_folder(ctx.root / "sys/class/watchdog", "watchdog")
    if not timers:
        return skipped("the kernel shows no hardware watchdog")
    timer = timers[0]
    name = read_text(timer / "identity") or timer.name
    seconds = read_number(timer / "timeout")
    asked = ctx.ask(("systemctl", "show", "--property=RuntimeWatchdogUSec"), 5.0)
    period = asked.text.strip().partition("=")[2] if asked.good else ""
    if read_text(timer / "state") == "active" or period not in ("", "0", "infinity"):
        words = f", {seconds:g} s" if seconds else ""
        return ok(f"{name} is in use{words}")
    return warning(
        f"{name} is there and nobody uses it: a kernel that hangs stays so",
        "set RuntimeWatchdogSec=15 in /etc/systemd/system.conf, then restart the board",
    )
