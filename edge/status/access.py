"""Who may see the page: tokens, those who are logged in, and those who guess."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

COOKIE = "maskgate"
SESSION_SECONDS = 12 * 3600
# People with the token, each with a few browsers; the one that is oldest goes.
_MOST_SESSIONS = 32
# Wrong tokens from one address within a minute; then it waits for that minute's end.
_MOST_WRONG = 5
_WRONG_SECONDS = 60.0
_MOST_ADDRESSES = 512
_IPV6_NETWORK = 64
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?")


class Doorkeeper:
    """Lets in who has *token*, or whom it gave a cookie for it; everyone where it is None.

    With *own_names_only*, as is right at a loopback address, requests have to be for a name of
    the device itself: a page from elsewhere, whose name was made to mean this device, gets
    nothing.  *names* are allowed besides.  *clock* gives seconds that never go back.  Threads may
    share it.
    """

    def __init__(
        self,
        token: str | None,
        *,
        own_names_only: bool,
        names: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._token = None if token is None else _digest(token)
        self._own_names_only = own_names_only
        self._names = frozenset(name.lower() for name in names)
        self._clock = clock
        self._turns = threading.Lock()
        self._sessions: OrderedDict[str, float] = OrderedDict()
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()

    @property
    def asks(self) -> bool:
        """Whether a token is needed."""
        return self._token is not None

    def knows_host(self, host: str) -> bool:
        """Return whether a request may be for *host*, as its header says."""
        return (
            not self._own_names_only or is_own_name(host) or _name_in(host) in self._names
        )

    def lets_in(self, cookie: str) -> bool:
        """Return whether the header *cookie* holds one that was given out, or none is needed."""
        return self._token is None or any(map(self._holds, sessions_in(cookie)))

    def wait(self, address: str) -> int:
        """Return for how many seconds *address*, which guessed too often, is not listened to."""
        with self._turns:
            times = self._lately(address)
            if len(times) < _MOST_WRONG:
                return 0
            return max(1, round(times[0] + _WRONG_SECONDS - self._clock()))

    def is_token(self, given: str, address: str) -> bool:
        """Return whether *given* is the token; note that *address* was wrong where it is not."""
        if self._token is None or hmac.compare_digest(_digest(given), self._token):
            return True
        with self._turns:
            key = _network(address)
            self._wrong[key] = [*self._lately(address), self._clock()][-_MOST_WRONG:]
            self._wrong.move_to_end(key)
            while len(self._wrong) > _MOST_ADDRESSES:
                self._wrong.popitem(last=False)
        return False

    def log_in(self) -> str:
        """Return a new session's name, for a cookie."""
        name = secrets.token_urlsafe(32)
        with self._turns:
            self._sessions[name] = self._clock()
            while len(self._sessions) > _MOST_SESSIONS:
                self._sessions.popitem(last=False)
        return name

    def log_out(self, cookie: str) -> None:
        """End the session that the header *cookie* names, if there is one."""
        with self._turns:
            for session in sessions_in(cookie):
                self._sessions.pop(session, None)

    def _holds(self, session: str) -> bool:
        # 256 random bits: whoever times this look-up learns nothing that helps to guess them.
        with self._turns:
            began = self._sessions.get(session)
            return began is not None and self._clock() - began < SESSION_SECONDS

    def _lately(self, address: str) -> list[float]:
        now = self._clock()
        times = self._wrong.get(_network(address), [])
        return [one for one in times if now - one < _WRONG_SECONDS]


def is_own_name(host: str) -> bool:
    """Return whether *host*, a Host header, names the device from the device itself."""
    name = _name_in(host)
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _name_in(host: str) -> str:
    """Return the name in a Host header, "" where it holds none."""
    match = _HOST.fullmatch(host)
    return "" if match is None else match[1].rstrip(".").lower()


def sessions_in(header: str) -> list[str]:
    """Return what a Cookie header holds under the name of ours, which others may use as well."""
    # Other services on this host send theirs along, and not all of them as the standard wants it,
    # at which the standard library stops to read.
    pairs = (part.partition("=") for part in header.split(";"))
    return [value.strip() for name, _, value in pairs if name.strip() == COOKIE]


def _digest(token: str) -> bytes:
    # Of equal lengths, so that the comparison does not tell the token's.
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _network(address: str) -> str:
    """Return *address*, of IPv6 the network: one machine has all of those."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _IPV6_NETWORK), strict=False))
