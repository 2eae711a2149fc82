"""What happened to the models, told once: to the gate's journal and in the status file."""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping

from edge.cardfields import printable
from edge.errors import MaskgateError
from edge.modelfile import Kind, ModelFile
from edge.modelstore import state as states
from edge.modelstore.state import Note, NoteKind
from edge.modelstore.status import status_line, status_values
from edge.modelstore.store import Store

_MOST_NOTES = 100
_STATUS_EVERY = 600.0  # seconds; a memory card wears by writing


class Teller:
    """Passes on the notes of *store*, and what could not be written there.

    Notes may be taken from another thread than they come from.
    """

    def __init__(self, store: Store, released: Mapping[Kind, ModelFile]) -> None:
        self._store, self._released = store, released
        self._notes: queue.Queue[Note] = queue.Queue(maxsize=_MOST_NOTES)
        # Trouble of the last turn of work, and of this one.
        self._before: set[str] = set()
        self._trouble: set[str] = set()
        # The last note passed on, while that cannot be written down.
        self._passed = 0
        self._status = ("", 0.0)

    def taken(self) -> tuple[Note, ...]:
        """Return the notes since the last call; never waits."""
        found = []
        while True:
            try:
                found.append(self._notes.get_nowait())
            except queue.Empty:
                return tuple(found)

    def say(self, event: NoteKind, words: str, model: str = "", file: str = "") -> None:
        """Tell something that is not in the state file."""
        fit = printable(words, states.LONGEST_WORDS)
        self._put(Note(0, self._store.today(), event, fit, model, file))

    def trouble(self, words: str) -> None:
        """Tell of trouble with the store, not again and again of the same."""
        if words not in self._before | self._trouble:
            self.say("model_trouble", words)
        self._trouble.add(words)

    def turn_over(self) -> None:
        """End a turn of work: trouble that was not in it is over, and told if it comes back."""
        self._before, self._trouble = self._trouble, set()

    def quietly(self, do: Callable[[], object]) -> bool:
        """Do what may fail without harm; tell of it if it does, and return whether it went well."""
        try:
            do()
        except MaskgateError as error:
            self.trouble(str(error))
            return False
        return True

    def untold(self, event: NoteKind) -> str:
        """Return the words of the notes of *event* that were not passed on yet; "" for none."""
        try:
            state = self._store.read()
        except MaskgateError:
            return ""
        return "; ".join(n.words for n in state.notes if n.number > state.told and n.event == event)

    def pass_on(self) -> None:
        """Pass on the notes of the state file, those of commands and of earlier runs too.

        Each once, even while it cannot be written down that it was.
        """
        try:
            state = self._store.read()
        except MaskgateError:
            return
        new = [note for note in state.notes if note.number > state.told]
        if not new:
            return
        for note in new:
            if note.number > self._passed:
                self._put(note)
        last = new[-1].number
        written = self.quietly(lambda: self._store.update(lambda s: states.told(s, last), "told"))
        self._passed = 0 if written else last

    def write_status(self, running: Mapping[Kind, str], activity: str, now: float) -> None:
        """Write the status file if it is to say something else, or is ten minutes old.

        So its age tells whether the gate lives.
        """
        try:
            state = self._store.read()
        except MaskgateError:
            return
        line = status_line(status_values(state, self._released, running, activity))
        if line != self._status[0] or now - self._status[1] > _STATUS_EVERY:
            self._store.write_status(line)
            self._status = (line, now)

    def _put(self, note: Note) -> None:
        try:
            self._notes.put_nowait(note)
        except queue.Full:
            # Nobody has taken notes for long; the newest are in the state file.
            return
