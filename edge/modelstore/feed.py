"""Gives the gate at work the models to run: at the start, and new ones between two frames.

Everything slow or dangerous is done in a thread of its own or in a child process; what the gate
calls between two frames, :meth:`ModelFeed.poll` and :meth:`ModelFeed.saw`, returns at once.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edge.errors import MaskgateError, ModelError, OutputError
from edge.modelfile import Kind, ModelFile
from edge.modelstore import state as states
from edge.modelstore.arrival import Inbox
from edge.modelstore.intake import Intake
from edge.modelstore.loading import Loaded, Loaders, chosen_file, load
from edge.modelstore.probation import Tally, counted, insane, summed
from edge.modelstore.settings import UpdateSettings
from edge.modelstore.state import KINDS, Note, State, words_of
from edge.modelstore.store import Store
from edge.modelstore.telling import Teller
from edge.modelstore.trialrun import Passed, Trial, run_trial
from edge.vision.classifier import MaskClassifier
from edge.vision.detector import FaceDetector

_LOOK_AGAIN = 1.0  # seconds
_LONGEST_GOODBYE = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Swap:
    """A model to run from the next frame on, in place of the one of its kind.

    Exactly one of *detector* and *classifier* is set, loaded and warmed up.  *model* is its file,
    for settings that depend on its card and for events that name it.  *words* say what happened;
    *back* whether it is the return of one that ran before.
    """

    kind: Kind
    model: ModelFile
    words: str
    back: bool
    detector: FaceDetector | None = None
    classifier: MaskClassifier | None = None


class ModelFeed:
    """The models of one gate: kept in *store*, copied into *inbox*, released ones as last resort.

    *released* are the models that came with the program.  Call :meth:`start` once, then
    :meth:`poll` and :meth:`saw` between frames, and :meth:`close` at the end in good order; a
    program that ends without it has a model on probation rolled back at its next start.  With
    *threaded* false nothing runs beside the caller, who calls :meth:`work` instead.
    """

    def __init__(
        self,
        store: Store,
        inbox: Inbox | None,
        settings: UpdateSettings,
        released: Mapping[Kind, ModelFile],
        loaders: Loaders,
        *,
        trial: Trial | None = None,
        threaded: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._inbox, self._settings = store, inbox, settings
        self._released, self._loaders, self._clock = released, loaders, clock
        self._threaded = threaded
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._held = ExitStack()
        self._alone = True
        self._teller = Teller(store, released)
        self._intake = None if inbox is None else Intake(
            store, inbox, settings, released, trial or self._run_trial, self._teller,
            self._stop.is_set,
        )
        self._offers: queue.Queue[Swap] = queue.Queue(maxsize=2 * len(KINDS))
        # Written by the gate's thread, read by ours; whole values, never changed in place.
        self._taken: dict[Kind, str] = {}
        self._tallies: dict[Kind, Tally] = dict.fromkeys(KINDS, Tally())
        self._size = (0, 0)
        self._last_frame: float | None = None
        self._errors: queue.Queue[tuple[str, dict[Kind, str]]] = queue.Queue(maxsize=1)
        self._faulty: dict[Kind, str] = {}
        # Ours.  What was counted before a model on probation, and with it in earlier starts.
        self._before: dict[Kind, Tally] = {}
        self._earlier: dict[Kind, Tally] = {}
        self._offered: dict[Kind, str] = {}
        self._on_probation: dict[Kind, str] = {}
        # Rolled back here, and why; the state file does not say so yet.
        self._unwritten: dict[Kind, tuple[str, str]] = {}
        self._stamp = (-1, -1)
        self._activity = ""
        self._went_back = ""

    def start(self) -> tuple[FaceDetector, MaskClassifier]:
        """Recover what an interrupted run left, and return the two models to begin with.

        Of every broken model the one before it is tried, down to the released ones.  Raises
        ModelError when not even a released one can be loaded.
        """
        self._alone = self._held.enter_context(self._store.held())
        if not self._alone:
            self._teller.say("model_trouble", "another maskgate is at work; updates are its task")
        state = self._recovered()
        if self._inbox is not None:
            self._inbox.seen.update(state.seen)
        try:
            detector = self._first("face-detector", state).detector
            classifier = self._first("mask-classifier", state).classifier
        except BaseException:
            self._held.close()
            raise
        assert detector is not None and classifier is not None
        if self._alone:
            self._went_back = self._teller.untold("model_rolled_back")
            self._tell()
            if self._threaded:
                self._thread = threading.Thread(target=self._watch, name="models", daemon=True)
                self._thread.start()
        return detector, classifier

    def poll(self) -> Swap | None:
        """Return a model to run from the next frame on, None where there is none; never waits."""
        try:
            swap = self._offers.get_nowait()
        except queue.Empty:
            return None
        self._tallies[swap.kind] = Tally()
        self._taken[swap.kind] = swap.model.sha256
        return swap

    def went_back(self) -> str:
        """Return, once, which model was rolled back before the start or by it; "" for none."""
        words, self._went_back = self._went_back, ""
        return words

    def saw(
        self, now: float, faces: int, left: Sequence[str] = (), size: tuple[int, int] = (0, 0)
    ) -> None:
        """Count one fresh frame, processed at *now* seconds of a monotonic clock.

        *faces* were found in it, people with the verdicts *left* went away, and it was *size*
        (width, height) pixels, for which new models are made ready.
        """
        gap = 0.0 if self._last_frame is None else now - self._last_frame
        self._last_frame, self._size = now, size
        for kind in KINDS:
            self._tallies[kind] = counted(self._tallies[kind], gap, faces, left)

    def failed(self, reason: str) -> bool:
        """Say that a network raised an error at work; return whether another takes its place.

        That is so for a model on probation: it is rolled back, and :meth:`poll` gives the one
        before it within a few seconds.  Until then errors are to be expected and this is true.
        """
        if on_probation := dict(self._on_probation):
            self._faulty = on_probation
            with suppress(queue.Full):
                self._errors.put_nowait((reason, on_probation))
        return any(self._taken.get(kind) == sha for kind, sha in self._faulty.items())

    def notes(self) -> tuple[Note, ...]:
        """Return what happened since the last call, for the journal; never waits."""
        return self._teller.taken()

    def close(self) -> None:
        """End in good order: a model on probation keeps its time, and is tried on at next start."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_LONGEST_GOODBYE)
        if self._on_probation and self._alone:
            since = {kind: self._since(kind) for kind in self._on_probation}

            def change(state: State) -> State:
                for kind, sha in self._on_probation.items():
                    if state.slot(kind).active == sha:
                        state = states.stopped(state, kind, since[kind])
                return state

            self._teller.quietly(lambda: self._store.update(change, "stopped"))
        self._held.close()

    def work(self, now: float) -> None:
        """Do what is to be done at *now*: take in files, judge probation, make models ready."""
        try:
            if self._intake is not None:
                self._intake.look(now, self._busy)
        finally:
            # Whatever comes in, what runs is watched and what was chosen is made ready.
            self._follow()

    def _follow(self) -> None:
        self._judge()
        stamp = self._store.stamp()
        if stamp != self._stamp or len(self._offered) < len(KINDS):
            state = self._store.read()
            for kind in KINDS:
                if kind not in self._unwritten:
                    state = self._offer(kind, state)
            # What was read, not what is now: a change in between is seen the next time.
            self._stamp = stamp
        self._tell()

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK_AGAIN):
            try:
                self.work(self._clock())
            except MaskgateError as error:
                self._teller.trouble(str(error))
            except Exception as error:
                # The gate must go on whatever goes wrong in here; the next look tries again.
                kind = type(error).__name__
                self._teller.trouble(f"updates failed: {kind}: {error}; this is a bug")
            self._teller.turn_over()

    def _recovered(self) -> State:
        versions = {kind: model.card.version for kind, model in self._released.items()}
        try:
            if self._alone:
                return self._store.recover(versions)
        except MaskgateError as error:
            self._teller.trouble(f"{error}; models on probation do not run until then")
        try:
            return states.unproved_left_out(self._store.read())
        except MaskgateError:
            return State()

    def _first(self, kind: Kind, state: State) -> Loaded:
        """Return the loaded model of *kind* to begin with."""
        while True:
            known = state.active(kind)
            try:
                if state.slot(kind).probation is not None:
                    state = self._store.update(lambda s: states.started(s, kind), "counted")
                    self._watch_over(kind, state)
                model = chosen_file(
                    self._store, state, kind, self._released, self._settings.keys
                )
                loaded = load(self._loaders, model, self._size)
                self._store.step("loaded")
                self._taken[kind] = self._offered[kind] = model.sha256
                return loaded
            except OutputError as error:
                self._teller.trouble(f"{error}; models on probation do not run until then")
                state = states.unproved_left_out(state)
            except ModelError as error:
                if known is None:
                    raise
                state = self._given_up(kind, state, str(error))

    def _watch_over(self, kind: Kind, state: State) -> None:
        slot = state.slot(kind)
        if slot.probation is not None:
            self._on_probation[kind] = slot.active
            self._before[kind] = slot.probation.before
            self._earlier[kind] = slot.probation.since

    def _offer(self, kind: Kind, state: State) -> State:
        """Load what *state* wants as *kind*, if it is not offered yet, and offer it to the gate."""
        while True:
            known, slot = state.active(kind), state.slot(kind)
            wanted = known.sha256 if known is not None else self._released[kind].sha256
            if self._offered.get(kind) == wanted:
                return state
            if self._offers.full():
                self._offered.pop(kind, None)
                return state
            try:
                if slot.probation is not None:
                    state = self._counted(kind, self._tallies[kind])
                    self._watch_over(kind, state)
                model = chosen_file(
                    self._store, state, kind, self._released, self._settings.keys
                )
                loaded = load(self._loaders, model, self._size)
                self._store.step("loaded")
            except ModelError as error:
                if known is None:
                    raise
                state = self._given_up(kind, state, str(error))
                continue
            back = slot.probation is None
            words = f"{words_of(known, kind)} runs from now on{'' if back else ', on probation'}"
            # Told before it is offered: the gate may take it, and tell of it, at once.
            self._teller.say("model_running", words, words_of(known, kind))
            self._offers.put_nowait(
                Swap(kind, model, words, back, loaded.detector, loaded.classifier)
            )
            self._offered[kind] = wanted
            self._store.step("offered")
            return state

    def _counted(self, kind: Kind, before: Tally) -> State:
        return self._store.update(lambda s: states.started(s, kind, before), "counted")

    def _since(self, kind: Kind) -> Tally:
        """Return what was counted with *kind*'s model on probation, in earlier starts too."""
        earlier = self._earlier.get(kind, Tally())
        if self._taken.get(kind) != self._on_probation.get(kind):
            return earlier
        return summed(earlier, self._tallies[kind])

    def _judge(self) -> None:
        """Roll back what does not run well, trust what has run well for long enough."""
        for kind, (sha, why) in list(self._unwritten.items()):
            self._written_back(kind, sha, why)
        asked = self._settings.probation_minutes * 60
        error, faulty = ("", {}) if self._errors.empty() else self._errors.get_nowait()
        for kind, sha in list(self._on_probation.items()):
            state = self._store.read()
            if state.slot(kind).active != sha or state.slot(kind).probation is None:
                del self._on_probation[kind]
                continue
            if self._taken.get(kind) != sha:
                continue
            since = self._since(kind)
            before = self._before.get(kind, Tally())
            # An error may have waited here for longer than the model that raised it.
            reason = error if faulty.get(kind) == sha else ""
            reason = reason or insane(before, since, self._settings.slow_factor, asked)
            if reason:
                self._offer(kind, self._given_up(kind, state, reason))
            elif since.seconds >= asked:
                self._teller.quietly(partial(self._trust, kind, sha))

    def _trust(self, kind: Kind, sha: str) -> None:
        def change(state: State) -> State:
            if state.slot(kind).active != sha:
                return state
            name = words_of(state.active(kind), kind)
            words = (
                f"{name} ran healthily for {self._settings.probation_minutes:g} minutes and is "
                "trusted now"
            )
            state = states.kept(states.proved(state, kind), self._settings.keep)
            return states.noted(state, self._store.today(), "model_trusted", words, name)

        self._store.update(change, "proved")
        self._on_probation.pop(kind, None)
        self._store.sweep()

    def _given_up(self, kind: Kind, state: State, reason: str) -> State:
        """Return *state* with *kind*'s model rolled back, on disk as soon as that is possible."""
        self._on_probation.pop(kind, None)
        sha, reason = state.slot(kind).active, reason.replace(f"{self._store.folder}/", "")
        after = self._written_back(kind, sha, reason)
        if after is None:
            self._unwritten.setdefault(kind, (sha, reason))
            after = self._store.rolled(state, kind, reason)
            self._teller.say("model_rolled_back", after.notes[-1].words)
        return after

    def _written_back(self, kind: Kind, sha: str, reason: str) -> State | None:
        """Write that *kind*'s model *sha* is rolled back; None where that cannot be written."""
        def change(now: State) -> State:
            return self._store.rolled(now, kind, reason) if now.slot(kind).active == sha else now

        try:
            after = self._store.update(change, "rolled back")
        except MaskgateError as error:
            self._teller.trouble(str(error))
            return None
        self._unwritten.pop(kind, None)
        self._store.sweep()
        return after

    def _run_trial(self, path: Path, kind: Kind, running: Path | None, shown: str) -> Passed:
        return run_trial(path, kind, running, shown, self._settings, self._stop.is_set)

    def _busy(self, activity: str) -> None:
        if activity != self._activity:
            self._activity = activity
            self._tell()

    def _tell(self) -> None:
        self._teller.pass_on()
        self._teller.write_status(self._taken, self._activity, self._clock())


def open_feed(
    settings: UpdateSettings, released: Mapping[Kind, ModelFile], loaders: Loaders
) -> ModelFeed:
    """Return the feed of a gate with *settings*, not started yet; nothing is written before."""
    store = Store(settings.root())
    inbox = Inbox(settings.inbox(), settings.settle_seconds) if settings.enabled else None
    return ModelFeed(store, inbox, settings, released, loaders)
