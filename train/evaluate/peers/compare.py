"""One contestant through every evaluation that the others go through too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from train.data.records import PictureRecord
from train.evaluate.closeups import evaluate_closeups
from train.evaluate.pair import evaluate_pair
from train.evaluate.peers.contestant import Contestant
from train.evaluate.pictures import evaluate_pictures

CURVE_THRESHOLD = 0.02
"""Low enough to draw the whole precision-recall curve, high enough to leave out the noise."""

Progress = Callable[[Sequence[PictureRecord]], Iterable[PictureRecord]]


def sampled(pictures: Sequence[PictureRecord], most: int, seed: int = 0) -> list[PictureRecord]:
    """Return *most* of *pictures* drawn by *seed*, in their order; all where there are fewer."""
    if len(pictures) <= most:
        return list(pictures)
    drawn = np.random.default_rng(seed).choice(len(pictures), most, replace=False)
    return [pictures[i] for i in sorted(drawn)]


def measured(
    contestant: Contestant,
    pictures: Sequence[PictureRecord],
    repeats: int,
    progress: Progress = iter,
) -> dict[str, Any]:
    """Return what *contestant* scores on *pictures*: detection, end to end, and close-ups.

    Detection draws the whole curve, the pair runs at the contestant's own threshold, close-ups
    at that one and where it gives 0.1 false positives a picture from gate range on, as all do.
    ``pair`` is None for one that does not judge masks.  Raises ValueError for a contestant
    that can only be timed, DataError when no picture can be read.
    """
    if contestant.detect is None:
        raise ValueError(f"{contestant.name} can only be timed: nobody knows how to read it")
    usual = contestant.detect(contestant.threshold)
    judge = contestant.judge
    curve = evaluate_pictures(
        contestant.detect(CURVE_THRESHOLD), pictures, repeats=repeats, progress=progress
    )
    scores = {
        "published": contestant.threshold,
        # Above the end of the curve there may be fewer false positives than allowed.
        "equal": max(curve["ranges"]["gate"]["score_threshold"], CURVE_THRESHOLD),
    }
    return {
        "name": contestant.name,
        "threshold": contestant.threshold,
        "threshold_is": contestant.why,
        "trained_on": list(contestant.saw),
        "detection": curve,
        "pair": evaluate_pair(usual, judge, pictures, repeats=repeats, progress=progress)
        if judge
        else None,
        "equal_threshold": scores["equal"],
        "closeups": evaluate_closeups(
            contestant.detect(min(scores.values())), pictures, repeats=repeats,
            progress=progress, scores=scores,
        ),
    }
