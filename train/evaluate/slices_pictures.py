"""How many faces are found, and judged right, in each slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.modelfile import LABELS
from train.evaluate.slices import SHARES, SLICES, Look, members
from train.evaluate.slices_bootstrap import FEWEST, Resamples
from train.evaluate.slices_faces import source_members
from train.report.tables import aligned, slices_side_by_side

Bools = npt.NDArray[np.bool_]

MASKED, BARE = LABELS[0], LABELS[1]


def picture_members(looks: Sequence[Look], sources: Sequence[str] = ()) -> dict[str, Bools]:
    """Return for each slice of faces in whole pictures which of *looks* (N,) are in it.

    *sources* (N,), where given, name where each face is from and are slices too.  A slice
    without any member is left out.
    """
    every = members((*SHARES, *SLICES), looks) | source_members(sources)
    return {name: chosen for name, chosen in every.items() if np.any(chosen)}


def sliced_shares(
    hits: Mapping[str, Bools], slices: Mapping[str, Bools], resamples: Resamples
) -> dict[str, dict[str, Any]]:
    """Return for each of *slices* its count and the share of each kind of *hits* (N,) in it.

    A share of fewer than :data:`FEWEST` faces is None: counted, and nothing is claimed.
    """
    result = {}
    for name, chosen in slices.items():
        count = int(chosen.sum())
        result[name] = {"faces": count} | {
            kind: resamples.share(hit, chosen) if count >= FEWEST else {"value": None}
            for kind, hit in hits.items()
        }
    return result


def masked_bare_gap(
    found: Bools, labels: Sequence[str], sources: Sequence[str], resamples: Resamples
) -> dict[str, Any]:
    """Return by how much more of the bare faces than of the masked ones are *found* (N,).

    Above 0 means that masks hide faces from the detector.  ``all`` counts every face;
    ``same_sources`` those of sources that hold faces of both kinds: a source of crowds
    without a mask would compare crowds with portraits.
    """
    kinds, origins = np.array(labels, object), np.array(sources, object)
    masked, bare = kinds == MASKED, kinds == BARE
    both = sorted(set(origins[masked]) & set(origins[bare]))
    shared = np.isin(origins.astype(str), both)
    return {
        "masked": int(masked.sum()),
        "bare": int(bare.sum()),
        "bare_same_sources": int((bare & shared).sum()),
        "all": resamples.gap(found, bare, masked),
        "same_sources": resamples.gap(found, bare & shared, masked & shared),
        "sources_with_both": both,
    }


def shares_table(
    title: str, columns: Mapping[str, Mapping[str, Mapping[str, Any]]], kinds: Sequence[str]
) -> str:
    """Return *columns*, each of slices by name, as aligned text with a column for each kind."""
    return aligned(*slices_side_by_side(title, columns, kinds, " [95 %]"))
