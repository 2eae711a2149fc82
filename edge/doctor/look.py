"""Looks through a camera in a process of its own: ``python -m edge.doctor.look``, by the doctor.

A driver can crash the program that opens a camera, or never come back.  Here that costs a child
process.  One JSON object comes on standard input, one goes to standard output::

    {"source": "picamera2://0", "seconds": 12, "picture": ""}
    {"error": "", "live": true, "size": [1280, 720], "frames": 60, "rate": 29.9, ...}
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge.camera import Source

# A camera sets its exposure within the first second or two.
_SETTLING = 2.0  # seconds
_WATCHED = 2.0  # seconds
_FEW = 10
_PARENT_DEATH = 1  # PR_SET_PDEATHSIG


def look(
    source: str,
    seconds: float,
    picture: Path | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Return what *source* gives within *seconds*; write its last picture to *picture*.

    Keys: ``live``; ``error``, one line, empty where pictures came; with pictures also ``size``,
    ``frames``, ``different`` (how many were not the one before), ``rate`` in frames per second,
    ``age`` of the last one in seconds, ``mean``, ``blown`` and ``detail`` of
    :class:`edge.doctor.sight.Sight`, and ``remarks``.
    """
    from edge.camera import open_source
    from edge.errors import MaskgateError

    try:
        opened = open_source(source)
    except MaskgateError as error:
        return {"live": True, "error": str(error)}
    try:
        return watch(opened, seconds, picture, clock)
    finally:
        opened.close()


def watch(
    source: Source, seconds: float, picture: Path | None, clock: Callable[[], float]
) -> dict[str, Any]:
    """Return what :func:`look` does, of an open *source* whose frames go by *clock*."""
    from edge.camera import Fault, Frame, remarks_of
    from edge.camera.health import glance_at
    from edge.doctor.sight import sight_of

    prints: list[int] = []
    times: list[float] = []
    trouble, last = "", None
    give_up = clock() + seconds
    settled: float | None = None
    while clock() < give_up:
        frame = source.read(0.5)
        now = clock()
        if isinstance(frame, Frame):
            trouble, last = "", frame
            if settled is None:
                settled = now + (_SETTLING if source.live else 0.0)
            if now >= settled:
                prints.append(glance_at(frame.image).fingerprint)
                times.append(now)
        elif isinstance(frame, Fault):
            trouble = frame.detail
        elif not source.live:
            break
        enough = len(times) >= _FEW and not source.live
        if enough or (settled is not None and now >= settled + _WATCHED):
            break
    if trouble or last is None:
        silent = f"{source.name}: no picture within {seconds:g} s"
        return {"live": source.live, "error": trouble or silent}
    # Before the picture is written, and at the end, so that a camera which fell silent shows.
    age = max(0.0, clock() - last.timestamp) if source.live else 0.0
    if picture is not None:
        _write(picture, last.image)
    height, width = last.image.shape[:2]
    sight = sight_of(last.image)
    passed = times[-1] - times[0] if len(times) > 1 else 0.0
    return {
        "live": source.live, "error": "", "size": [width, height], "frames": len(times),
        "different": sum(one != other for one, other in pairwise(prints)),
        "rate": (len(times) - 1) / passed if passed > 0 else 0.0, "age": age,
        "mean": sight.mean, "blown": sight.blown, "detail": sight.detail,
        "remarks": list(remarks_of(source)),
    }


def _write(path: Path, image: Any) -> None:
    import cv2

    from edge.files import write_whole

    done, content = cv2.imencode(".png" if path.suffix.lower() == ".png" else ".jpg", image)
    if done:
        write_whole(path, content.tobytes())


def main() -> None:
    """Answer the one request."""
    # A doctor that is killed must not leave the camera held.
    ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL)
    # A core dump would hold pictures of people.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Nor is the one that was asked for everybody's to see.
    os.umask(0o077)
    # Libraries print to descriptor 1; the answer goes where they cannot reach.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    request = json.loads(sys.stdin.readline())
    picture = Path(request["picture"]) if request["picture"] else None
    try:
        answer = look(request["source"], request["seconds"], picture)
    except Exception as error:  # whatever it was, the doctor has to hear of it
        words = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        answer = {"live": True, "error": " ".join(str(words).split())}
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
    # A driver's thread that hangs must not keep this from ending.
    os._exit(0)


if __name__ == "__main__":
    main()
