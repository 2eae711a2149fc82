"""The one password of a studio that others can reach."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path

from edge.errors import UsageError

SHORTEST = 10
LONGEST = 1024
_FREE_TRIES = 5
_LONGEST_PAUSE = 300.0


def first_line(file: str, what: str = "password") -> str:
    """Return the first line of *file*, a *what*; raises UsageError where none can be read."""
    try:
        with Path(file).open(encoding="utf-8") as opened:
            line = opened.readline(LONGEST).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise UsageError(f"{file}: cannot be read ({reason})") from error
    if not line:
        raise UsageError(f"{file}: its first line is empty; write the {what} there")
    return line


class Door:
    """Lets in who knows the *password*; *clock* gives seconds that only go forward.

    Five wrong answers are free; each one more doubles a pause for everybody, up to five minutes,
    so that nobody can try them all.  Only a salted hash of the password is kept.
    """

    def __init__(self, password: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._salt = secrets.token_bytes(16)
        self._hash = self._hashed(password)
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong = 0
        self._closed_until = 0.0

    def opens(self, given: str) -> bool:
        """Return whether *given* is the password; False, unread, during a pause."""
        with self._lock:
            if self.pause() > 0 or len(given) > LONGEST:
                return False
            if hmac.compare_digest(self._hashed(given), self._hash):
                self._wrong = 0
                return True
            self._wrong += 1
            if self._wrong >= _FREE_TRIES:
                pause = min(_LONGEST_PAUSE, 5.0 * 2.0 ** (self._wrong - _FREE_TRIES))
                self._closed_until = self._clock() + pause
            return False

    def pause(self) -> float:
        """Return for how many seconds no answer is looked at."""
        return max(0.0, self._closed_until - self._clock())

    def _hashed(self, text: str) -> bytes:
        return hashlib.scrypt(text.encode(), salt=self._salt, n=2**13, r=8, p=1)
