"""Detection metrics as COCO defines them, with ignore regions, over plain arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.vision.geometry import Boxes, areas, iou_matrix, overlap_areas

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

MATCH_IOU = 0.5
RECALL_POINTS = 101


@dataclass(frozen=True, slots=True)
class Matches:
    """What became of the detections and the faces of one picture.

    *scores*, *right* (M,) are the detections that count, best first: a detection in an ignore
    region is in neither.  *found* (N,) is for every face that counts the score of the detection
    that found it, or -1; *truth* (N,) its place among the labelled boxes.
    """

    scores: Floats
    right: Bools
    found: Floats
    truth: npt.NDArray[np.intp]


def longer_sides(boxes: Boxes) -> Floats:
    """Return the longer side of each of *boxes* (N, 4), pixels."""
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0), np.float64)


def pair_up(
    boxes: Boxes, scores: npt.NDArray[np.floating], truth: Boxes, ignored: Bools, crowd: Bools
) -> npt.NDArray[np.intp]:
    """Return for each of *boxes* (M, 4) the index of its face in *truth* (N, 4), or -1.

    Best of *scores* first, each takes the face it overlaps most, IoU 0.5 or more, that is
    not yet taken; one that counts before one that is *ignored*.  A *crowd* region may be
    taken any number of times, by whatever lies at least half inside it.
    """
    overlaps = iou_matrix(boxes, truth)
    inside = overlap_areas(boxes, truth) / np.maximum(areas(boxes)[:, None], 1e-9)
    overlaps = np.where(crowd[None, :], np.maximum(overlaps, inside), overlaps)
    taken = np.zeros(len(truth), bool)
    chosen = np.full(len(boxes), -1, np.intp)
    for row in np.argsort(-np.asarray(scores), kind="stable"):
        for candidates in (~ignored & ~taken, ignored & (~taken | crowd)):
            possible = np.nonzero(candidates & (overlaps[row] >= MATCH_IOU))[0]
            if len(possible):
                best = possible[np.argmax(overlaps[row, possible])]
                chosen[row], taken[best] = best, True
                break
    return chosen


def match_picture(
    boxes: Boxes,
    scores: npt.NDArray[np.floating],
    truth: Boxes,
    crowd: Bools,
    least_side: float = 0.0,
) -> Matches:
    """Return what became of *boxes* (M, 4) with *scores* (M,) against *truth* (N, 4).

    *crowd* (N,) marks ignore regions.  Faces, and detections that match nothing, whose longer
    side is under *least_side* pixels are ignored too.
    """
    ignored = crowd | (longer_sides(truth) < least_side)
    chosen = pair_up(boxes, scores, truth, ignored, crowd)
    hit = chosen >= 0
    right = np.zeros(len(boxes), bool)
    right[hit] = ~ignored[chosen[hit]]
    counts = right | (~hit & (longer_sides(boxes) >= least_side))
    order = np.argsort(-np.asarray(scores), kind="stable")
    order = order[counts[order]]
    found = np.full(len(truth), -1.0)
    found[chosen[right]] = np.asarray(scores, np.float64)[right]
    wanted = np.nonzero(~ignored)[0]
    return Matches(np.asarray(scores, np.float64)[order], right[order], found[wanted], wanted)


def detection_average_precision(matches: Sequence[Matches]) -> float:
    """Return AP over *matches*, 101-point interpolated as COCO does; nan without any face."""
    faces = sum(len(match.found) for match in matches)
    if not faces:
        return float("nan")
    _, right = _ranked(matches)
    hits = np.cumsum(right)
    precision = hits / np.arange(1, len(hits) + 1)
    # Precision at a recall is the best at that recall or any higher one.
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    wanted = np.linspace(0, 1, RECALL_POINTS)
    place = np.searchsorted(hits / faces, wanted, side="left")
    padded = np.append(precision, 0.0)
    return float(np.mean(padded[np.minimum(place, len(precision))]))


def ranked_precision_recall(matches: Sequence[Matches]) -> tuple[Floats, Floats]:
    """Return precision and recall after each detection of *matches*, best score first."""
    faces = sum(len(match.found) for match in matches)
    _, right = _ranked(matches)
    hits = np.cumsum(right)
    return hits / np.maximum(np.arange(1, len(hits) + 1), 1), hits / max(faces, 1)


def threshold_at_false_positives(matches: Sequence[Matches], per_picture: float) -> float:
    """Return the lowest score at which false positives stay within *per_picture* on average."""
    scores, right = _ranked(matches)
    allowed = per_picture * len(matches)
    wrong = scores[~right]
    below = int(np.floor(allowed + 1e-9))
    if len(wrong) <= below:
        return 0.0
    # The next false positive would be one too many: the threshold lies just above it.
    return float(np.nextafter(wrong[below], np.inf))


def recall_at(matches: Sequence[Matches], threshold: float) -> float:
    """Return the share of faces found with a score of *threshold* or more; nan without any."""
    found = np.concatenate([match.found for match in matches]) if matches else np.zeros(0)
    return float(np.mean(found >= max(threshold, 0.0))) if len(found) else float("nan")


def _ranked(matches: Sequence[Matches]) -> tuple[Floats, Bools]:
    if not matches:
        return np.zeros(0), np.zeros(0, bool)
    scores = np.concatenate([match.scores for match in matches])
    right = np.concatenate([match.right for match in matches])
    order = np.argsort(-scores, kind="stable")
    return scores[order], right[order]
