"""Which face in this frame is which person of the frames before.

:func:`update` is a pure function from the tracks so far and the new faces to the new tracks.
Faces are matched in two rounds, as ByteTrack does (Zhang et al., 2022): sure faces first, then
doubtful ones, which may keep a known person alive but never start a new one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from edge.errors import UsageError
from edge.vision.geometry import Boxes, areas, iou_matrix

Box = tuple[float, float, float, float]

# Speed is averaged over half a stride, which takes half a second.  Someone lost is thought to
# walk on for about as long as anyone is remembered.
_SPEED_SECONDS = 0.25
# A face is sure in most frames; a hand or a bag is one only now and then.
_SCORE_SECONDS = 0.15
_COASTING_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """How faces become people.

    start_score      a face this sure (0 to 1) may be a new person; lower, and shadows become
                     people; higher, and people are noticed later
    keep_score       a face at least this sure keeps a known person alive; below it is ignored
    confirm_hits     looks after which a track counts as a person; 1 counts every false face
    forget_seconds   a person not seen for so long has left; longer bridges a turned head, and
                     lets the alarm outlast the person by as much
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
    """All tracks after a frame, oldest first; *next_id* has never been given to a track."""

    tracks: tuple[Track, ...] = field(default=())
    next_id: int = 1


def update(
    before: Tracks,
    boxes: Boxes,
    scores: npt.NDArray[np.float32],
    now: float,
    settings: TrackerSettings,
) -> Tracks:
    """Return the tracks after a frame taken at *now* with faces *boxes* (N, 4), *scores* (N,).

    Every face goes to at most one track and every track to at most one face.  Tracks not seen
    for ``forget_seconds`` are gone, and their ids are never given again.
    """
    alive = [t for t in before.tracks if now - t.last_seen <= settings.forget_seconds]
    sure = scores >= settings.start_score
    pairs: dict[int, int] = {}
    if alive and len(boxes):
        closeness, allowed = _compare(alive, boxes, now, settings.reach)
        pairs = _match(closeness, allowed & sure[None, :])
        doubtful = (scores >= settings.keep_score) & ~sure
        if doubtful.any():
            left = np.array([i not in pairs and t.confirmed for i, t in enumerate(alive)], bool)
            pairs |= _match(closeness, allowed & doubtful[None, :] & left[:, None])

    after: list[Track] = []
    for i, track in enumerate(alive):
        if i in pairs:
            after.append(_seen(track, boxes, scores, pairs[i], now, settings))
        elif track.confirmed or now - track.last_seen <= settings.tentative_seconds:
            after.append(replace(track, face=None))
    next_id = before.next_id
    taken = set(pairs.values())
    for j in np.flatnonzero(sure):
        if int(j) not in taken:
            after.append(_new(next_id, boxes, scores, int(j), now, settings))
            next_id += 1
    return Tracks(_bounded(after, settings.most_tracks), next_id)


def predict(track: Track, now: float) -> Box:
    """Return where *track*'s face is expected at *now*: walking on, but slowing to a stop."""
    gap = max(0.0, now - track.last_seen)
    coasting = _COASTING_SECONDS * (1 - math.exp(-gap / _COASTING_SECONDS))
    dx, dy = track.velocity[0] * coasting, track.velocity[1] * coasting
    x0, y0, x1, y1 = track.box
    return x0 + dx, y0 + dy, x1 + dx, y1 + dy


def _compare(
    tracks: list[Track], boxes: Boxes, now: float, reach: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return how close each of *tracks* (N) is to each of *boxes* (M, 4), and whether it may match.

    Closeness is the overlap (IoU) with where the track is expected, less the distance of the
    middles in face sizes, which still tells two faces apart where neither overlaps.
    """
    expected = np.array([predict(t, now) for t in tracks], np.float32)
    sizes_a, sizes_b = np.sqrt(areas(expected)), np.sqrt(areas(boxes))
    corners = (expected[:, None] - boxes[None, :]) / 2
    apart = np.hypot(corners[..., 0] + corners[..., 2], corners[..., 1] + corners[..., 3])
    larger = np.maximum(sizes_a[:, None], sizes_b[None, :])
    smaller = np.minimum(sizes_a[:, None], sizes_b[None, :])
    distance = 2 * apart / np.maximum(larger + smaller, np.float32(1e-6))
    # After a gap the face may be anywhere nearby, but three face sizes away is another person,
    # and so is a face of half the size.
    limits = [min(reach * (1 + 3 * max(0.0, now - t.last_seen)), max(reach, 1.5)) for t in tracks]
    allowed = (distance <= np.array(limits, np.float32)[:, None]) & (larger < 2 * smaller)
    return iou_matrix(expected, boxes) - distance, allowed


def _match(
    closeness: npt.NDArray[np.float32], allowed: npt.NDArray[np.bool_]
) -> dict[int, int]:
    """Return pairs row -> column of *allowed* ones, closest first.

    Greedy: for the handful of faces at a door an optimal assignment differs only where two
    people cover each other, and there it is no more often right.
    """
    pairs: dict[int, int] = {}
    columns: set[int] = set()
    rows, candidates = np.nonzero(allowed)
    order = np.argsort(-closeness[rows, candidates], kind="stable")
    for row, column in zip(rows[order].tolist(), candidates[order].tolist(), strict=True):
        if row not in pairs and column not in columns:
            pairs[row] = column
            columns.add(column)
    return pairs


def _seen(
    track: Track,
    boxes: Boxes,
    scores: npt.NDArray[np.float32],
    face: int,
    now: float,
    settings: TrackerSettings,
) -> Track:
    box = _as_box(boxes, face)
    gap = now - track.last_seen
    velocity = track.velocity
    if gap > 0:
        trust = 1 - math.exp(-gap / _SPEED_SECONDS)
        moved = (
            (box[0] + box[2] - track.box[0] - track.box[2]) / 2 / gap,
            (box[1] + box[3] - track.box[1] - track.box[3]) / 2 / gap,
        )
        velocity = (
            velocity[0] + trust * (moved[0] - velocity[0]),
            velocity[1] + trust * (moved[1] - velocity[1]),
        )
    score = float(scores[face])
    weight = 1 - math.exp(-gap / _SCORE_SECONDS)
    hits = track.hits + 1
    return replace(
        track,
        box=box,
        velocity=velocity,
        score=score,
        usual_score=track.usual_score + weight * (score - track.usual_score),
        last_seen=max(now, track.last_seen),
        hits=hits,
        confirmed=track.confirmed or hits >= settings.confirm_hits,
        face=face,
    )


def _new(
    number: int,
    boxes: Boxes,
    scores: npt.NDArray[np.float32],
    face: int,
    now: float,
    settings: TrackerSettings,
) -> Track:
    return Track(
        id=number,
        box=_as_box(boxes, face),
        velocity=(0.0, 0.0),
        score=float(scores[face]),
        usual_score=float(scores[face]),
        first_seen=now,
        last_seen=now,
        confirmed=settings.confirm_hits <= 1,
        face=face,
    )


def _bounded(tracks: list[Track], most: int) -> tuple[Track, ...]:
    if len(tracks) <= most:
        return tuple(tracks)
    newest = sorted(tracks, key=lambda t: (t.last_seen, t.confirmed, -t.id), reverse=True)[:most]
    return tuple(sorted(newest, key=lambda t: t.id))


def _as_box(boxes: Boxes, index: int) -> Box:
    x0, y0, x1, y1 = (float(v) for v in boxes[index])
    return x0, y0, x1, y1


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UsageError(f"{name} is {value}; allowed: {low:g} to {high:g}")
