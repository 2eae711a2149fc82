"""What happened to the models is told once, also while nothing can be written."""

from __future__ import annotations

from pathlib import Path

from edge.modelstore import state as states
from edge.modelstore.state import Change, State
from edge.modelstore.store import Store
from edge.modelstore.telling import Teller
from tests.edge.model_files import FullDisk, released


def noted(store: Store, words: str) -> None:
    store.update(lambda state: states.noted(state, "now", "model_pinned", words))


def turns(teller: Teller, count: int = 1) -> list[str]:
    """Return what is told in *count* turns of work."""
    for _ in range(count):
        teller.pass_on()
        teller.turn_over()
    return [note.words for note in teller.taken()]


def test_a_note_is_passed_on_once_though_that_cannot_be_written(tmp_path: Path) -> None:
    store = FullDisk(tmp_path)
    noted(store, "it is pinned")
    store.full = True
    teller = Teller(store, released())
    assert turns(teller, 5) == [
        "it is pinned", "cannot write the state of the models: No space left on device",
    ]
    store.full = False
    noted(store, "another")
    assert turns(teller, 2) == ["another"]
    assert store.read().told == 2
    assert turns(Teller(store, released())) == []


def test_trouble_that_was_over_is_told_again(tmp_path: Path) -> None:
    teller = Teller(Store(tmp_path), released())
    for turn in ("full", "full, locked", "full, locked", "locked", "full"):
        for words in turn.split(", "):
            teller.trouble(words)
        teller.turn_over()
    assert [note.words for note in teller.taken()] == ["full", "locked", "full"]


class Busy(Store):
    """A store in which a command notes something just before something is told."""

    def update(self, change: Change, name: str = "state") -> State:
        if name == "told" and len(self.read().notes) < 2:
            noted(Store(self.root), "it comes late")
        return super().update(change, name)


def test_a_note_that_comes_while_others_are_passed_on_is_not_lost(tmp_path: Path) -> None:
    store = Busy(tmp_path)
    noted(store, "first")
    teller = Teller(store, released())
    assert turns(teller) == ["first"]
    assert turns(teller) == ["it comes late"]


def test_what_cannot_be_encoded_is_told_escaped(tmp_path: Path) -> None:
    teller = Teller(Store(tmp_path), released())
    teller.say("model_refused", "\ud800\n")
    assert [note.words for note in teller.taken()] == ["\\ud800\\n"]
