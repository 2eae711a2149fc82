"""How the classifier does in each slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.modelfile import LABELS
from train.evaluate.slices_bootstrap import FEWEST, Resamples
from train.report.metrics import WITH, WITHOUT, Classes, Probabilities
from train.report.tables import aligned, percent_interval

INCORRECT = LABELS.index("incorrect_mask")

FEWEST_OF_A_KIND = 10
"""Masked or bare faces below which a recall is too rough to be half of a balanced accuracy."""


def sliced_judgement(
    truth: Classes,
    probabilities: Probabilities,
    slices: Mapping[str, npt.NDArray[np.bool_]],
    resamples: Resamples,
) -> dict[str, dict[str, Any]]:
    """Return counts and metrics of *probabilities* (N, 3) against *truth* (N,) in each slice.

    *slices* maps names to members (N,).  ``with_without`` is the balanced accuracy of masked
    against bare, the third answer not on offer; where a slice has hardly any of one kind it is
    the share of right answers, and ``balanced`` is False.  A metric over fewer than
    :data:`FEWEST` faces is None: such a slice is counted, and nothing is claimed.
    """
    two = np.where(probabilities[:, WITH] >= probabilities[:, WITHOUT], WITH, WITHOUT) == truth
    three = probabilities.argmax(axis=1) == truth
    kinds = [truth == number for number in range(len(LABELS))]
    result = {}
    for name, chosen in slices.items():
        masked, bare, wrong = (chosen & kind for kind in kinds)
        balanced = min(masked.sum(), bare.sum()) >= FEWEST_OF_A_KIND
        parts = [(two, masked), (two, bare)] if balanced else [(two, masked | bare)]
        enough = np.count_nonzero(masked | bare) >= FEWEST
        result[name] = {
            "faces": int(chosen.sum()),
            "masked": int(masked.sum()),
            "bare": int(bare.sum()),
            "incorrect": int(wrong.sum()),
            "balanced": bool(balanced),
            "with_without": resamples.mean_of(parts) if enough else {"value": None},
            "accuracy": _share(resamples, three, chosen),
            "incorrect_recall": _share(resamples, three, wrong),
        }
    return result


def source_members(sources: Sequence[str]) -> dict[str, npt.NDArray[np.bool_]]:
    """Return for each source which of *sources* (N,) are it, (N,) bool."""
    every = np.array(sources, object)
    return {f"source: {name}": every == name for name in sorted(set(sources))}


def judgement_table(slices: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what :func:`sliced_judgement` returned as aligned text."""
    rows = [
        (
            name, entry["faces"], f"{entry['masked']}/{entry['bare']}/{entry['incorrect']}",
            percent_interval(entry["with_without"])
            + ("" if entry["balanced"] or entry["with_without"]["value"] is None else " *"),
            percent_interval(entry["incorrect_recall"]),
        )
        for name, entry in slices.items()
    ]
    table = aligned(
        ["slice", "faces", "masked/bare/incorrect", "with/without [95 %]",
         "incorrect, recall [95 %]"],
        rows,
    )
    return (
        f"{table}\n* hardly any of one kind: share right, not balanced.  Below {FEWEST} faces "
        "nothing is claimed."
    )


def _share(resamples: Resamples, hits: Any, chosen: Any) -> dict[str, Any]:
    few = np.count_nonzero(chosen) < FEWEST
    return {"value": None} if few else resamples.share(hits, chosen)
