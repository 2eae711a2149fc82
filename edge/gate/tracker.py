"""Which face in this frame is which person of the frames before.

:func:`update` is a pure function from the tracks so far and the new faces to the new tracks.
Faces are matched in two rounds, as ByteTrack does (Zhang et al., 2022): sure faces first, then
doubtful ones, which may keep a known person alive but never start a new one.  A third round
finds who walks past a slow camera: what was seen once has no speed yet, and is far from where
it was.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge.errors import UsageError
from edge.vision.geometry import Boxes

Box = tuple[float, float, float, float]

# Speed is averaged over half a stride, which takes half a second.  Someone lost is thought to
# walk on for about as long as anyone is remembered.
_SPEED_SECONDS = 0.25
# A face is sure in most frames; a hand or a bag is one only now and then.
_SCORE_SECONDS = 0.15
_COASTING_SECONDS = 1.0
# Someone who passes the door walks 1.4 m a second, and a face is 0.2 m.  Four faces away may be
# anyone.
_WALKING = 7.0  # face sizes a second
_FARTHEST = 4.0  # face sizes
# A network camera without a picture for so long is at fault, and then everybody has left.
_LONGEST_PAUSE = 5.0
# How long a camera is thought to pause again as it did.
_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """How faces become people.

    start_score      a face this sure (0 to 1) may be a new person; lower, and shadows become
                     people; higher, and people are noticed later
    keep_score       a face at least this sure keeps a known person alive; below it is ignored
    confirm_hits     looks after which a track counts as a person; 1 counts every false face
    forget_seconds   a person not seen for so long, and not in two frames, has left; longer
                     bridges a turned head, and lets the alarm outlast the person by as much
    tentative_seconds  the same for a track that is no person yet
    reach            how far, in face sizes, a face may be from where it was expected when it
                     was seen just now; grows with the time since
    most_tracks      the oldest lost track is dropped beyond this many; bounds the memory

    Raises UsageError for a value outside its range.
    """

    start_score: float = 0.5
    keep_score: float = 0.25
    confirm_hits: int = 3
    forget_seconds: float = 1.0
    tentative_seconds: float = 0.3
    reach: float = 0.5
    most_tracks: int = 128

    def __post_init__(self) -> None:
        _check("keep_score", self.keep_score, 0, 1)
        _check("start_score", self.start_score, self.keep_score, 1)
        _check("confirm_hits", self.confirm_hits, 1, 100)
        _check("forget_seconds", self.forget_seconds, 0.05, 60)
        _check("tentative_seconds", self.tentative_seconds, 0, self.forget_seconds)
        _check("reach", self.reach, 0.05, 5)
        _check("most_tracks", self.most_tracks, 1, 10_000)


@dataclass(frozen=True, slots=True)
class Track:
    """One person followed through frames, or what may turn out to be one.

    *box* is where the face was seen last, *velocity* its middle's speed in pixels per second.
    *score* is how sure the detector is of the newest face, *usual_score* of those lately.
    Times are seconds of the frames' clock.  *face* is the index of the face it was matched
    with in the newest frame, None when it was not seen there.  *confirmed* once it counts as
    a person; that never turns back.
    """

    id: int
    box: Box
    velocity: tuple[float, float]
    score: float
    usual_score: float
    first_seen: float
    last_seen: float
    hits: int = 1
    confirmed: bool = False
    face: int | None = None


@dataclass(frozen=True, slots=True)
class Tracks:
    """All tracks after a frame, oldest first; *next_id* has never been given to a track.

    *newest* is when the frame was taken, None before the first.  *pause* is how many seconds
    the source lets pass between two frames, the longest of late.
    """

    tracks: tuple[Track, ...] = field(default=())
    next_id: int = 1
    newest: float | None = None
    pause: float = 0.0


def update(
    before: Tracks,
    boxes: Boxes,
    scores: npt.NDArray[np.float32],
    now: float,
    settings: TrackerSettings,
) -> Tracks:
    """Return the tracks after a frame taken at *now* with faces *boxes* (N, 4), *scores* (N,).

    Every face goes to at most one track and every track to at most one face.  Tracks not seen
    for ``forget_seconds`` and missed in two frames are gone, and their ids are never given
    again.  So are all when no frame came for longer than that and than the source is used to.
    """
    newest = now if before.newest is None else max(now, before.newest)
    interval = 0.0 if before.newest is None else newest - before.newest
    usual = min(2 * before.pause, _LONGEST_PAUSE)
    alive = list(before.tracks) if interval <= max(settings.forget_seconds, usual) else []
    faces = [
        _Face(place, (x0, y0, x1, y1), score, (x0 + x1) / 2, (y0 + y1) / 2)
        for place, ((x0, y0, x1, y1), score) in enumerate(
            zip(boxes.tolist(), scores.tolist(), strict=True)
        )
        if score >= settings.keep_score
    ]
    sure = [face for face in faces if face.score >= settings.start_score]
    pairs = _match(alive, sure, now, settings.reach)
    if len(sure) < len(faces):
        left = [track for track in alive if track.confirmed and track.id not in pairs]
        doubtful = [face for face in faces if face.score < settings.start_score]
        pairs |= _match(left, doubtful, now, settings.reach)
    pairs |= _walkers(alive, sure, pairs, now, settings.reach)

    after: list[Track] = []
    for track in alive:
        face = pairs.get(track.id)
        if face is not None:
            after.append(_seen(track, face, now, settings))
        elif track.face is not None:
            # At a slow camera the first frame without a face may come after any time.
            after.append(replace(track, face=None))
        elif now - track.last_seen <= _patience(track, settings):
            after.append(track)
    next_id = before.next_id
    taken = {face.place for face in pairs.values()}
    for face in sure:
        if face.place not in taken:
            after.append(_new(next_id, face, now, settings))
            next_id += 1
    pause = max(
        before.pause * math.exp(-interval / _PAUSE_SECONDS),
        interval if interval <= _LONGEST_PAUSE else 0.0,
    )
    return Tracks(_bounded(after, settings.most_tracks), next_id, newest, pause)


def predict(track: Track, now: float) -> Box:
    """Return where *track*'s face is expected at *now*: walking on, but slowing to a stop."""
    gap = max(0.0, now - track.last_seen)
    coasting = _COASTING_SECONDS * (1 - math.exp(-gap / _COASTING_SECONDS))
    dx, dy = track.velocity[0] * coasting, track.velocity[1] * coasting
    x0, y0, x1, y1 = track.box
    return x0 + dx, y0 + dy, x1 + dx, y1 + dy


class _Face(NamedTuple):
    """A face of the newest frame: its *place* among those, *box*, *score* and middle *x*, *y*."""

    place: int
    box: Box
    score: float
    x: float
    y: float


def _match(tracks: list[Track], faces: list[_Face], now: float, reach: float) -> dict[int, _Face]:
    """Return a face for each of *tracks*, by id, that has one near it, closest pairs first.

    Greedy: for the handful of faces at a door an optimal assignment differs only where two
    people cover each other, and there it is no more often right.
    """
    # After a gap the face may be anywhere nearby, but three face sizes away is another person.
    close = _near(tracks, faces, now, reach, 3 * reach, 1.5)
    close.sort(key=lambda pair: -pair[0])
    pairs: dict[int, _Face] = {}
    taken: set[int] = set()
    for _, track_id, face in close:
        if track_id not in pairs and face.place not in taken:
            pairs[track_id] = face
            taken.add(face.place)
    return pairs


def _walkers(
    tracks: list[Track],
    faces: list[_Face],
    pairs: dict[int, _Face],
    now: float,
    reach: float,
) -> dict[int, _Face]:
    """Return a face for each of *tracks*, by id, that may have walked there since it was new.

    Of tracks and faces not in *pairs*, only those that have no other choice: two that are as
    far as this from each other are as likely two people.  Nobody confirmed, for they have a
    verdict, which must not go to somebody else.
    """
    taken = {face.place for face in pairs.values()}
    new = [t for t in tracks if not t.confirmed and t.face is not None and t.id not in pairs]
    left = [face for face in faces if face.place not in taken]
    if not new or not left:
        return {}
    far = _near(new, left, now, reach, _WALKING, _FARTHEST)
    by_track = Counter(track for _, track, _ in far)
    by_face = Counter(face.place for _, _, face in far)
    return {track: face for _, track, face in far if by_track[track] == by_face[face.place] == 1}


def _near(
    tracks: list[Track],
    faces: list[_Face],
    now: float,
    reach: float,
    speed: float,
    most: float,
) -> list[tuple[float, int, _Face]]:
    """Return how close each of *faces* is to each of *tracks*, by id, that it may belong to.

    It may be *reach* face sizes from where it is expected, and *speed* face sizes more for
    each second since the track was seen, but not more than *most*, or *reach* if that is more.
    """
    close = []
    for track in tracks:
        expected = predict(track, now)
        limit = min(reach + speed * max(0.0, now - track.last_seen), max(reach, most))
        # Beyond this, only a face twice as large would be near enough; so a crowd costs little.
        far = 1.5 * limit * math.sqrt(_area(expected))
        x, y = (expected[0] + expected[2]) / 2, (expected[1] + expected[3]) / 2
        for face in faces:
            if abs(face.x - x) > far or abs(face.y - y) > far:
                continue
            closeness = _closeness(expected, face.box, limit)
            if closeness is not None:
                close.append((closeness, track.id, face))
    return close


def _closeness(a: Box, b: Box, limit: float) -> float | None:
    """Return how close a face in *a* is to one in *b*; None where it cannot be the same.

    The overlap (IoU) less the distance of the middles in face sizes, which still tells two
    faces apart where neither overlaps.  A face of half the size, or further than *limit* face
    sizes, is another person's.
    """
    across, down = (a[0] + a[2] - b[0] - b[2]) / 2, (a[1] + a[3] - b[1] - b[3]) / 2
    area_a, area_b = _area(a), _area(b)
    size = (math.sqrt(area_a) + math.sqrt(area_b)) / 2
    distance = math.hypot(across, down) / max(size, 1e-6)
    if distance > limit or max(area_a, area_b) >= 4 * min(area_a, area_b):
        return None
    shared = _area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
    return shared / max(area_a + area_b - shared, 1e-9) - distance


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _patience(track: Track, settings: TrackerSettings) -> float:
    return settings.forget_seconds if track.confirmed else settings.tentative_seconds


def _seen(track: Track, face: _Face, now: float, settings: TrackerSettings) -> Track:
    box, score = face.box, face.score
    gap = now - track.last_seen
    velocity, usual_score = track.velocity, track.usual_score
    if gap > 0:
        usual_score += (1 - math.exp(-gap / _SCORE_SECONDS)) * (score - usual_score)
        trust = 1 - math.exp(-gap / _SPEED_SECONDS)
        moved = (
            (box[0] + box[2] - track.box[0] - track.box[2]) / 2 / gap,
            (box[1] + box[3] - track.box[1] - track.box[3]) / 2 / gap,
        )
        velocity = (
            velocity[0] + trust * (moved[0] - velocity[0]),
            velocity[1] + trust * (moved[1] - velocity[1]),
        )
    hits = track.hits + 1
    # Written out: dataclasses.replace takes three times as long.
    return Track(
        id=track.id,
        box=box,
        velocity=velocity,
        score=score,
        usual_score=usual_score,
        first_seen=track.first_seen,
        last_seen=max(now, track.last_seen),
        hits=hits,
        confirmed=track.confirmed or hits >= settings.confirm_hits,
        face=face.place,
    )


def _new(number: int, face: _Face, now: float, settings: TrackerSettings) -> Track:
    return Track(
        id=number,
        box=face.box,
        velocity=(0.0, 0.0),
        score=face.score,
        usual_score=face.score,
        first_seen=now,
        last_seen=now,
        confirmed=settings.confirm_hits <= 1,
        face=face.place,
    )


def _bounded(tracks: list[Track], most: int) -> tuple[Track, ...]:
    if len(tracks) <= most:
        return tuple(tracks)
    newest = sorted(tracks, key=lambda t: (t.last_seen, t.confirmed, -t.id), reverse=True)[:most]
    return tuple(sorted(newest, key=lambda t: t.id))


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UsageError(f"{name} is {value}; allowed: {low:g} to {high:g}")
