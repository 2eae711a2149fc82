"""What outputs that may be slow or away have in common: they tell of it once, and aside."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

Tell = Callable[[str], None]
"""Gets one line without a line end about what is wrong, or right again, with an output.

It is called from the output's own thread, never from the one that shows states, so what it
touches must bear that.
"""

# Reasons come from libraries and drivers; one with a counter in it must not fill the memory.
_MOST_REASONS = 20


class Troubles:
    """Tells each thing that is wrong once until all is right again, and then that.

    *over* is told what is right again, *tell* where there is none.  What they raise is dropped: a
    full disk behind it must not silence the output.  Only one thread at a time may use it.
    """

    def __init__(self, tell: Tell, over: Tell | None = None) -> None:
        self._tell = tell
        self._over = over or tell
        self._told: set[str] = set()

    @property
    def any(self) -> bool:
        """Whether something was told as wrong and nothing as right since."""
        return bool(self._told)

    def wrong(self, line: str) -> None:
        """Tell *line*, unless it was told since all was right."""
        if line not in self._told and len(self._told) < _MOST_REASONS:
            self._told.add(line)
            with suppress(Exception):
                self._tell(line)

    def right(self, line: str) -> None:
        """Tell *line* if something was wrong."""
        if self._told:
            self._told.clear()
            with suppress(Exception):
                self._over(line)
