"""Faces that hang there: a poster, a screen, a coat rack that looks like one.

A person who waits sways, turns, and leaves; a picture does none of it.  Whatever stays at one
place for long is taken for a part of the room, whatever its verdict: a poster of a bare face
must not ring, one of a masked face must not open the door, and a coat rack must not keep it shut.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

ShareBox = tuple[float, float, float, float]

# Of a picture that hangs still, seen with noise and changing light, 99 of 100 boxes overlap the
# first by 0.72 or more, small ones too; a head that moves by a quarter of its width by 0.6.
_SAME_PLACE = 0.6
# Someone walks past, or the light flickers: so long a face may be elsewhere or unseen.
_AWAY_SECONDS = 1.0
# What moved off was a person, unless a face is there again so soon: then somebody walked by, and
# was followed in its stead.
_VACANT_SECONDS = 10.0
# A picture is hidden now and then, a person turns away for much of the time: each second in which
# no face is seen at a place takes back so many of those in which one was.
_UNSEEN_COSTS = 3.0
# After a night without light the poster is still the poster.
_REMEMBERED_SECONDS = 86_400.0
# Far more than hang before a door.
MOST_PLACES = 64
"""Of more, those seen longest ago are forgotten."""
_MOST_LOST = 64


@dataclass(frozen=True, slots=True)
class Stay:
    """Where someone is, *since* when and when they were last *seen* there, in seconds.

    *fixed* is true while they are part of the room.
    """

    box: ShareBox
    since: float
    seen: float
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """A *stay* of someone who is gone: whoever appears there before *until* goes on with it."""

    stay: Stay
    until: float


@dataclass(frozen=True, slots=True)
class Place:
    """A part of the room: when a face was last *seen* there, and when it *left*, None if not."""

    box: ShareBox
    seen: float
    left: float | None = None


@dataclass(frozen=True, slots=True)
class Fixtures:
    """What is known of who stays: *stays* by person, and the *places* that are part of the room.

    *lost* are the stays, not yet long enough, that the next face seen there goes on with.
    """

    stays: Mapping[int, Stay] = field(default_factory=dict)
    places: tuple[Place, ...] = ()
    lost: tuple[Lost, ...] = ()

    def hold(self, person: int) -> bool:
        """Tell whether *person* is part of the room."""
        stay = self.stays.get(person)
        return stay is not None and stay.fixed


def update(
    fixtures: Fixtures, boxes: Mapping[int, ShareBox], now: float, seconds: float
) -> Fixtures:
    """Return what is known after a look at *boxes*, everyone's who is followed at *now*.

    Who was at the same place for *seconds* is part of the room from then on, and so is who
    appears at such a place, until they move; 0 seconds: nobody ever is.  Whoever appears where
    someone was lost goes on with that stay, less what the time between takes back.
    """
    if not seconds:
        return Fixtures()
    if not (boxes or fixtures.places or fixtures.stays or fixtures.lost):
        return fixtures
    places = {place.box: place for place in fixtures.places if not _over(place, now)}
    lost = _lost(fixtures, boxes, now)
    stays = {}
    for person, box in boxes.items():
        before = fixtures.stays.get(person)
        if before is None:
            stay = _appeared(box, places, lost, now)
        else:
            stay = _stayed(before, box, now, seconds)
        if before is not None and before.fixed and not stay.fixed and before.box in places:
            places[before.box] = Place(before.box, places[before.box].seen, left=now)
        if stay.fixed:
            places[stay.box] = Place(stay.box, stay.seen)
        stays[person] = stay
    newest = sorted(places.values(), key=lambda place: place.seen)[-MOST_PLACES:]
    latest = sorted(lost.values(), key=lambda one: one.stay.seen)[-_MOST_LOST:]
    return Fixtures(stays, tuple(newest), tuple(latest))


def _lost(
    fixtures: Fixtures, boxes: Mapping[int, ShareBox], now: float
) -> dict[ShareBox, Lost]:
    """Return the stays that somebody who appears now may go on with, by their boxes."""
    lost = {one.stay.box: one for one in fixtures.lost}
    for person, stay in fixtures.stays.items():
        box = boxes.get(person)
        if stay.fixed or (box is not None and overlap(stay.box, box) >= _SAME_PLACE):
            continue
        patience = (stay.seen - stay.since) / _UNSEEN_COSTS
        if box is not None:
            # Whoever is seen to move off was a person, or somebody walked by the picture.
            patience = min(patience, _VACANT_SECONDS)
        lost[stay.box] = Lost(stay, stay.seen + patience)
    return {box: one for box, one in lost.items() if now < one.until}


def _appeared(
    box: ShareBox, places: Mapping[ShareBox, Place], lost: dict[ShareBox, Lost], now: float
) -> Stay:
    """Return the stay of somebody new, and take the one it goes on with out of *lost*.

    Part of the room where a place is known to be.
    """
    place = _nearest(places, box)
    if place is not None:
        return Stay(place, now, now, fixed=True)
    place = _nearest(lost, box)
    if place is None:
        return Stay(box, now, now)
    before = lost.pop(place).stay
    unseen = now - before.seen
    return Stay(place, before.since + (1 + _UNSEEN_COSTS) * unseen, now)


def _nearest(places: Iterable[ShareBox], box: ShareBox) -> ShareBox | None:
    place = max(places, key=lambda known: overlap(known, box), default=None)
    return place if place is not None and overlap(place, box) >= _SAME_PLACE else None


def _stayed(before: Stay, box: ShareBox, now: float, seconds: float) -> Stay:
    shared = overlap(before.box, box)
    if shared >= _SAME_PLACE:
        return Stay(before.box, before.since, now, before.fixed or now - before.since >= seconds)
    if shared > 0 and now - before.seen <= _AWAY_SECONDS:
        return before
    return Stay(box, now, now)


def _over(place: Place, now: float) -> bool:
    gone = place.left is not None and now - place.left > _VACANT_SECONDS
    return gone or now - place.seen > _REMEMBERED_SECONDS


def overlap(a: ShareBox, b: ShareBox) -> float:
    """Return the intersection over union of two boxes, 0 to 1; 0 where neither has an area."""
    wide = min(a[2], b[2]) - max(a[0], b[0])
    tall = min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or tall <= 0:
        return 0.0
    shared = wide * tall
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)
