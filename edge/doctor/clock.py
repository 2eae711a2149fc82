"""The wall clock: quiet hours, the journal and certificates go by it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from edge.board.reading import list_folder, read_text
from edge.doctor.context import Context
from edge.doctor.finding import Finding, failure, ok, skipped, warning

# Files may have come from a machine whose clock was a little ahead.
_SLACK = timedelta(days=1)
_LAST_YEAR = 2099


def check_clock(ctx: Context) -> Finding:
    """A sane time of day, and a clock that goes on while the power is off."""
    installed = datetime.fromtimestamp(ctx.installed, timezone.utc)
    told = ctx.now.strftime("%Y-%m-%d %H:%M UTC")
    if ctx.now < installed - _SLACK or ctx.now.year > _LAST_YEAR:
        return failure(
            f"it is {told}, but maskgate was installed on {installed:%Y-%m-%d}",
            "connect a network, or: sudo timedatectl set-time 'YYYY-MM-DD HH:MM:SS'",
        )
    clocks = list_folder(ctx.root / "sys/class/rtc", "rtc")
    if clocks:
        return ok(f"it is {told}; the clock on board is {read_text(clocks[0] / 'name') or 'there'}")
    return ok(f"it is {told}; no clock goes on while the power is off, only the network's sets it")


def check_network_time(ctx: Context) -> Finding:
    """Whether the clock is set over the network."""
    answer = ctx.ask(
        ("timedatectl", "show", "--property=NTP", "--property=NTPSynchronized"), 5.0
    )
    values = dict(line.partition("=")[::2] for line in answer.text.splitlines())
    synchronised = values.get("NTPSynchronized") if answer.good else None
    if synchronised is None:
        if (ctx.root / "run/systemd/timesync/synchronized").exists():
            return ok("systemd-timesyncd has set the clock")
        return skipped(f"nobody tells whether the clock is set ({answer.why or 'no answer'})")
    if synchronised == "yes":
        return ok("the clock is set over the network")
    clocks = list_folder(ctx.root / "sys/class/rtc", "rtc")
    advice = (
        "sudo timedatectl set-ntp true" if values.get("NTP") != "yes"
        else "connect a network in which UDP port 123 is open, or set the clock by hand"
    )
    if clocks:
        return warning("the clock is not set over the network, and will drift", advice)
    return warning(
        "the clock is not set over the network, and there is none on board: after each power cut "
        "quiet hours and the journal go by a wrong time", advice,
    )
