"""``python -m train evaluate looks``: clips to people, and their looks as log ratios."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from edge.camera.files import VideoSource
from edge.config import default_config
from edge.errors import DataError
from edge.gate.decision import DecisionSettings, Evidence, update
from edge.modelfile import read_model
from edge.networks import gate_settings
from train.evaluate.following import Follower, Look, follower
from train.evaluate.looks import Looks, measure_looks

_LIKE = 1.02
"""Clips whose frames come this much faster or slower than another's are not put together."""


def looks_in(
    clips: Sequence[Path], detector: Path, classifier: Path, repeats: int = 1000
) -> dict[str, Any]:
    """Return how long a look's error lasts, by the people in *clips*: see ``measure_looks``.

    Every frame is looked at.  Raises SourceError for what is no clip, ModelError for what is no
    such model, DataError where clips differ in frames a second or show too few people.
    """
    files = read_model(detector, "face-detector"), read_model(classifier, "mask-classifier")
    people: list[Looks] = []
    gap = 0.0
    for clip in clips:
        with closing(VideoSource(clip)) as source:
            rate = source.frames_per_second or 0.0
            gap = gap or 1 / rate
            if not 1 / _LIKE < gap * rate < _LIKE:
                raise DataError(
                    f"{clip}: has {rate:.3g} frames a second, and the clip before it "
                    f"{1 / gap:.3g}; measure them one by one"
                )
            people += _people(follower(*files), source)
    usual = gate_settings(*files, default_config()).decision
    return measure_looks(people, gap, {
        "assumed_seconds": usual.correlation_seconds, "clip": usual.clip,
        "models": {kind: f"{m.card.name} {m.card.version}" for kind, m in zip(
            ("detector", "classifier"), files, strict=True
        )},
    }, repeats)


def log_ratio(said: Sequence[float], settings: DecisionSettings) -> float:
    """Return by how much a first look that *said* probabilities puts mask before the rest."""
    mask, bare, wrong = update(Evidence(), said, 0.0, settings).scores
    return mask - max(bare, wrong)


def _people(gate: Follower, source: VideoSource) -> Iterator[Looks]:
    """Yield the looks of everybody in *source*, a number a frame, nan where there was none."""
    seen: dict[int, list[tuple[int, Look]]] = {}
    people: set[int] = set()
    number = 0
    while (frame := source.read(0.0)) is not None:
        for look in gate.look(frame.image, frame.timestamp):
            seen.setdefault(look.track.id, []).append((number, look))
            people |= {look.track.id} if look.track.confirmed else set()
        number += 1
    for track in sorted(people):
        first = seen[track][0][0]
        looks = np.full(seen[track][-1][0] - first + 1, np.nan)
        for place, look in seen[track]:
            if look.said is not None:
                looks[place - first] = log_ratio(look.said, gate.decision)
        yield looks
