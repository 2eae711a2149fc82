"""The face detector on whole pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import DataError
from edge.modelfile import LABELS
from edge.vision.detector import Faces
from train.data.pictures import read_picture
from train.data.records import PictureRecord, data_checksum
from train.evaluate.networks import Detect
from train.evaluate.slices import SHARES, SLICES, Look, look_at, meanings, remarks
from train.evaluate.slices_bootstrap import resample
from train.evaluate.slices_pictures import (
    masked_bare_gap,
    picture_members,
    shares_table,
    sliced_shares,
)
from train.evaluate.tilted import tilted
from train.report.detection import (
    Matches,
    detection_average_precision,
    longer_sides,
    match_picture,
    pair_up,
    ranked_precision_recall,
    recall_at,
    threshold_at_false_positives,
)
from train.report.judgement import thinned
from train.report.metrics import bootstrap_by_group
from train.report.tables import aligned, percent, percent_interval

# A face's longer side as a share of the picture's: about three metres from a Pi camera, and
# one and a half.
RANGES = {"all": 0.0, "gate": 0.04, "close": 0.08}
FALSE_POSITIVES = 0.1

# Far faces are too small to have looks.
SLICED = ("gate", "close")
# How many mistakes of a kind are named.
MISTAKES = 25

Progress = Callable[[Sequence[PictureRecord]], Iterable[PictureRecord]]


@dataclass(frozen=True, slots=True)
class _Seen:
    """One picture, matched in one range, with what is needed to cut it by label and source.

    *looks* has one per face that counts, or is empty where faces are not looked at.  *stray*
    are the places of the detections that found nothing.
    """

    record: PictureRecord
    found: Faces
    matches: Matches
    labels: tuple[str, ...]
    looks: tuple[Look, ...]
    stray: tuple[int, ...]

    @property
    def group(self) -> str:
        return self.record.group or self.record.path.name

    @property
    def source(self) -> str:
        return self.record.source or "unnamed"


def evaluate_pictures(
    detect: Detect,
    pictures: Sequence[PictureRecord],
    repeats: int = 300,
    progress: Progress = iter,
    *,
    sliced: bool = False,
    tilt: float = 0.0,
) -> dict[str, Any]:
    """Return the metrics of *detect* on *pictures*, per range of face size.

    Every picture is turned by *tilt* degrees before, in turns to either side.

    *detect* should answer down to a low score, or the precision-recall curve is cut.  With
    *sliced* the gate and close ranges are cut into slices as well, and mistakes are named.  A
    broken picture is left out and named.  Raises DataError when none can be read.
    """
    seen: dict[str, list[_Seen]] = {name: [] for name in RANGES}
    broken: list[Path] = []
    side = 1
    for record in progress(pictures):
        image = read_picture(record.path)
        if image is None:
            broken.append(record.path)
            continue
        if tilt:
            image, record = tilted(image, record, side * tilt)
            side = -side
        faces = detect(image)
        looks: dict[int, Look] = {}
        for name, share in RANGES.items():
            looked = sliced and name in SLICED
            entry = _matched(record, faces, share * max(image.shape[:2]), looked)
            if looked:
                for i in entry.matches.truth:
                    if i not in looks:
                        looks[i] = look_at(image, record.faces[i])
                entry = replace(entry, looks=tuple(looks[i] for i in entry.matches.truth))
            seen[name].append(entry)
    if not seen["all"]:
        raise DataError(f"none of the {len(broken)} pictures can be read")
    result: dict[str, Any] = {
        "pictures": len(seen["all"]),
        **({"tilt": tilt} if tilt else {}),
        "broken": [path.name for path in broken],
        "data_checksum": data_checksum([face for p in pictures for face in p.faces]),
        "false_positives_per_picture": FALSE_POSITIVES,
        "ranges": {name: _range(entries, repeats) for name, entries in seen.items()},
    }
    if sliced:
        threshold = result["ranges"]["close"]["score_threshold"]
        result["slice_meanings"] = meanings((*SHARES, *SLICES))
        result["false_faces"] = _false_faces(seen["gate"])
        result["missed_faces"] = _missed_faces(seen["close"], threshold)
    return result


def _matched(record: PictureRecord, faces: Faces, least: float, strays: bool) -> _Seen:
    truth = np.array([face.box for face in record.faces], np.float32).reshape(-1, 4)
    crowd = np.array([face.ignore for face in record.faces], bool)
    matches = match_picture(faces.boxes, faces.scores, truth, crowd, least)
    labels = tuple(record.faces[i].label for i in matches.truth)
    stray: tuple[int, ...] = ()
    if strays:
        ignored = crowd | (longer_sides(truth) < least)
        lone = pair_up(faces.boxes, faces.scores, truth, ignored, crowd) < 0
        stray = tuple(np.nonzero(lone & (longer_sides(faces.boxes) >= least))[0].tolist())
    return _Seen(record, faces, matches, labels, (), stray)


def _range(seen: list[_Seen], repeats: int) -> dict[str, Any]:
    matches = [entry.matches for entry in seen]
    groups = [entry.group for entry in seen]
    threshold = threshold_at_false_positives(matches, FALSE_POSITIVES)

    def recall(indices: Any) -> float:
        chosen = [matches[i] for i in indices]
        return recall_at(chosen, threshold_at_false_positives(chosen, FALSE_POSITIVES))

    def precision(indices: Any) -> float:
        return detection_average_precision([matches[i] for i in indices])

    result = {
        "faces": sum(len(match.found) for match in matches),
        "average_precision": _interval(groups, precision, repeats),
        "recall": _interval(groups, recall, repeats),
        "score_threshold": threshold,
        "labels": {
            label: _labelled(seen, label, threshold, repeats)
            for label in (*LABELS, "face")
        },
        "sources": {
            source: {
                "faces": sum(len(e.matches.found) for e in seen if e.source == source),
                "average_precision": _plain(
                    detection_average_precision([e.matches for e in seen if e.source == source])
                ),
                "recall": _plain(
                    recall_at([e.matches for e in seen if e.source == source], threshold)
                ),
            }
            for source in sorted({entry.source for entry in seen})
        },
    }
    if any(entry.looks for entry in seen):
        result |= _sliced(seen, threshold, repeats)
    return result


def _sliced(seen: list[_Seen], threshold: float, repeats: int) -> dict[str, Any]:
    """Return what the faces of *seen* say in slices, at the range's one *threshold*."""
    found = np.concatenate([entry.matches.found for entry in seen]) >= max(threshold, 0.0)
    looks = [look for entry in seen for look in entry.looks]
    labels = [label for entry in seen for label in entry.labels]
    sources = [entry.source for entry in seen for _ in entry.labels]
    resamples = resample([entry.group for entry in seen for _ in entry.labels], repeats)
    precision, recall = ranked_precision_recall([entry.matches for entry in seen])
    known = np.array([label in LABELS for label in labels], bool)
    right = np.concatenate([entry.matches.right for entry in seen])
    shown = np.concatenate([entry.matches.scores for entry in seen]) >= threshold
    return {
        "slices": sliced_shares(
            {"recall": found}, picture_members(looks, sources), resamples
        ),
        "masked_bare_gap": masked_bare_gap(found, labels, sources, resamples),
        "known_state": {"faces": int(known.sum()), "recall": resamples.share(found, known)},
        "curve": thinned(recall, precision),
        "working_point": {
            "recall": _plain(float(np.mean(found))),
            "precision": _plain(float(np.mean(right[shown]))) if shown.any() else None,
        },
    }


def _false_faces(seen: list[_Seen]) -> list[dict[str, Any]]:
    """Return the surest detections of nothing, best score first."""
    every: list[dict[str, Any]] = [
        {
            "file": entry.record.path.name,
            "score": float(entry.found.scores[place]),
            "box": [round(float(value), 1) for value in entry.found.boxes[place]],
        }
        for entry in seen
        for place in entry.stray
    ]
    return sorted(every, key=lambda one: -one["score"])[:MISTAKES]


def _missed_faces(seen: list[_Seen], threshold: float) -> list[dict[str, Any]]:
    """Return the largest faces not found at *threshold*, those in disguise included."""
    every: list[dict[str, Any]] = [
        {
            "file": entry.record.path.name,
            "label": label,
            "share": float(look.share),
            "box": [round(float(value), 1) for value in entry.record.faces[place].box],
            "remarks": remarks(look),
        }
        for entry in seen
        for place, label, look, score in zip(
            entry.matches.truth, entry.labels, entry.looks, entry.matches.found, strict=True
        )
        if score < max(threshold, 0.0)
    ]
    return sorted(every, key=lambda one: -one["share"])[:MISTAKES]


def _labelled(seen: list[_Seen], label: str, threshold: float, repeats: int) -> dict[str, Any]:
    found, groups = [], []
    for entry in seen:
        for name, score in zip(entry.labels, entry.matches.found, strict=True):
            if name == label:
                found.append(score >= max(threshold, 0.0))
                groups.append(entry.group)
    hits = np.array(found, float)
    share = _interval(
        groups, lambda i: float(np.mean(hits[i])) if len(i) else float("nan"), repeats
    )
    return {"faces": len(hits), "recall": share}


def _interval(groups: Sequence[str], statistic: Any, repeats: int) -> dict[str, Any]:
    if not repeats:
        return {"value": _plain(statistic(np.arange(len(groups))))}
    found = asdict(bootstrap_by_group(groups, statistic, repeats))
    return {name: _plain(value) for name, value in found.items()}


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def pictures_tables(result: dict[str, Any]) -> str:
    """Return *result* of :func:`evaluate_pictures` as aligned text."""
    ranges = aligned(
        ["range", "faces", "AP50 [95 %]", "recall [95 %]", "at score"],
        [
            (
                f"{name} (from {RANGES[name]:.0%})", entry["faces"],
                percent_interval(entry["average_precision"]), percent_interval(entry["recall"]),
                f"{entry['score_threshold']:.3f}",
            )
            for name, entry in result["ranges"].items()
        ],
    )
    labels = aligned(
        ["recall of", *(f"{name} [95 %] (faces)" for name in result["ranges"])],
        [
            (
                label,
                *(
                    f"{percent_interval(entry['labels'][label]['recall'])} "
                    f"({entry['labels'][label]['faces']})"
                    for entry in result["ranges"].values()
                ),
            )
            for label in (*LABELS, "face")
        ],
    )
    sources = aligned(
        ["source", *(f"{name}: AP50, recall (faces)" for name in result["ranges"])],
        [
            (
                source,
                *(
                    f"{percent(e['sources'][source]['average_precision'])}, "
                    f"{percent(e['sources'][source]['recall'])} ({e['sources'][source]['faces']})"
                    for e in result["ranges"].values()
                ),
            )
            for source in result["ranges"]["all"]["sources"]
        ],
    )
    parts = [ranges, labels, sources]
    sliced = {name: e["slices"] for name, e in result["ranges"].items() if "slices" in e}
    if sliced:
        parts += [_gap_table(result), shares_table("slice", sliced, ["recall"])]
    note = (
        f"{result['pictures']} pictures; recall where false positives are "
        f"{result['false_positives_per_picture']:g} a picture; a share counts the face's longer "
        "side of the picture's"
    )
    return "\n\n".join([*parts, note])


def _gap_table(result: dict[str, Any]) -> str:
    gaps = {
        name: entry["masked_bare_gap"]
        for name, entry in result["ranges"].items()
        if "masked_bare_gap" in entry
    }
    rows = [
        (
            name, f"{gap['masked']}/{gap['bare']}", percent_interval(gap["all"]),
            f"{percent_interval(gap['same_sources'])} ({', '.join(gap['sources_with_both'])})",
        )
        for name, gap in gaps.items()
    ]
    return aligned(
        ["recall, bare less masked", "masked/bare", "points [95 %]", "within sources of both"], rows
    )
