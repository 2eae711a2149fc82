"""The status page as one part of the gate: opened from its settings, told by the loop, closed."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

from edge.errors import OutputError
from edge.status.access import Doorkeeper
from edge.status.poster import Judges, Poster
from edge.status.preview import Preview
from edge.status.server import Server
from edge.status.settings import StatusSettings, is_loopback, read_token
from edge.status.site import Site


class StatusPage:
    """Serves the page that *settings* describe, which must be enabled, until it is closed.

    *problems* gets a line, from another thread, about what should never happen.  *title* is what
    people call the gate, "" for the host's name.  *counts* are what was counted today before, by
    the names in ``alerts.board.COUNTED``.

    Attributes: *poster*, the observer and output that tells it how the gate is; *url*, where it
    is.

    Raises OutputError when the port cannot be had, the token cannot be read, or
    prometheus-client is missing.
    """

    def __init__(
        self,
        settings: StatusSettings,
        problems: Callable[[str], None],
        *,
        title: str = "",
        counts: Mapping[str, int] | None = None,
    ) -> None:
        token = read_token(settings.token_file)
        preview = (
            Preview(settings.preview_fps, settings.preview_hide_faces) if settings.preview else None
        )
        self.poster = Poster(preview, counts=counts)
        doorkeeper = Doorkeeper(
            token, own_names_only=is_loopback(settings.address), names=settings.names
        )
        site = Site(
            self.poster.status, doorkeeper, title=title or socket.gethostname(), preview=preview
        )
        try:
            self._server = Server(settings.address, settings.port, site, problems)
        except OSError as error:
            raise OutputError(
                f"port {settings.port} at {settings.address} cannot be used "
                f"({error.strerror or error}); set another [status] port or address"
            ) from None
        self.url = self._server.url

    def use(self, judges: Judges, hang_seconds: float) -> None:
        """Tell of these networks from now on; see :meth:`Poster.use`."""
        self.poster.use(judges, hang_seconds)

    def close(self) -> None:
        """End the page within seconds; may be called twice."""
        self._server.close()
