"""What the gate shows, from the verdicts on the people before it.

Who counts is a matter of place: inside the zone, and near enough.  Who rings is a matter of
time: each offender for a while, and not again and again.  Time comes in as an argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time
from enum import Enum

from edge.errors import UsageError
from edge.gate import fixtures
from edge.gate.decision import Verdict
from edge.gate.fixtures import Fixtures, ShareBox
from edge.gate.hours import QuietHours
from edge.gate.zone import Zone

OFFENCES: tuple[Verdict, Verdict] = ("no_mask", "incorrect")
"""The verdicts that ring."""

# A head sways, and its box with it: who stands on the zone's edge stays counted for so long.
_LINGER_SECONDS = 0.5
# Ended alarms that are remembered; far more than fit before a door within a cool-down.
_MOST_COOLING = 64
# How far, in face sizes, someone who was lost may be found again, and by how much nearer.
_SAME_PLACE = 1.0
_SAME_SIZE = 2.0
# Whoever is found there so soon after is the same person; later it may be the next in the queue.
_MOMENT_SECONDS = 2.0
# Nor is that sure: no silence is handed on for longer than this.
_HANDED_ON_SECONDS = 60.0
# Who wears no mask and is not seen may hide the face: so long it opens no door for others.
_HIDDEN_SECONDS = 4.0


class GateState(Enum):
    """What the gate is doing.

    IDLE            nobody is there
    LOOKING         somebody is there and not everyone is judged
    PASS            everyone there wears a mask
    ALARM           somebody there wears none, or wears it wrong
    CAMERA_FAULT    the gate cannot see; nothing is known about anyone
    SOFTWARE_FAULT  the program is stuck or cannot go on; nothing is known about anyone
    SHUTDOWN        the program ends in good order
    CRASH           the program has ended in another way; shown by what cleans up behind it

    The policy tells the first four apart; the service knows about the others.
    """

    IDLE = "idle"
    LOOKING = "looking"
    PASS = "pass"
    ALARM = "alarm"
    CAMERA_FAULT = "camera_fault"
    SOFTWARE_FAULT = "software_fault"
    SHUTDOWN = "shutdown"
    CRASH = "crash"


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """How the gate behaves.

    max_alarm_seconds  each person rings at most this long, even if they stay, and does not
                       ring again before putting a mask on; who was out of sight for more than
                       a moment counts as somebody else; 1 to 3600
    cool_down_seconds  so long after their alarm ended a person does not ring again, nor does
                       one who first appears later, where they were lost; longer, and fewer
                       repeats when somebody turns away, but the next person without a mask at
                       the same place may ring so much later; 0 to 3600
    zone               where the middle of a face's lower edge must be for the person to count;
                       None is the whole picture
    min_face_share     a person whose face is smaller, its longer side as a share of the
                       picture's, is too far away to count; 0 to 0.9
    quiet_hours        when the gate makes no sound; its lights are as always
    fixture_seconds    a face that has not moved for so long is a poster or a coat rack: it does
                       not count before it moves, nor does one that appears at its place; longer,
                       and who waits very still is safe from it, but a new poster rings for as
                       long; 60 to 86400, or 0 for never

    Raises UsageError for a value outside its range.
    """

    max_alarm_seconds: float = 30.0
    cool_down_seconds: float = 5.0
    zone: Zone | None = None
    min_face_share: float = 0.0
    quiet_hours: QuietHours | None = None
    fixture_seconds: float = 600.0

    def __post_init__(self) -> None:
        _check("max_alarm_seconds", self.max_alarm_seconds, 1, 3600)
        _check("cool_down_seconds", self.cool_down_seconds, 0, 3600)
        _check("min_face_share", self.min_face_share, 0, 0.9)
        if self.fixture_seconds != 0:
            _check("fixture_seconds", self.fixture_seconds, 60, 86400)


@dataclass(frozen=True, slots=True)
class Present:
    """A person who is before the gate now, and the verdict so far.

    *box* is the face's x0, y0, x1, y1 in shares of the picture's width and height, and *size*
    its longer side as a share of the picture's longer side.
    """

    person: int
    verdict: Verdict
    box: ShareBox = (0.0, 0.0, 1.0, 1.0)
    size: float = 1.0


@dataclass(frozen=True, slots=True)
class Cooling:
    """Someone's alarm that *ended*: where the face was last, and for how long it had rung.

    *newest* is the highest number of a person seen until then, or until that someone was lost.
    *lost* is when the first who handed it on was, None where it is the person's own.
    """

    box: ShareBox
    ended: float
    rung: float
    newest: int
    lost: float | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate's *state* and *since* when, in seconds of the frames' clock.

    *rings* maps each person the alarm is for to when they began to ring, on the same clock.
    *silenced* are the people here whose ringing ran into its limit.  *cooling* maps people to
    alarms that ended lately, *boxes* those who ring or are silenced to where they are, and
    *counted* everyone who counts to when they were last inside.  *bare* are those without a
    mask among them, and those lost just now, to when they were last seen.  *newest* is the
    highest number of a person so far.  *fixtures* are the faces that are part of the room and
    count for nothing.  *muted*: no sound now.
    """

    state: GateState = GateState.IDLE
    since: float = 0.0
    silenced: frozenset[int] = frozenset()
    rings: Mapping[int, float] = field(default_factory=dict)
    cooling: Mapping[int, Cooling] = field(default_factory=dict)
    boxes: Mapping[int, ShareBox] = field(default_factory=dict)
    counted: Mapping[int, float] = field(default_factory=dict)
    bare: Mapping[int, float] = field(default_factory=dict)
    newest: int = 0
    muted: bool = False
    fixtures: Fixtures = field(default_factory=Fixtures)

    @property
    def newest_ring(self) -> float | None:
        """When the last of those who ring began to; None when nobody rings."""
        return max(self.rings.values(), default=None)


def update(
    gate: Gate,
    people: Sequence[Present],
    now: float,
    settings: PolicySettings,
    at: time | None = None,
) -> Gate:
    """Return the gate after a look at *people*, everyone who is seen at *now*.

    *at* is the local time of day, None where there is none: then no hours are quiet.

    Each offender who counts rings, at most ``max_alarm_seconds`` counted from their own start,
    so that who comes late in another's alarm is heard as long as anyone.  Nobody there always
    means idle: no alarm outlasts the last person.  Whoever has a higher number came later.
    """
    here = {p.person: p for p in people}
    boxes = {p.person: p.box for p in people}
    fixed = fixtures.update(gate.fixtures, boxes, now, settings.fixture_seconds)
    moving = [p for p in people if not fixed.hold(p.person)] if fixed.places else people
    counted = _counted(gate.counted, moving, now, settings)
    bad = {p.person for p in people if p.verdict in OFFENCES}
    muted = at is not None and settings.quiet_hours is not None and settings.quiet_hours.hold(at)
    newest = max(gate.newest, *here, 0)
    if not (bad or gate.rings or gate.silenced or gate.cooling or gate.bare):
        # Most frames by far: nobody rings, rang just now, or is about to.
        state = _state({}, [here[person] for person in counted], {})
        since = gate.since if state is gate.state else now
        return Gate(
            state, since, counted=counted, newest=newest, muted=muted, fixtures=fixed
        )
    offenders = bad & counted.keys()
    bare = {
        person: seen
        for person, seen in gate.bare.items()
        if person not in here and now - seen <= _HIDDEN_SECONDS
    } | dict.fromkeys(offenders, now)
    cooling = _cooled(gate, here, offenders, newest, now, settings)
    silenced = frozenset(
        p for p in gate.silenced & bad if p not in cooling or cooling[p].rung > 0
    )
    rings: dict[int, float] = {}
    for person in sorted(offenders - silenced):
        if person in gate.rings:
            rings[person] = gate.rings[person]
            continue
        if person not in cooling:
            _inherit(cooling, here, person, now)
        ended = cooling.get(person)
        if ended is None:
            rings[person] = now
        elif ended.rung >= settings.max_alarm_seconds:
            silenced |= {person}
        elif now - ended.ended >= settings.cool_down_seconds:
            rings[person] = now - ended.rung
            del cooling[person]
    over = {p for p, start in rings.items() if now - start >= settings.max_alarm_seconds}
    for person in over:
        cooling[person] = Cooling(here[person].box, now, now - rings.pop(person), newest)
    silenced |= over
    state = _state(rings, [here[person] for person in counted], bare)
    return Gate(
        state=state,
        since=gate.since if state is gate.state else now,
        silenced=silenced,
        rings=rings,
        cooling=dict(sorted(cooling.items(), key=lambda c: c[1].ended)[-_MOST_COOLING:]),
        boxes={person: here[person].box for person in sorted(silenced | rings.keys())},
        counted=counted,
        bare=bare,
        newest=newest,
        muted=muted,
        fixtures=fixed,
    )


def new_scene(gate: Gate) -> Gate:
    """Return *gate* without what it knew of people: nobody in another scene is one of them."""
    # The room is the same when only its lights were switched on.
    room = Fixtures(places=gate.fixtures.places)
    return Gate(gate.state, gate.since, muted=gate.muted, fixtures=room)


def _counted(
    before: Mapping[int, float], people: Sequence[Present], now: float, settings: PolicySettings
) -> dict[int, float]:
    """Return everyone who counts, and when each was last inside the zone and near enough."""
    counted = {}
    for p in people:
        if _inside(p, settings):
            counted[p.person] = now
        elif p.person in before and now - before[p.person] <= _LINGER_SECONDS:
            counted[p.person] = before[p.person]
    return counted


def _inside(person: Present, settings: PolicySettings) -> bool:
    x0, _, x1, bottom = person.box
    zone = settings.zone
    return person.size >= settings.min_face_share and (
        zone is None or zone.holds((x0 + x1) / 2, bottom)
    )


def _cooled(
    gate: Gate,
    here: Mapping[int, Present],
    offenders: set[int],
    newest: int,
    now: float,
    settings: PolicySettings,
) -> dict[int, Cooling]:
    """Return the alarms that ended within the cool-down, those that end now among them.

    Those of offenders who are still here stay, however long ago: they count what has rung.
    """
    cooling = {}
    for person, one in gate.cooling.items():
        verdict = here[person].verdict if person in here else "unsure"
        if verdict in OFFENCES or now - one.ended <= settings.cool_down_seconds:
            handed_on = one.lost is not None and now - one.lost > _HANDED_ON_SECONDS
            # A mask put on earns a whole alarm for the next time it is taken off.
            rung = 0.0 if handed_on or verdict == "mask" else one.rung
            known = newest if person in here else one.newest
            cooling[person] = Cooling(one.box, one.ended, rung, known, one.lost)
    for person, start in gate.rings.items():
        if person not in offenders and person in gate.boxes:
            masked = person in here and here[person].verdict == "mask"
            rung = 0.0 if masked else now - start
            cooling[person] = Cooling(gate.boxes[person], now, rung, newest)
    for person in gate.silenced & gate.boxes.keys() - here.keys():
        before = gate.cooling.get(person)
        lost = None if before is None else before.lost
        box, rung = gate.boxes[person], settings.max_alarm_seconds
        cooling[person] = Cooling(box, now, rung, newest, lost)
    return cooling


def _inherit(
    cooling: dict[int, Cooling], here: Mapping[int, Present], person: int, now: float
) -> None:
    """Let *person*, who is new, go on with the ended alarm of someone lost at the same place.

    What had rung counts for whoever is found within a moment; others only wait for the cool-down.
    """
    lost = [
        p
        for p, one in cooling.items()
        if p not in here and person > one.newest and _near(one.box, here[person].box)
    ]
    if lost:
        one = cooling.pop(max(lost, key=lambda p: cooling[p].ended))
        rung = one.rung if now - one.ended <= _MOMENT_SECONDS else 0.0
        first = one.ended if one.lost is None else one.lost
        cooling[person] = Cooling(one.box, one.ended, rung, one.newest, first)


def _near(a: ShareBox, b: ShareBox) -> bool:
    wide, tall = max(a[2] - a[0], b[2] - b[0]), max(a[3] - a[1], b[3] - b[1])
    narrow, low = min(a[2] - a[0], b[2] - b[0]), min(a[3] - a[1], b[3] - b[1])
    return (
        abs(a[0] + a[2] - b[0] - b[2]) / 2 <= _SAME_PLACE * wide
        and abs(a[1] + a[3] - b[1] - b[3]) / 2 <= _SAME_PLACE * tall
        and wide <= _SAME_SIZE * narrow
        and tall <= _SAME_SIZE * low
    )


def _state(
    rings: Mapping[int, float], people: Sequence[Present], bare: Mapping[int, float]
) -> GateState:
    if rings:
        return GateState.ALARM
    if not people:
        return GateState.IDLE
    if not bare and all(p.verdict == "mask" for p in people):
        return GateState.PASS
    return GateState.LOOKING


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UsageError(f"{name} is {value}; allowed: {low:g} to {high:g}")
