"""Parts that go on from one configuration to the next while the settings they were made of stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from edge.camera.fault import Fault
from edge.camera.frame import Frame, Source, remarks_of

T = TypeVar("T")


class Kept:
    """Parts by name, each with the settings it was made of; all are closed at the block's end."""

    def __init__(self) -> None:
        self._parts: dict[str, tuple[object, Any, Callable[[], object]]] = {}

    def get(
        self, name: str, settings: object, make: Callable[[], T], close: Callable[[T], object]
    ) -> T:
        """Return the part *name* made of *settings*: the one there is, or a new one from *make*.

        One of other settings is closed first: two at a time cannot have one camera.
        """
        if name in self._parts and self._parts[name][0] == settings:
            part: T = self._parts[name][1]
            return part
        self.drop(name)
        made = make()
        self._parts[name] = (settings, made, lambda: close(made))
        return made

    def drop(self, name: str) -> None:
        """Close the part *name*, if there is one."""
        if name in self._parts:
            self._parts.pop(name)[2]()

    def abandon(self, name: str) -> None:
        """Let go of the part *name* without closing it."""
        self._parts.pop(name, None)

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the newest first.  What one raises is raised once all were tried."""
        errors = []
        for name in reversed(list(self._parts)):
            try:
                self.drop(name)
            except Exception as error:  # the camera must be given back whatever the disk says
                errors.append(error)
        if errors:
            raise errors[0]


class Lent:
    """*source*, which whoever gets it cannot close: it goes on afterwards."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.name = source.name
        self.frames_per_second = source.frames_per_second
        self.live = source.live

    @property
    def remarks(self) -> tuple[str, ...]:
        return remarks_of(self._source)

    def read(self, timeout: float) -> Frame | Fault | None:
        return self._source.read(timeout)

    def close(self) -> None:
        """Do nothing: the source is closed by whoever opened it."""
