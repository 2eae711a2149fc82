"""The camera: there, delivering fresh pictures, of which something can be seen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import edge
from edge.camera.uri import parse_uri
from edge.config_show import without_secret
from edge.doctor.context import Context
from edge.doctor.finding import Finding, failure, ok, skipped, together, warning
from edge.doctor.past import newest_of, when
from edge.doctor.sight import Sight, troubles_of
from edge.errors import SourceError

_SECONDS = 12.0
# For Python and the libraries to start, and the driver to let go: slow cards take their time.
_CHILD_SECONDS = 15.0
_LEAST_RATE = 5.0
_LEAST_FRAMES = 2
_OLDEST = 1.0  # seconds
_NO_CAMERA = {"demo": "the built-in scene", "file": "a file", "folder": "a folder"}


def check_camera(ctx: Context) -> Finding:
    """Open the configured camera, look through it for seconds, and judge what comes."""
    source = ctx.settings().camera.source
    shown = str(without_secret("camera.source", source))
    if ctx.service.running:
        found = _as_the_service_says(ctx, shown)
        if ctx.wishes.picture is None:
            return found
        return together(found, warning(
            "the service has the camera, so that no picture was taken",
            "sudo maskgate doctor --stop-service --picture FILE takes one",
        ))
    try:
        scheme = parse_uri(source).scheme
    except SourceError as error:
        return failure(str(error))
    answer = look_aside(source, _SECONDS, ctx.wishes.picture)
    parts = [judge_look(shown, answer)]
    if scheme in _NO_CAMERA:
        parts.append(warning(
            f"the source is {_NO_CAMERA[scheme]}, no camera ({shown})",
            "name the camera in gate.toml, [camera] source",
        ))
    if ctx.wishes.picture is not None and not answer["error"]:
        ctx.say(f"{ctx.wishes.picture}: one picture, which only this user may read")
    return together(*parts)


def judge_look(shown: str, answer: Mapping[str, Any]) -> Finding:
    """Return what to say of *answer*, as :func:`edge.doctor.look.look` gives it."""
    if answer["error"]:
        return failure(answer["error"], answer.get("advice", ""))
    width, height = answer["size"]
    words = f"{shown}: {width}x{height}"
    live = answer["live"]
    if live:
        words += f", {answer['rate']:.0f} frames a second"
    parts = []
    if live and answer["frames"] < _LEAST_FRAMES:
        return failure(
            f"{words}: {answer['frames']} new pictures in 2 s", "check its cable and power supply"
        )
    if live and not answer["different"]:
        parts.append(failure(f"{words}, all of them the same picture", "switch the camera off "
                             "and on, and check its cable"))
    if live and answer["age"] > _OLDEST:
        parts.append(warning(f"{words}, {answer['age']:.1f} s old when they come", "end what else "
                             "keeps the processor busy, or lower size or fps"))
    if live and answer["rate"] < _LEAST_RATE:
        parts.append(warning(f"{words}: fewer than {_LEAST_RATE:g} a second judge nobody who "
                             "walks", "give the door light, or lower the camera's exposure"))
    sight = Sight(answer["mean"], answer["blown"], answer["detail"])
    parts += [warning(f"{words}, {wrong}", advice) for wrong, advice in troubles_of(sight)]
    parts += [warning(remark) for remark in answer["remarks"]]
    seen = f"brightness {sight.mean:.0f} of 255, {sight.blown:.0%} white, detail {sight.detail:.2f}"
    return together(*parts) if parts else ok(f"{words}, {seen}")


def look_aside(
    source: str, seconds: float, picture: Path | None, slack: float = _CHILD_SECONDS
) -> dict[str, Any]:
    """Return what :func:`edge.doctor.look.look` finds in a process of its own.

    It has *slack* seconds more than it looks for, and is killed then.
    """
    request = {"source": source, "seconds": seconds, "picture": str(picture or "")}
    folder = str(Path(edge.__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))
    child = subprocess.Popen(
        [sys.executable, "-m", "edge.doctor.look"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        start_new_session=True,
    )
    try:
        said, _ = child.communicate(json.dumps(request).encode() + b"\n", seconds + slack)
        answer = json.loads(said)
        return answer if isinstance(answer, dict) else {}
    except subprocess.TimeoutExpired:
        return {
            "error": f"its driver hangs: no answer within {seconds + slack:g} s",
            "advice": "unplug the camera and plug it in again, or restart the board",
        }
    except ValueError:
        code = child.wait(1)
        how = signal.Signals(-code).name if code < 0 else f"code {code}"
        return {
            "error": f"its driver ended the program that opened it ({how})",
            "advice": "update the system (sudo apt full-upgrade), and try another camera",
        }
    finally:
        if child.poll() is None:
            child.kill()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()


def _as_the_service_says(ctx: Context, shown: str) -> Finding:
    newest = newest_of(ctx, ("started", "camera_fault", "camera_recovered"))
    if isinstance(newest, str):
        return skipped(
            f"the service has {shown} and says: {ctx.service.status or 'nothing'} ({newest})",
            "sudo maskgate doctor --stop-service looks through it",
        )
    if newest is not None and newest.kind == "camera_fault":
        return failure(
            f"the service has {shown} and has told of a fault since {when(newest)}: "
            f"{newest.detail or newest.fault}",
            "sudo maskgate doctor --stop-service looks through it",
        )
    status = f" ({ctx.service.status})" if ctx.service.status else ""
    return ok(f"the service has {shown} and tells of no fault{status}")

