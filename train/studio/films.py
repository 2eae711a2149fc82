"""The annotated playback of a clip, made by a child process."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from edge.gate.decision import DecisionSettings
from train.studio.child import Limits, ask
from train.studio.messages import FilmAsked, SeenClip, packed
from train.studio.sequential import Story, drawn

FILM_LIMITS = Limits(seconds=90, megabytes=1500)
_MEMORY = Path("/dev/shm")


def film_of(clip: SeenClip, told: Sequence[Story], settings: DecisionSettings) -> bytes:
    """Return *clip* with everybody's verdict drawn on it as WebM; raises SourceError in words."""
    people, states = drawn(clip, told, settings)
    # The encoder wants a name; where the system has one, it is a name in memory.
    place = _MEMORY if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="maskgate-studio-", dir=place) as folder:
        asked = FilmAsked(clip.frames, people, states, frame_rate(clip), folder)
        return ask("film", packed(asked), FILM_LIMITS)


def frame_rate(clip: SeenClip) -> float:
    """Return the frames per second of *clip* as it was watched, 1 to 60."""
    if len(clip.times) < 2 or clip.times[-1] <= clip.times[0]:
        return 10.0
    rate = (len(clip.times) - 1) / (clip.times[-1] - clip.times[0])
    return min(60.0, max(1.0, rate))
