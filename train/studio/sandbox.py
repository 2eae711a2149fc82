"""``python -m train.studio.sandbox TASK SECONDS MEGABYTES``: the child's side of ``child.ask``."""

from __future__ import annotations

import importlib
import math
import os
import resource
import sys

from edge.errors import MaskgateError
from train.studio.child import LARGEST_ANSWER, fine, refused

TASKS = {
    "picture": "train.studio.seeing:see_picture",
    "clip": "train.studio.watching:watch_clip",
    "film": "train.studio.filming:make_film",
    "crops": "train.studio.cutting:cut_faces",
}
"""Function by task, each from the request's bytes to the answer's."""


def main() -> int:
    """Answer one request on standard input; return the exit code."""
    task, seconds, megabytes = sys.argv[1:]
    limit(float(seconds), int(megabytes))
    try:
        place, _, name = TASKS[task].partition(":")
        with open(0, "rb", closefd=False) as asked:
            request = asked.read()
        answer = fine(getattr(importlib.import_module(place), name)(request))
    except MaskgateError as error:
        answer = refused(str(error))
    except MemoryError:
        answer = refused(f"it takes more than {megabytes} MB of memory; bring less")
    with open(1, "wb", closefd=False) as answered:
        answered.write(answer)
    # What a decoder does while the interpreter ends is nobody's loss any more.
    os._exit(0)


def limit(seconds: float, megabytes: int) -> None:
    """Let this process take no more than *seconds* of processor time and *megabytes*."""
    whole = math.ceil(seconds)
    for kind, most in (
        (resource.RLIMIT_CPU, whole),
        (resource.RLIMIT_AS, megabytes * 2**20),
        (resource.RLIMIT_FSIZE, LARGEST_ANSWER),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(2**27)
    # A playlist in a video's clothes could name other files, or pages behind the firewall.
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "protocol_whitelist;file"


if __name__ == "__main__":
    sys.exit(main())
