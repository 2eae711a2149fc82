"""The mask classifier on labelled faces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from edge.errors import DataError
from edge.modelfile import LABELS
from train.data.pictures import LoadedFaces
from train.data.records import FaceRecord, data_checksum
from train.evaluate.appearance import Dispute, appearance_members, appearance_remarks
from train.evaluate.networks import Judge
from train.evaluate.slices import SLICES, Look, look_at, meanings, members, remarks
from train.evaluate.slices_bootstrap import resample
from train.evaluate.slices_faces import judgement_table, sliced_judgement, source_members
from train.report.judgement import curves, judge_faces
from train.report.metrics import Classes, Probabilities
from train.report.tables import aligned, percent, percent_interval

HEADLINES = {
    "accuracy": "accuracy of three",
    "with_without_balanced_accuracy": "with/without, balanced",
    "with_without_balanced_accuracy_of_three": "  the same, three answers on offer",
    "incorrect_recall": "incorrect, recall",
    "incorrect_precision": "incorrect, precision",
    "incorrect_recall_at_stated_precision": "incorrect, recall at 90 % precision",
    "expected_calibration_error": "expected calibration error",
}


def evaluate_faces(
    judge: Judge,
    faces: LoadedFaces,
    synthetic: Iterable[str] = (),
    repeats: int = 1000,
    progress: Callable[[Iterable[FaceRecord]], Iterable[FaceRecord]] = iter,
    appearance: Mapping[str, Mapping[str, str]] | None = None,
    disputed: Mapping[str, Dispute] | None = None,
) -> dict[str, Any]:
    """Return the metrics of *judge* on *faces*, those of *synthetic* sources left out.

    *repeats* bootstrap resamples by group make the intervals.  *appearance* and *disputed*
    are what :mod:`train.evaluate.appearance` reads.  Every figure takes the labels as given;
    ``without_disputed`` holds a second set that leaves the disputed faces out.  Raises
    DataError when no photograph is left.
    """
    left_out = set(synthetic)
    records = [record for record in faces.records if record.source not in left_out]
    if not records:
        raise DataError("no photograph is left to evaluate on; all are of a synthetic source")
    probabilities = np.concatenate(
        [
            judge(faces.picture(record), np.array([record.box], np.float32))
            for record in progress(records)
        ]
    ).astype(np.float64)
    truth = np.array([LABELS.index(record.label) for record in records], np.intp)
    sources = [record.source or "unnamed" for record in records]
    groups = [record.group or record.picture.name for record in records]
    files = [record.picture.name for record in records]
    looks = [look_at(faces.picture(record), record) for record in records]
    every = (
        members(SLICES, looks)
        | appearance_members(files, appearance or {})
        | source_members(sources)
    )
    slices = {name: chosen for name, chosen in every.items() if np.any(chosen)}
    contested = np.array([_contested(record, disputed or {}) for record in records], bool)
    kept = np.nonzero(~contested)[0]
    result = {
        "data_checksum": data_checksum(records),
        "synthetic_left_out": len(faces.records) - len(records),
        "broken": [path.name for path in faces.broken],
        **judge_faces(truth, probabilities, groups, sources, repeats),
        "slices": sliced_judgement(truth, probabilities, slices, resample(groups, repeats)),
        "slice_meanings": meanings(SLICES),
        **curves(truth, probabilities),
        "mistakes": _mistakes(
            records, looks, truth, probabilities, appearance or {}, disputed or {}
        ),
        "appearance_seen": dict(
            Counter(s for s, file in zip(sources, files, strict=True) if file in (appearance or {}))
        ),
        "disputed": int(contested.sum()),
    }
    if contested.any() and len(kept):
        left = [groups[i] for i in kept]
        result["without_disputed"] = {
            **judge_faces(
                truth[kept], probabilities[kept], left, [sources[i] for i in kept], repeats
            ),
            "slices": sliced_judgement(
                truth[kept], probabilities[kept],
                {name: chosen[kept] for name, chosen in slices.items()}, resample(left, repeats),
            ),
            **curves(truth[kept], probabilities[kept]),
        }
    return result


def _contested(record: FaceRecord, disputed: Mapping[str, Dispute]) -> bool:
    dispute = disputed.get(record.picture.name)
    # A label that was mended since is in dispute no more.
    return dispute is not None and dispute.given == record.label


def _mistakes(
    records: Sequence[FaceRecord],
    looks: Sequence[Look],
    truth: Classes,
    probabilities: Probabilities,
    appearance: Mapping[str, Mapping[str, str]],
    disputed: Mapping[str, Dispute],
) -> list[dict[str, Any]]:
    """Return every wrong answer, the surest first."""
    said = probabilities.argmax(axis=1)
    wrong = np.nonzero(said != truth)[0]
    found = []
    for place in wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")]:
        record = records[place]
        contested = _contested(record, disputed)
        found.append(
            {
                "file": record.picture.name,
                "source": record.source or "unnamed",
                "given": record.label,
                "said": LABELS[said[place]],
                "probability": float(probabilities[place, said[place]]),
                "remarks": remarks(looks[place])
                + appearance_remarks(appearance.get(record.picture.name, {})),
                "disputed_as": disputed[record.picture.name].seen if contested else None,
            }
        )
    return found


def faces_tables(result: dict[str, Any]) -> str:
    """Return *result* of :func:`evaluate_faces` as aligned text."""
    sets = [result] + ([result["without_disputed"]] if "without_disputed" in result else [])
    titles = [f"% of {result['faces']} faces [95 % interval]", "disputed labels left out"]
    headline = aligned(
        ["classifier", *titles[: len(sets)]],
        [
            (title, *(percent_interval(one[name]) for one in sets))
            for name, title in HEADLINES.items()
        ],
    )
    if result.get("disputed"):
        headline += f"\n{result['disputed']} labels are disputed by eye; all other tables keep them"
    confusion = aligned(
        ["true \\ said", *LABELS, "recall", "precision"],
        [
            (
                label, *counts, percent(result["classes"][label]["recall"]),
                percent(result["classes"][label]["precision"]),
            )
            for label, counts in zip(LABELS, result["confusion"], strict=True)
        ],
    )
    sources = aligned(
        ["source", "faces", "accuracy", "with/without", *(f"recall {name}" for name in LABELS)],
        [
            (
                name, entry["faces"], percent(entry["accuracy"]),
                percent(entry["with_without_balanced_accuracy"]),
                *(percent(entry["recalls"][label]) for label in LABELS),
            )
            for name, entry in result["sources"].items()
        ],
    )
    return "\n\n".join([headline, confusion, sources, judgement_table(result["slices"])])
