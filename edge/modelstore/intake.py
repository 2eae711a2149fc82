"""Takes finished files out of the watched folder into the store, and tells of each refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edge.errors import MaskgateError
from edge.modelfile import Kind, ModelFile
from edge.modelstore import state as states
from edge.modelstore.arrival import PATIENCE, Arrival, Inbox
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
                self._take(arrival)
        finally:
            busy("")
            seen = dict(self._inbox.seen)
            if seen != before:
                self._teller.quietly(
                    lambda: self._store.update(lambda s: states.remembered(s, seen), "remembered")
                )

    def _take(self, arrival: Arrival) -> None:
        try:
            install(
                self._store, arrival.path, arrival.shown, self._settings, self._released,
                self._trial,
            )
        except Unfinished:
            return
        except Incomplete as error:
            if arrival.settled < PATIENCE:
                self._inbox.wait_for(arrival)
                return
            self._refuse(arrival, str(error))
        except MaskgateError as error:
            if self._stopping():
                # Its trial was cut off with the gate: no reason to call it bad.
                return
            self._refuse(arrival, str(error))
        self._inbox.done(arrival)

    def _refuse(self, arrival: Arrival, reason: str) -> None:
        if not refused(self._store, arrival.shown, reason):
            # The disk is full or read-only; the journal is told all the same.
            self._teller.say("model_refused", reason, file=arrival.shown)
