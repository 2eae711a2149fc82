"""Detector and classifier together, as the device runs them: is the person judged right?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge.errors import DataError
from edge.modelfile import LABELS
from train.data.pictures import read_picture
from train.data.records import FaceRecord, PictureRecord, data_checksum
from train.evaluate.networks import Detect, Judge
from train.evaluate.slices import SHARES, SLICES, Look, look_at, meanings
from train.evaluate.slices_bootstrap import resample
from train.evaluate.slices_pictures import picture_members, shares_table, sliced_shares
from train.report.detection import longer_sides, pair_up
from train.report.metrics import bootstrap_by_group
from train.report.tables import aligned, percent_interval

CLOSE = 0.08
GATE = 0.04
WITH = LABELS.index("with_mask")


@dataclass(frozen=True, slots=True)
class _Face:
    """One close labelled face: was it found, was it judged right."""

    label: str
    source: str
    group: str
    look: Look
    found: bool
    right: bool


@dataclass(frozen=True, slots=True)
class _Alerts:
    """Alerts in one picture that should not have been: on masked faces, on no face at all."""

    group: str
    masked: int
    nothing: int


def evaluate_pair(
    detect: Detect,
    judge: Judge,
    pictures: Sequence[PictureRecord],
    repeats: int = 1000,
    progress: Callable[[Sequence[PictureRecord]], Iterable[PictureRecord]] = iter,
) -> dict[str, Any]:
    """Return how many close labelled faces are found *and* judged right, and the wrong alerts.

    *detect* runs at its own operating threshold.  A wrong alert is a detection from gate
    range on that is called bare or wrongly worn but matches a face labelled masked, or
    nothing; in ignore regions and on faces of unknown state anything may be said.
    Raises DataError when no picture can be read.
    """
    faces: list[_Face] = []
    alerts: list[_Alerts] = []
    broken = []
    for record in progress(pictures):
        image = read_picture(record.path)
        if image is None:
            broken.append(record.path.name)
            continue
        longest = max(image.shape[:2])
        found = detect(image)
        said = judge(image, found.boxes).argmax(axis=1)
        truth = np.array([face.box for face in record.faces], np.float32).reshape(-1, 4)
        crowd = np.array([face.ignore for face in record.faces], bool)
        chosen = pair_up(found.boxes, found.scores, truth, crowd, crowd)
        group, source = record.group or record.path.name, record.source or "unnamed"
        answers = {int(face): int(said[i]) for i, face in enumerate(chosen) if face >= 0}
        for number, face in enumerate(record.faces):
            if _counts(face, CLOSE * longest):
                answer = answers.get(number)
                right = answer is not None and LABELS[answer] == face.label
                look = look_at(image, face)
                faces.append(_Face(face.label, source, group, look, answer is not None, right))
        alarmed = (said != WITH) & (longer_sides(found.boxes) >= GATE * longest)
        masked = sum(
            1
            for i in np.nonzero(alarmed & (chosen >= 0))[0]
            if record.faces[chosen[i]].label == LABELS[WITH] and not record.faces[chosen[i]].ignore
        )
        alerts.append(_Alerts(group, masked, int(np.sum(alarmed & (chosen < 0)))))
    if not alerts:
        raise DataError(f"none of the {len(broken)} pictures can be read")
    return {
        "pictures": len(alerts),
        "broken": broken,
        "data_checksum": data_checksum([face for p in pictures for face in p.faces]),
        "close_faces": {
            "all": _shares(faces, repeats),
            **{label: _shares([f for f in faces if f.label == label], repeats) for label in LABELS},
            **{
                source: _shares([f for f in faces if f.source == source], repeats)
                for source in sorted({face.source for face in faces})
            },
        },
        "wrong_alerts_per_100_pictures": {
            name: _rate(alerts, [getattr(a, name) for a in alerts], repeats)
            for name in ("masked", "nothing")
        }
        | {"all": _rate(alerts, [a.masked + a.nothing for a in alerts], repeats)},
        "slices": _slices(faces, repeats),
        "slice_meanings": meanings((*SHARES, *SLICES)),
    }


def _counts(face: FaceRecord, least: float) -> bool:
    longer = max(face.box[2] - face.box[0], face.box[3] - face.box[1])
    return face.label in LABELS and not face.ignore and longer >= least


def _shares(faces: list[_Face], repeats: int) -> dict[str, Any]:
    groups = [face.group for face in faces]
    return {
        "faces": len(faces),
        "found": _interval(groups, np.array([face.found for face in faces], float), repeats),
        "found_and_right": _interval(groups, np.array([f.right for f in faces], float), repeats),
    }


def _slices(faces: list[_Face], repeats: int) -> dict[str, Any]:
    chosen = picture_members([face.look for face in faces])
    hits = {
        "found": np.array([face.found for face in faces], bool),
        "found_and_right": np.array([face.right for face in faces], bool),
    }
    return sliced_shares(hits, chosen, resample([face.group for face in faces], repeats))


def _rate(alerts: list[_Alerts], counts: list[int], repeats: int) -> dict[str, Any]:
    return _interval([a.group for a in alerts], 100 * np.array(counts, float), repeats)


def _interval(groups: list[str], values: Any, repeats: int) -> dict[str, Any]:
    if not len(values):
        return {"value": None}
    if not repeats:
        return {"value": float(values.mean())}
    return asdict(bootstrap_by_group(groups, lambda i: float(values[i].mean()), repeats))


def pair_tables(result: dict[str, Any]) -> str:
    """Return *result* of :func:`evaluate_pair` as aligned text."""
    shares = aligned(
        [f"close faces (from {CLOSE:.0%})", "faces", "found % [95 %]", "found and right % [95 %]"],
        [
            (
                name, entry["faces"], percent_interval(entry["found"]),
                percent_interval(entry["found_and_right"]),
            )
            for name, entry in result["close_faces"].items()
        ],
    )
    titles = {"masked": "on a masked face", "nothing": "on no face", "all": "together"}
    wrong = aligned(
        [f"wrong alerts (from {GATE:.0%})", f"per 100 of {result['pictures']} pictures [95 %]"],
        [
            (titles[name], _interval_text(entry))
            for name, entry in result["wrong_alerts_per_100_pictures"].items()
        ],
    )
    title = f"slice of close faces (from {CLOSE:.0%})"
    slices = shares_table(title, {"all": result["slices"]}, ["found", "found_and_right"])
    return "\n\n".join([shares, wrong, slices])


def _interval_text(entry: dict[str, Any]) -> str:
    text = f"{entry['value']:.1f}"
    return f"{text} [{entry['low']:.1f}, {entry['high']:.1f}]" if "low" in entry else text
