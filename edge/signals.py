"""What the system and the person at the keyboard ask of a running gate."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = "stopped by Ctrl-C"
TERMINATED = "stopped by SIGTERM"
HUNG_UP = "stopped by SIGHUP, its session was closed"


class Stopped(BaseException):
    """Raised when the gate is to stop while it waits for what cannot be asked to wait no longer.

    Like KeyboardInterrupt it is no error: nobody who mends errors may keep it to themselves.
    """


class Signals:
    """Turns Ctrl-C, SIGTERM and SIGHUP into a *reason* to stop; a second one stops at once.

    With *reloads* a SIGHUP asks for the configuration to be read again instead.  Otherwise it
    is never a second one: the end of a session sends it along with SIGTERM.  Under nohup, which
    has it ignored, it stays ignored.  Use it as a context manager, in the main thread.
    """

    def __init__(self, *, reloads: bool = False) -> None:
        self.reason = ""
        self._reloads = reloads
        self._reload = False
        self._at_once = False
        self._words = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}
        self._hangup = getattr(signal, "SIGHUP", None)
        ignored = self._hangup and signal.getsignal(self._hangup) is signal.SIG_IGN
        if self._hangup and (reloads or not ignored):
            self._words[self._hangup] = HUNG_UP
        self._before: dict[signal.Signals, object] = {}

    def reload_asked(self) -> bool:
        """Return whether a SIGHUP has come since the last call."""
        asked, self._reload = self._reload, False
        return asked

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Raise Stopped, while inside, as soon as there is a *reason* to stop.

        For what takes seconds and asks nobody, such as a camera that does not answer.
        """
        self._at_once = True
        try:
            if self.reason:
                raise Stopped
            yield
        finally:
            self._at_once = False

    def __enter__(self) -> Signals:
        self._before = {number: signal.signal(number, self._note) for number in self._words}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._reloads and number == self._hangup:
            self._reload = True
        elif not self.reason:
            self.reason = self._words[signal.Signals(number)]
            if self._at_once:
                raise Stopped
        elif number != self._hangup:
            raise KeyboardInterrupt
