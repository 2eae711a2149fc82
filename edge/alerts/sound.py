"""Sounds through ALSA: the owner's WAV files, or tones, played by ``aplay`` in a child process.

A thread of its own does it, so that a card that is missing or hangs delays no other output.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.alerts.aplay import Aplay, Sound, file_sound
from edge.alerts.aside import Tell, Troubles
from edge.alerts.tones import SOUNDING, tone_seconds, tone_wav
from edge.errors import OutputError, UsageError
from edge.gate.policy import GateState

# After a failure the next try is so much later, doubled each time: a card does not come back
# within a second, and an aplay that fails at once would be started hundreds of times.
_FIRST_RETRY = 1.0  # seconds
_LONGEST_RETRY = 30.0  # seconds
_CLOSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class SoundSettings:
    """What is heard, and where.

    enabled      whether there is sound at all; false by default
    device       ALSA's name of the card, as ``aplay -L`` lists them; "default"
    folder       where the owner's ``alarm.wav``, ``pass.wav`` and ``camera_fault.wav`` are; a
                 state without a file has a tone.  "" is no folder, and tones for all
    states       which states are heard: "alarm", "pass", "camera_fault"; all three by default
    pause        seconds of silence between one alarm sound and the next; 0.5, allowed 0 to 60.
                 Longer is easier to bear, and easier to miss
    volume       height of the tones' waves, as a share of the greatest; 0.5, allowed 0 to 1.
                 Files are played as they are: the card's own volume is alsamixer's
    max_seconds  the alarm is heard for so long at most, however long it is shown, and no sound
                 plays for longer; 60, allowed 1 to 3600

    Raises UsageError for a value outside its range.
    """

    enabled: bool = False
    device: str = "default"
    folder: str = ""
    states: tuple[str, ...] = tuple(state.value for state in SOUNDING)
    pause: float = 0.5
    volume: float = 0.5
    max_seconds: float = 60.0

    def __post_init__(self) -> None:
        if not self.device.strip() or not self.device.isprintable():
            raise UsageError(
                f"device is {self.device!r}; allowed: a name that aplay -L lists, such as default"
            )
        allowed = [state.value for state in SOUNDING]
        for state in self.states:
            if state not in allowed:
                raise UsageError(f"states names {state!r}; allowed: {', '.join(allowed)}")
        for name, low, high in (("pause", 0, 60), ("volume", 0, 1), ("max_seconds", 1, 3600)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(f"{name} is {value}; allowed: {low} to {high}")


class SoundOutput:
    """Plays a sound for each state that has one: the alarm's over and over, the others' once.

    A state that is shown again goes on: the alarm's time begins anew, a sound that is playing
    is not cut.  Another state, quiet hours and ``close`` end what is playing at once.

    *problems* gets a line when something is wrong, and *over*, or *problems* without it, when it is
    right again; see ``aside.Tell`` for where they are called.  A file that cannot be played is
    told, and its tone played instead.  Whatever goes wrong with one sound, the next is tried.
    """

    name = "sound"

    def __init__(
        self,
        settings: SoundSettings,
        problems: Tell,
        *,
        over: Tell | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._troubles = Troubles(problems, over)
        self._clock = clock
        self._aplay = Aplay(settings.device, settings.max_seconds, clock)
        self._wake = threading.Condition()
        # What is wanted, under the lock: a state, none for silence; each other wish has its own
        # turn, by which the thread knows that what it plays is still meant.
        self._state: GateState | None = None
        self._turn = 0
        self._until = 0.0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="maskgate-sound", daemon=True)
        self._thread.start()

    def show(self, state: GateState, muted: bool = False) -> None:
        wish = None if muted or state.value not in self._settings.states else state
        with self._wake:
            if wish is not self._state:
                self._state = wish
                self._turn += 1
            self._until = self._clock() + self._settings.max_seconds
            self._wake.notify_all()

    def close(self) -> None:
        """End what is playing; waits two seconds at most.  May be called twice."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()
        self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        self._look_at_files()
        done, again_at, retry = 0, 0.0, _FIRST_RETRY
        while True:
            with self._wake:
                if self._closed:
                    return
                state, turn = self._state, self._turn
                wait = self._wait(done, again_at)
                if wait is None or wait > 0:
                    self._wake.wait(wait)
                    continue
            assert state is not None
            done = turn
            if self._play(state, turn):
                again_at, retry = self._clock() + self._settings.pause, _FIRST_RETRY
            else:
                again_at = self._clock() + max(self._settings.pause, retry)
                retry = min(2 * retry, _LONGEST_RETRY)

    def _wait(self, done: int, again_at: float) -> float | None:
        """Return the seconds until something is to be played; None while nothing is."""
        if self._state is None:
            return None
        if self._turn != done:
            return 0.0
        now = self._clock()
        if self._state is not GateState.ALARM or now >= self._until:
            return None
        return max(0.0, again_at - now)

    def _meant(self, turn: int, seconds: float) -> bool:
        """Wait *seconds* for another wish; return whether *turn* is still what is wanted."""
        with self._wake:
            return not self._wake.wait_for(
                lambda: self._closed or self._turn != turn or self._clock() >= self._until, seconds
            )

    def _play(self, state: GateState, turn: int) -> bool:
        """Play the sound of *state*, its tone where its file cannot be; return False if neither."""

        def meant(seconds: float) -> bool:
            return self._meant(turn, seconds)

        whole = True
        try:
            own = self._own(state)
            if own is not None:
                self._aplay.play(own, meant)
        except Exception as error:  # one bad file must not silence all alarms after it
            self._not_own(error)
            own, whole = None, False
        try:
            if own is None and meant(0.0):
                wav = tone_wav(state, self._settings.volume)
                self._aplay.play(Sound(f"the {state.value} tone", wav, tone_seconds(state)), meant)
        except Exception as error:  # nor must whatever else fails once
            self._troubles.wrong(f"sound: {_words(error)}")
            return False
        if whole and meant(0.0):
            self._troubles.right("sound: it plays again")
        return True

    def _own(self, state: GateState) -> Sound | None:
        """Return the owner's sound for *state*, None where there is none.

        Raises OutputError when it cannot be read or is no WAV file, and when the folder is not
        there or may not be entered.
        """
        if not self._settings.folder:
            return None
        folder = Path(self._settings.folder).absolute()
        try:
            # The dot is looked up inside, which takes the right to enter.
            os.stat(f"{folder}/.")
        except (FileNotFoundError, NotADirectoryError):
            raise OutputError(
                f"there is no folder {folder}; make it, or take folder away"
            ) from None
        except OSError as error:
            raise OutputError(
                f"folder {folder} cannot be entered ({error.strerror or error}); the service's "
                "user must be able to"
            ) from None
        return file_sound(folder / f"{state.value}.wav")

    def _look_at_files(self) -> None:
        """Tell at the start what would else be told at the first alarm."""
        for state in SOUNDING:
            if state.value in self._settings.states:
                try:
                    self._own(state)
                except Exception as error:  # as when it is played
                    self._not_own(error)

    def _not_own(self, error: Exception) -> None:
        self._troubles.wrong(f"sound: {_words(error)}; a tone is played instead")


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, OutputError) else f"{type(error).__name__}: {error}"
