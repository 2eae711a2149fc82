"""An observer of the service for tests."""

from __future__ import annotations

from collections.abc import Callable

from edge.report.events import Event
from edge.service import Observer


class Told(Observer):
    """Hands every event to *tell*."""

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell

    def event(self, event: Event) -> None:
        self._tell(event)
