"""What each output does in each state of the gate, and all outputs as one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from edge.errors import OutputError, UsageError
from edge.gate.policy import GateState


@dataclass(frozen=True, slots=True)
class Pattern:
    """On for *on_seconds*, off for *off_seconds*, again and again.

    No time on is off; no time off is steadily on.  Raises UsageError for a negative time.
    """

    on_seconds: float = 0.0
    off_seconds: float = 0.0

    def __post_init__(self) -> None:
        if not (self.on_seconds >= 0 and self.off_seconds >= 0):
            raise UsageError(
                f"pattern is {self.on_seconds} s on, {self.off_seconds} s off; neither below 0"
            )

    def times(self, limit: float) -> tuple[float, float, int]:
        """Return (seconds on, seconds off, repeats) that are over within *limit* seconds."""
        if self.on_seconds <= 0:
            return 0.0, 0.0, 0
        if self.off_seconds <= 0:
            return limit, 0.0, 1
        repeats = math.floor((limit + self.off_seconds) / (self.on_seconds + self.off_seconds))
        if repeats < 1:
            return limit, self.off_seconds, 1
        return self.on_seconds, self.off_seconds, repeats


OFF = Pattern()
STEADY = Pattern(on_seconds=math.inf)
BEEPS = Pattern(on_seconds=0.25, off_seconds=0.25)
BLIPS = Pattern(on_seconds=0.1, off_seconds=1.9)

BUZZER: Mapping[GateState, Pattern] = MappingProxyType(
    {
        GateState.IDLE: OFF,
        GateState.LOOKING: OFF,
        GateState.PASS: OFF,
        GateState.ALARM: BEEPS,
        GateState.CAMERA_FAULT: OFF,
        GateState.SOFTWARE_FAULT: OFF,
        GateState.SHUTDOWN: OFF,
        GateState.CRASH: OFF,
    }
)
LED: Mapping[GateState, Pattern] = MappingProxyType(
    {
        GateState.IDLE: OFF,
        GateState.LOOKING: OFF,
        GateState.PASS: OFF,
        GateState.ALARM: STEADY,
        GateState.CAMERA_FAULT: BLIPS,
        GateState.SOFTWARE_FAULT: BLIPS,
        GateState.SHUTDOWN: OFF,
        GateState.CRASH: OFF,
    }
)


class Output(Protocol):
    """Something that shows the gate's state: a buzzer, a light."""

    @property
    def name(self) -> str: ...

    def show(self, state: GateState, muted: bool = False) -> None:
        """Show *state* from now on, no longer than the output's limit; returns at once.

        What makes a sound makes none while *muted*; a light does not heed it.
        """

    def close(self) -> None:
        """Switch off and give the hardware back; may be called twice."""


class Outputs:
    """Several outputs that show one state; a broken one never keeps another from showing it.

    Use it as a context manager: whatever happens inside, every output is switched off.
    """

    def __init__(self, outputs: Iterable[Output] = ()) -> None:
        self.outputs = tuple(outputs)
        self._shown: tuple[GateState, float | None, bool] | None = None

    def show(self, state: GateState, since: float | None = None, muted: bool = False) -> None:
        """Show *state* on every output, if it, its cause or *muted* is another than before.

        *since* tells one cause from the next, such as when the newest offender began to ring:
        another one starts the outputs' limits anew.  While *muted* there is no sound.  Raises
        OutputError, naming each output that failed, after all were tried.
        """
        if (state, since, muted) == self._shown:
            return
        self._shown = (state, since, muted)
        self._each("show", lambda output: output.show(state, muted))

    def close(self) -> None:
        """Switch everything off.  Raises OutputError, after all were tried, for what failed."""
        self._shown = None
        self._each("switch off", lambda output: output.close())

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _each(self, what: str, do: Callable[[Output], None]) -> None:
        failed = []
        for output in self.outputs:
            try:
                do(output)
            except Exception as error:  # one broken output must not keep the others on
                failed.append(f"{output.name}: cannot {what} ({type(error).__name__}: {error})")
        if failed:
            raise OutputError("; ".join(failed))
