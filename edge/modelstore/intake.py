"""Takes finished files out of the watched folder into the store, and tells of each refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edge.errors import MaskgateError, OutputError
from edge.modelfile import Kind, ModelFile
from edge.modelstore import state as states
from edge.modelstore.arrival import LONGEST_PAUSE, PATIENCE, Arrival, Inbox
from edge.modelstore.install import Incomplete, install, refused
from edge.modelstore.settings import UpdateSettings
from edge.modelstore.store import Store, Unfinished
from edge.modelstore.telling import Teller
from edge.modelstore.trialrun import Trial


class Intake:
    """Installs what arrives in *inbox*; *stopping* is asked before each file."""

    def __init__(
        self,
        store: Store,
        inbox: Inbox,
        settings: UpdateSettings,
        released: Mapping[Kind, ModelFile],
        trial: Trial,
        teller: Teller,
        stopping: Callable[[], bool],
    ) -> None:
        self._store, self._inbox, self._settings = store, inbox, settings
        self._released, self._trial, self._teller = released, trial, teller
        self._stopping = stopping

    def look(self, now: float, busy: Callable[[str], None]) -> None:
        """Install what has arrived at *now*; *busy* is told what is done just then."""
        ready = self._inbox.poll(now)
        before = dict(self._inbox.seen)
        try:
            for arrival in ready:
                if self._stopping():
                    return
                busy(f"trying {arrival.shown}")
                if not self._taken(arrival, now):
                    # What keeps one from being taken in keeps the others, too.
                    return
        finally:
            busy("")
            seen = dict(self._inbox.seen)
            if seen != before:
                self._teller.quietly(
                    lambda: self._store.update(lambda s: states.remembered(s, seen), "remembered")
                )

    def _taken(self, arrival: Arrival, now: float) -> bool:
        """Install *arrival*, or refuse it; return False where the store can take nothing now."""
        reason = ""
        try:
            install(
                self._store, arrival.path, arrival.shown, self._settings, self._released,
                self._trial,
            )
        except Unfinished:
            return True
        except OutputError as error:
            # A full disk passes, and says nothing of the file: it is not refused for it.
            if self._inbox.put_off(arrival, now):
                self._teller.say(
                    "model_trouble",
                    f"{error}; {arrival.shown} is tried again by itself, at least every "
                    f"{LONGEST_PAUSE / 60:g} minutes",
                    file=arrival.shown,
                )
            return False
        except Exception as error:
            # Whatever a file brings about, it must not come back every second for ever.
            if isinstance(error, Incomplete) and arrival.settled < PATIENCE:
                self._inbox.wait_for(arrival)
                return True
            if self._stopping():
                # Its trial was cut off with the gate: no reason to call it bad.
                return True
            reason = _reason(arrival, error)
        self._inbox.done(arrival)
        if reason:
            self._refuse(arrival, reason)
        return True

    def _refuse(self, arrival: Arrival, reason: str) -> None:
        if not refused(self._store, arrival.shown, reason):
            # The disk is full or read-only; the journal is told all the same.
            self._teller.say("model_refused", reason, file=arrival.shown)


def _reason(arrival: Arrival, error: Exception) -> str:
    if isinstance(error, MaskgateError):
        return str(error)
    return (
        f"{arrival.shown} cannot be taken in: {type(error).__name__}: {error}; this is a bug in "
        "maskgate; report it with the file"
    )
