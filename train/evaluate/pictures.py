"""The face detector on whole pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import DataError
from edge.modelfile import LABELS
from train.data.pictures import read_picture
from train.data.records import PictureRecord, data_checksum
from train.evaluate.networks import Detect
from train.report.detection import (
    Matches,
    detection_average_precision,
    match_picture,
    recall_at,
    threshold_at_false_positives,
)
from train.report.metrics import bootstrap_by_group
from train.report.tables import aligned, percent, percent_interval

# A face's longer side as a share of the picture's: about three metres from a Pi camera, and
# one and a half.
RANGES = {"all": 0.0, "gate": 0.04, "close": 0.08}
FALSE_POSITIVES = 0.1

Progress = Callable[[Sequence[PictureRecord]], Iterable[PictureRecord]]


@dataclass(frozen=True, slots=True)
class _Seen:
    """One picture, matched in one range, with what is needed to cut it by label and source."""

    matches: Matches
    labels: tuple[str, ...]
    group: str
    source: str


def evaluate_pictures(
    detect: Detect,
    pictures: Sequence[PictureRecord],
    repeats: int = 300,
    progress: Progress = iter,
) -> dict[str, Any]:
    """Return the metrics of *detect* on *pictures*, per range of face size.

    *detect* should answer down to a low score, or the precision-recall curve is cut.  A
    broken picture is left out and named.  Raises DataError when none can be read.
    """
    seen: dict[str, list[_Seen]] = {name: [] for name in RANGES}
    broken: list[Path] = []
    for record in progress(pictures):
        image = read_picture(record.path)
        if image is None:
            broken.append(record.path)
            continue
        faces = detect(image)
        truth = np.array([face.box for face in record.faces], np.float32).reshape(-1, 4)
        crowd = np.array([face.ignore for face in record.faces], bool)
        for name, share in RANGES.items():
            least = share * max(image.shape[:2])
            matches = match_picture(faces.boxes, faces.scores, truth, crowd, least)
            labels = tuple(record.faces[i].label for i in matches.truth)
            group = record.group or record.path.name
            seen[name].append(_Seen(matches, labels, group, record.source or "unnamed"))
    if not seen["all"]:
        raise DataError(f"none of the {len(broken)} pictures can be read")
    return {
        "pictures": len(seen["all"]),
        "broken": [path.name for path in broken],
        "data_checksum": data_checksum([face for p in pictures for face in p.faces]),
        "false_positives_per_picture": FALSE_POSITIVES,
        "ranges": {name: _range(entries, repeats) for name, entries in seen.items()},
    }


def _range(seen: list[_Seen], repeats: int) -> dict[str, Any]:
    matches = [entry.matches for entry in seen]
    groups = [entry.group for entry in seen]
    threshold = threshold_at_false_positives(matches, FALSE_POSITIVES)

    def recall(indices: Any) -> float:
        chosen = [matches[i] for i in indices]
        return recall_at(chosen, threshold_at_false_positives(chosen, FALSE_POSITIVES))

    def precision(indices: Any) -> float:
        return detection_average_precision([matches[i] for i in indices])

    return {
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
    note = (
        f"{result['pictures']} pictures; recall where false positives are "
        f"{result['false_positives_per_picture']:g} a picture; a share counts the face's longer "
        "side of the picture's"
    )
    return "\n\n".join([ranges, labels, sources, note])
