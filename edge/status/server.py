"""The status page's sockets: few visitors at a time, none of whom can keep others waiting.

A visitor has seconds for the whole request, and the answer, and the connection ends with it.
When all places are taken, whoever has been sending a request for longest loses theirs: a crowd
that asks for nothing does not keep out one who does.
"""

from __future__ import annotations

import http
import io
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from socketserver import TCPServer
from typing import Any, cast

from edge.status.settings import url_at
from edge.status.site import STRICT, Answer, Request, Site, words

MOST_VISITORS = 16
REQUEST_SECONDS = 5.0
_ANSWER_SECONDS = 5.0
_PLACE_SECONDS = 0.5
_DRAIN_SECONDS = 1.0
_LOOK_SECONDS = 0.25
# A request line, then that and all headers; cookies of other services come along.
_LONGEST_LINE = 2048
_MOST_BYTES = 16 * 1024
_MOST_BODY = 1024
_MOST_DRAINED = 64 * 1024


class Server(ThreadingHTTPServer):
    """Serves *site* at *address* and *port*, 0 for any that is free, until it is closed.

    *problems* gets a line about what should never happen.  Raises OSError where the port cannot
    be had.
    """

    daemon_threads = True
    block_on_close = False
    # Whoever finds this queue full tries again a second later, so that a crowd would be felt.
    request_queue_size = 128

    def __init__(
        self,
        address: str,
        port: int,
        site: Site,
        problems: Callable[[str], None],
        *,
        most: int = MOST_VISITORS,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        self.site = site
        self.request_seconds = request_seconds
        self.visitors = _Visitors(most)
        self._problems = problems
        self._told: set[str] = set()
        version = ip_address(address).version
        self.address_family = socket.AF_INET if version == 4 else socket.AF_INET6
        super().__init__((address, port), _Visit)
        self._thread = threading.Thread(
            target=self.serve_forever, args=(_LOOK_SECONDS,), name="maskgate-status", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is served."""
        host, port = str(self.server_address[0]), self.server_address[1]
        if ip_address(host).is_unspecified:
            host = socket.gethostname()
        return url_at(host, port)

    def close(self) -> None:
        """Hang up on everyone and give the port back, within seconds; may be called twice."""
        self.shutdown()
        self.server_close()
        self.visitors.hang_up()
        self._thread.join(2.0)

    def server_bind(self) -> None:
        if self.server_address[0] == "::":
            # All addresses are those of both kinds.
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # The base class asks the network for the host's full name, which may take long.
        TCPServer.server_bind(self)
        host, self.server_port = self.server_address[:2]
        self.server_name = str(host)

    def get_request(self) -> tuple[socket.socket, Any]:
        try:
            return super().get_request()
        except OSError:
            # With no file handle left the connection stays, and would be tried for without end.
            time.sleep(_LOOK_SECONDS)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        if self.visitors.enter(request):
            super().process_request(request, client_address)
            return
        request.setblocking(False)
        with suppress(OSError):
            request.send(_bytes(words(503, "too many visitors", (("Retry-After", "1"),))))
        self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.visitors.leave(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        self.told_once("a connection could not be served; the system has no room for a thread")

    def told_once(self, line: str) -> None:
        """Tell *line*, unless it was told before."""
        if line not in self._told and len(self._told) < MOST_VISITORS:
            self._told.add(line)
            with suppress(Exception):
                self._problems(f"status page: {line}")


class _Visitors:
    """Connections that are open, *most* at a time, and which of them have not asked yet."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition()
        # In the order in which they came; true until the request is there.
        self._here: dict[socket.socket, bool] = {}

    def enter(self, connection: socket.socket) -> bool:
        """Return whether there is a place for *connection*, made by hanging up on a slow one."""
        with self._changed:
            if len(self._here) >= self._most:
                slow = next((one for one, asking in self._here.items() if asking), None)
                if slow is not None:
                    self._here[slow] = False
                    _hang_up(slow)
                self._changed.wait_for(lambda: len(self._here) < self._most, _PLACE_SECONDS)
            free = len(self._here) < self._most
            if free:
                self._here[connection] = True
            return free

    def asked(self, connection: socket.socket) -> None:
        """Note that the request of *connection* is there."""
        with self._changed:
            if connection in self._here:
                self._here[connection] = False

    def leave(self, connection: socket.socket) -> None:
        """Free the place of *connection*, if it has one."""
        with self._changed:
            self._here.pop(connection, None)
            self._changed.notify_all()

    def hang_up(self) -> None:
        """End every connection."""
        with self._changed:
            for connection in self._here:
                _hang_up(connection)


class _TooLong(Exception):
    """Raised when a request is longer than any that is asked here."""


class _Arriving(io.RawIOBase):
    """What *connection* sends until a deadline for all of it, and at most so many bytes.

    *ended* says that the other side sends no more.
    """

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._connection = connection
        self._deadline = time.monotonic() + seconds
        self._left = _MOST_BYTES
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        if self._left <= 0:
            raise _TooLong
        # A time-out for each read alone would let one byte a second go on for hours.
        self._connection.settimeout(seconds)
        count = self._connection.recv_into(memoryview(buffer)[: self._left])
        self._left -= count
        self.ended = count == 0
        return count


class _Visit(BaseHTTPRequestHandler):
    """One connection, one request, one answer."""

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self._server = cast(Server, self.server)
        self._arriving = _Arriving(self.connection, self._server.request_seconds)
        self.rfile = io.BufferedReader(self._arriving, _LONGEST_LINE)

    def handle(self) -> None:
        self.close_connection = True
        self.command = ""
        try:
            try:
                request = self._asked()
            except _TooLong:
                self._refuse(431, "the request is too long")
                return
            if request is None:
                return
            self._server.visitors.asked(self.connection)
            try:
                answer = self._server.site.answer(request)
            except Exception as error:  # a mistake in the page must not cost more than one answer
                what = f"{type(error).__name__}: {error}"
                self._server.told_once(f"{request.path[:40]!r} failed, {what}")
                answer = words(500, "the gate could not make this page")
            self._send(answer)
        except OSError:
            # Gone, or too slow.
            return

    def _asked(self) -> Request | None:
        """Return what is asked for; None when it was nothing that can be answered."""
        self.raw_requestline = self.rfile.readline(_LONGEST_LINE + 1)
        if not self.raw_requestline:
            return None
        if len(self.raw_requestline) > _LONGEST_LINE:
            self._refuse(414, "the address is too long")
            return None
        # The library takes headers that break off for all of them.
        if not self.parse_request() or self._arriving.ended:
            return None
        headers = {name.lower(): value for name, value in self.headers.items()}
        # A proxy may pass on a browser's cookies one by one.
        headers["cookie"] = "; ".join(self.headers.get_all("Cookie", []))
        hosts = self.headers.get_all("Host", [])
        if len(hosts) > 1 or not (hosts or self.request_version == "HTTP/1.0"):
            self._refuse(400, "one Host header is needed")
            return None
        body = b""
        if self.command == "POST":
            length = headers.get("content-length", "")
            if "transfer-encoding" in headers or not (length.isascii() and length.isdigit()):
                self._refuse(411, "a Content-Length is needed")
                return None
            if len(length) > 9 or int(length) > _MOST_BODY:
                self._refuse(413, f"too much is sent; allowed: {_MOST_BODY} bytes")
                return None
            body = self.rfile.read(int(length))
            if len(body) < int(length):
                return None
        return Request(self.command, self.path, headers, str(self.client_address[0]), body)

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        # What was sent may be in the message; it is not sent back.
        self._refuse(code, http.HTTPStatus(code).phrase)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: who looked is kept nowhere."""

    def _send(self, answer: Answer) -> None:
        self.connection.settimeout(_ANSWER_SECONDS)
        # sendall's time is for all of it, however little the other side takes at a time.
        self.connection.sendall(_bytes(answer, self.command != "HEAD"))

    def _refuse(self, status: int, why: str) -> None:
        """Answer *why*, and take the rest of what is sent, without which it would be lost."""
        self._send(words(status, why))
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            until = time.monotonic() + _DRAIN_SECONDS
            for _ in range(_MOST_DRAINED // 4096):
                self.connection.settimeout(max(0.01, until - time.monotonic()))
                if not self.connection.recv(4096) or time.monotonic() > until:
                    return


def _bytes(answer: Answer, with_body: bool = True) -> bytes:
    """Return *answer* as it is sent."""
    headers = [
        ("Content-Type", answer.kind),
        ("Content-Length", str(len(answer.body))),
        ("Connection", "close"),
        ("Content-Security-Policy", answer.policy),
        *STRICT,
        *answer.headers,
    ]
    lines = [f"HTTP/1.1 {answer.status} {http.HTTPStatus(answer.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers]
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    return head + answer.body if with_body else head


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
