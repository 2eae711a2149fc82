"""What the gate shows, from the verdicts on the people before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from edge.errors import UsageError
from edge.gate.decision import Verdict


class GateState(Enum):
    """What the gate is doing.

    IDLE     nobody is there
    LOOKING  somebody is there and not everyone is judged
    PASS     everyone there wears a mask
    ALARM    somebody there wears none, or wears it wrong
    FAULT    the gate cannot see; nothing is known about anyone
    """

    IDLE = "idle"
    LOOKING = "looking"
    PASS = "pass"
    ALARM = "alarm"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """How the gate behaves.

    max_alarm_seconds  an alarm ends after this long even if the person stays, and that person
                       does not ring again before putting a mask on; 1 to 3600

    Raises UsageError for a value outside its range.
    """

    max_alarm_seconds: float = 30.0

    def __post_init__(self) -> None:
        if not 1 <= self.max_alarm_seconds <= 3600:
            raise UsageError(
                f"max_alarm_seconds is {self.max_alarm_seconds}; allowed: 1 to 3600"
            )


@dataclass(frozen=True, slots=True)
class Present:
    """A person who is before the gate now, and the verdict so far."""

    person: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate's *state* and *since* when, in seconds of the frames' clock.

    *silenced* are the people here whose alarm ran into its limit.
    """

    state: GateState = GateState.IDLE
    since: float = 0.0
    silenced: frozenset[int] = frozenset()


def update(gate: Gate, people: Sequence[Present], now: float, settings: PolicySettings) -> Gate:
    """Return the gate after a look at *people*, everyone who is before it at *now*.

    An alarm lasts while an offender is there, at most ``max_alarm_seconds``.  Nobody there
    always means idle: no alarm outlasts the last person.
    """
    offenders = {p.person for p in people if p.verdict in ("no_mask", "incorrect")}
    silenced = gate.silenced & offenders
    ringing = gate.state is GateState.ALARM
    if ringing and now - gate.since >= settings.max_alarm_seconds:
        silenced = frozenset(offenders)
    if offenders - silenced:
        state = GateState.ALARM
    elif not people:
        state = GateState.IDLE
    elif all(p.verdict == "mask" for p in people):
        state = GateState.PASS
    else:
        state = GateState.LOOKING
    return Gate(state, gate.since if state is gate.state else now, silenced)
