"""In the child: frames and who is drawn on them to a film that browsers play."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.errors import OutputError, SourceError
from edge.report.overlay import GateStatus, PersonView, draw_people
from train.studio.messages import FilmAsked, unpacked

# VP8 in WebM: the one film that OpenCV's wheel writes and every browser plays.
_CODEC = "VP80"


def make_film(request: bytes) -> bytes:
    """Answer a ``FilmAsked`` with the bytes of a WebM; raises OutputError where none comes."""
    asked = unpacked(request, FilmAsked)
    path = Path(asked.folder) / "film.webm"
    writer = None
    for content, people, state in zip(asked.frames, asked.drawn, asked.states, strict=True):
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise SourceError("a frame of the clip was lost; watch it again")
        views = [
            PersonView(p.person, p.box, p.verdict, p.confidence, p.evidence, p.lack)
            for p in people
        ]
        drawn = draw_people(np.asarray(image, np.uint8), views, GateStatus(state))
        if writer is None:
            size = (drawn.shape[1] // 2 * 2, drawn.shape[0] // 2 * 2)
            writer = cv2.VideoWriter(
                str(path), cv2.VideoWriter.fourcc(*_CODEC), asked.frames_per_second, size
            )
            if not writer.isOpened():
                raise OutputError(f"this OpenCV {cv2.__version__} writes no {_CODEC} films")
        writer.write(np.ascontiguousarray(drawn[: size[1], : size[0]]))
    if writer is None:
        raise SourceError("there is no frame to make a film of")
    writer.release()
    return path.read_bytes()
