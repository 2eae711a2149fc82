"""A gate's own status page, asked over HTTP: how it is, without a broker and without ssh.

Addresses stand in the file that whoever starts the studio names.  No redirect is followed, no
proxy of the environment is used, and an answer is bounded in time and size.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import threading
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

from edge.errors import SourceError, UsageError
from train.studio.password import first_line

PATH = "/state.json"
LARGEST_ANSWER = 65536
ASK_SECONDS = 4.0
_ADDRESS = re.compile(
    r"(https?)://([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::([0-9]{1,5}))?/?"
)


@dataclass(frozen=True, slots=True)
class Page:
    """Where a status page is: *host* and *port*, over TLS where *secure*; *token_file* or ""."""

    host: str
    port: int
    secure: bool = False
    token_file: str = ""

    @property
    def shown(self) -> str:
        return f"{self.host}:{self.port}"


def page_at(address: str, token_file: str = "") -> Page:
    """Return the page at *address*; raises UsageError for what is no address of one."""
    match = _ADDRESS.fullmatch(address)
    port = int(match[3] or (443 if match[1] == "https" else 80)) if match is not None else 0
    if match is None or not 0 < port < 65536:
        raise UsageError(
            f"page is {address[:80]!r}; an address such as http://door.local:8070 is allowed, "
            "without a path"
        )
    return Page(match[2].strip("[]"), port, match[1] == "https", token_file)


def ask(page: Page, seconds: float = ASK_SECONDS) -> dict[str, Any]:
    """Return the state that *page* tells of its gate.

    Raises SourceError, in words, when there is no whole answer within *seconds* of being
    connected, or it is no state; UsageError when the token cannot be read.
    """
    headers = {"Accept": "application/json"}
    if page.token_file:
        headers["Authorization"] = f"Bearer {first_line(page.token_file, 'token')}"
    connection: http.client.HTTPConnection
    if page.secure:
        connection = http.client.HTTPSConnection(page.host, page.port, timeout=seconds)
    else:
        connection = http.client.HTTPConnection(page.host, page.port, timeout=seconds)
    try:
        with closing(connection):
            connection.connect()
            # A timeout of a socket begins anew with every byte; this one does not.
            alarm = threading.Timer(seconds, _hang_up, (connection.sock,))
            alarm.daemon = True
            alarm.start()
            try:
                connection.request("GET", PATH, headers=headers)
                answer = connection.getresponse()
                status, body = answer.status, answer.read(LARGEST_ANSWER + 1)
            finally:
                alarm.cancel()
    except ssl.SSLCertVerificationError as error:
        why = error.verify_message
        raise SourceError(f"{page.shown}: its certificate is not trusted ({why})") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SourceError(f"{page.shown} does not answer ({_why(error, seconds)})") from None
    return _state(page, status, body)


def _state(page: Page, status: int, body: bytes) -> dict[str, Any]:
    if status in (401, 429):
        words = " ".join(body[:200].decode("utf-8", "replace").split())
        raise SourceError(f"{page.shown} wants a token; name its token_file ({words})")
    if 300 <= status < 400:
        raise SourceError(f"{page.shown} sends elsewhere ({status}), which is not followed")
    if status != 200:
        words = " ".join(body[:200].decode("utf-8", "replace").split())
        raise SourceError(f"{page.shown} answers {status}: {words}")
    if len(body) > LARGEST_ANSWER:
        raise SourceError(f"{page.shown} answers with more than {LARGEST_ANSWER} bytes")
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or "state" not in values:
        raise SourceError(f"{page.shown} is no status page of a gate; is another program there?")
    return values


def _hang_up(line: socket.socket | None) -> None:
    if line is not None:
        with suppress(OSError, ValueError):
            line.shutdown(socket.SHUT_RDWR)


def _why(error: Exception, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing within {seconds:g} s; is it on?"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    if isinstance(error, http.client.HTTPException):
        return f"no whole answer: {type(error).__name__}"
    return str(getattr(error, "strerror", None) or error)[:200]
