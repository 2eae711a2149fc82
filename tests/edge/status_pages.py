"""A status page that is really served, for whoever tests one."""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass
from types import SimpleNamespace

from edge.camera.frame import Frame
from edge.gate.policy import Gate, GateState
from edge.status.access import Doorkeeper
from edge.status.poster import Poster
from edge.status.preview import Preview
from edge.status.server import Server
from edge.status.site import Site
from edge.watch import Scene, Settings

TOKEN = "0123456789abcdef"
JUDGES = SimpleNamespace(words=("detector 3 (abc)", "classifier 4 (def)"), settings=Settings())


@dataclass
class Answered:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Served:
    """A site at a free port of the loopback address, and what tells it how the gate is."""

    def __init__(self, *, token: str | None = None, preview: bool = False, **limits: float) -> None:
        self.problems: list[str] = []
        self.preview = Preview(10, hide_faces=True) if preview else None
        self.poster = Poster(self.preview)
        self.poster.use(JUDGES, 60.0)
        self.doorkeeper = Doorkeeper(token, own_names_only=True)
        self.site = Site(
            self.poster.status, self.doorkeeper, title="Main door", preview=self.preview
        )
        self.server = Server("127.0.0.1", 0, self.site, self.problems.append, **limits)
        self.port = int(self.server.server_address[1])

    def see(self, frame: Frame, state: GateState = GateState.IDLE, scene: Scene | None = None):
        """Let the gate's loop turn once."""
        self.poster.show(state)
        self.poster.seen(frame, scene or Scene(gate=Gate(state)), 0.0)

    def ask(self, path: str, method: str = "GET", body: str | None = None, **headers: str):
        """Return what *path* answers; ``_`` in names of headers stands for ``-``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return Answered(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        """Return a connection through which nothing is asked yet."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def send(self, sent: bytes) -> bytes:
        """Return all that comes back for the bytes *sent*."""
        with self.connect() as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            return everything(connection)


def everything(connection: socket.socket) -> bytes:
    """Return what comes until the other side hangs up."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)
