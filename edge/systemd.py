"""Telling the service manager how the gate is: sd_notify(3) without a library.

systemd names a datagram socket in ``$NOTIFY_SOCKET``; each message is lines of ``KEY=value``.
Without that variable, on any machine without systemd, nothing is sent.  A socket that is gone
or full is no reason to stop a gate, so that nothing here raises for it.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping

# systemd reads at most PIPE_BUF bytes of a message (NOTIFY_BUFFER_MAX, 4096) and drops a longer
# one whole; `systemctl status` shows one line.
_LONGEST_STATUS = 480  # bytes
# The socket's queue is full only while the manager is busy or hung; frames do not wait for it.
_PATIENCE = 0.1  # seconds


class ServiceManager:
    """The service manager that started this process, or nobody.

    *address* is the value of ``$NOTIFY_SOCKET``: a path, or a name in the abstract namespace
    with ``@`` in front; empty for nobody.  *watchdog* is within how many seconds it wants to
    hear :meth:`pet`, None for never.  *monotonic_ns* is CLOCK_MONOTONIC in nanoseconds.

    Every method sends one message and returns whether it was sent.
    """

    def __init__(
        self,
        address: str = "",
        watchdog: float | None = None,
        *,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        # Newer systems may name other kinds (vsock:), for a whole virtual machine and not for us.
        self.address = address if address[:1] in ("/", "@") and len(address) > 1 else ""
        self.watchdog = watchdog
        self._monotonic_ns = monotonic_ns

    def ready(self, status: str = "") -> bool:
        """Say that starting, or reloading, is done."""
        return self._send("READY=1", *_status(status))

    def status(self, text: str) -> bool:
        """Show *text*, one line, in ``systemctl status``."""
        return self._send(*_status(text))

    def pet(self) -> bool:
        """Say that the gate is at work: the watchdog starts its count anew."""
        return self._send("WATCHDOG=1")

    def reloading(self, status: str = "") -> bool:
        """Say that the configuration is being read anew; :meth:`ready` has to follow, always.

        The time goes along for ``Type=notify-reload`` (systemd 253 and later), which knows by
        it that this answers its own request; older ones do not read it.
        """
        now = self._monotonic_ns() // 1000
        return self._send("RELOADING=1", f"MONOTONIC_USEC={now}", *_status(status))

    def stopping(self, status: str = "") -> bool:
        """Say that the gate is on its way out."""
        return self._send("STOPPING=1", *_status(status))

    def extend(self, seconds: float) -> bool:
        """Ask for so many *seconds* from now for the start or the stop under way."""
        return self._send(f"EXTEND_TIMEOUT_USEC={max(0, round(seconds * 1e6))}")

    def _send(self, *lines: str) -> bool:
        if not self.address or not lines:
            return False
        address = self.address
        target = b"\0" + os.fsencode(address[1:]) if address[0] == "@" else os.fsencode(address)
        try:
            # A socket per message, a few in a minute: none is there to break, or to be inherited.
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(_PATIENCE)
                return sender.sendto("\n".join(lines).encode(), target) > 0
        except (OSError, ValueError):
            return False


def service_manager(environ: Mapping[str, str], process: int) -> ServiceManager:
    """Return the manager that *environ* names, with its watchdog if that is for *process*.

    ``$WATCHDOG_USEC`` is inherited by every child; ``$WATCHDOG_PID`` says whose it is.
    """
    return ServiceManager(environ.get("NOTIFY_SOCKET", ""), watchdog_seconds(environ, process))


def watchdog_seconds(environ: Mapping[str, str], process: int) -> float | None:
    """Return within how many seconds the watchdog wants a sign of *process*; None for never."""
    try:
        owner = int(environ.get("WATCHDOG_PID", process))
        period = int(environ.get("WATCHDOG_USEC", "0"))
    except ValueError:
        return None
    return period / 1e6 if period > 0 and owner == process else None


def _status(text: str) -> tuple[str, ...]:
    """Return *text* as the line STATUS=, if there is any: one line, no longer than is read."""
    line = " ".join(text.split()).encode(errors="replace")[:_LONGEST_STATUS]
    return (f"STATUS={line.decode(errors='ignore')}",) if line else ()
