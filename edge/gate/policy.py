"""What the gate shows, from the verdicts on the people before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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

    max_alarm_seconds  each person rings at most this long, even if they stay, and does not
                       ring again before putting a mask on; 1 to 3600

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

    *rings* maps each person the alarm is for to when they began to ring, on the same clock.
    *silenced* are the people here whose ringing ran into its limit.
    """

    state: GateState = GateState.IDLE
    since: float = 0.0
    silenced: frozenset[int] = frozenset()
    rings: Mapping[int, float] = field(default_factory=dict)

    @property
    def newest_ring(self) -> float | None:
        """When the last of those who ring began to; None when nobody rings."""
        return max(self.rings.values(), default=None)


def update(gate: Gate, people: Sequence[Present], now: float, settings: PolicySettings) -> Gate:
    """Return the gate after a look at *people*, everyone who is before it at *now*.

    Each offender rings while there, at most ``max_alarm_seconds`` counted from their own
    start, so that who comes late in another's alarm is heard as long as anyone.  Nobody there
    always means idle: no alarm outlasts the last person.
    """
    offenders = {p.person for p in people if p.verdict in ("no_mask", "incorrect")}
    silenced = gate.silenced & offenders
    rings = {person: gate.rings.get(person, now) for person in sorted(offenders - silenced)}
    silenced |= {p for p, start in rings.items() if now - start >= settings.max_alarm_seconds}
    rings = {person: start for person, start in rings.items() if person not in silenced}
    if rings:
        state = GateState.ALARM
    elif not people:
        state = GateState.IDLE
    elif all(p.verdict == "mask" for p in people):
        state = GateState.PASS
    else:
        state = GateState.LOOKING
    return Gate(state, gate.since if state is gate.state else now, silenced, rings)
