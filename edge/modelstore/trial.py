"""Tries a model in a process of its own: ``python -m edge.modelstore.trial``, never by a person.

TensorFlow Lite says of itself that a model is code: a crafted or corrupt one can crash the
interpreter or take all memory.  Here that costs a child process and gives a reason.  Requests
come as JSON lines on standard input, one answer line to each goes to standard output::

    {"path": "...", "kind": "mask-classifier", "running": "...", "megabytes": 512, "seconds": 60}
    {"refused": "", "error": 0, "milliseconds": 0.7, "running": 0.6, "runtime": "..."}
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.errors import ModelError

_ROUNDS = 15
_LONGEST_TIMING = 4.0  # seconds
_LARGEST_OUTPUT = 1024 * 1024
_PARENT_DEATH = 1  # PR_SET_PDEATHSIG


def main() -> None:
    """Answer requests until standard input ends."""
    parent = os.getppid()
    # A gate that is killed must not leave this running.
    ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL)
    if os.getppid() != parent:
        return
    with contextlib.suppress(OSError):
        # A sandbox may forbid it; a trial that does not yield is still a trial.
        os.nice(5)
    # Libraries print to descriptor 1; the answers go where those cannot reach.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_OUTPUT, _LARGEST_OUTPUT))
    _load_libraries()
    limited = False
    for line in sys.stdin:
        request = json.loads(line)
        if not limited:
            _limit_memory(int(request["megabytes"]))
            limited = True
        _limit_time(float(request["seconds"]))
        answers.write(json.dumps(_answer(request)) + "\n")


def tried(path: Path, kind: Any, running: Path | None) -> dict[str, Any]:
    """Try the model file *path* here and return the answer; raise ModelError if it fails.

    Structure, operators and types first, then its outputs, its self-test on this machine, and
    its speed beside *running*.
    """
    from edge.modelfile import parse_model, parts_of, read_bytes, read_model
    from edge.modelstore.structure import check_card, check_network
    from edge.vision.selftest import run_self_test

    data = read_bytes(path)
    model = parse_model(data, path, kind)
    check_card(data, model)
    check_network(parts_of(data, path)[1], model)
    network = _loaded(model)
    error = run_self_test(model)
    answer = {"refused": "", "error": error, "runtime": network.runtime}
    if running is not None:
        other = _loaded(read_model(running, kind))
        answer["milliseconds"], answer["running"] = side_by_side(network, other)
    return answer


def _loaded(model: Any) -> Any:
    """Return the network of *model*, loaded as the gate loads it, with its outputs checked."""
    from edge.vision.classifier import MaskClassifier
    from edge.vision.detector import FaceDetector
    from edge.vision.interpreter import Network

    (FaceDetector if model.card.kind == "face-detector" else MaskClassifier)(model)
    return Network.from_model(model)


def side_by_side(
    one: Any, other: Any, clock: Callable[[], float] = time.perf_counter
) -> tuple[float, float]:
    """Return the fewest milliseconds that each of two networks took for a picture.

    The fewest, of many taken in turns, and not the middle: what else a busy board does comes in
    a rhythm, which can hit the same network every time (measured: 12 ms of a network of 1 ms).
    """
    import numpy as np

    pair = [(net, np.full(net.shape, 127, np.uint8)) for net in (one, other)]
    best = [float("inf")] * 2
    give_up = clock() + _LONGEST_TIMING
    for turn in range(_ROUNDS):
        if turn and clock() >= give_up:
            break
        # Who goes first changes, too.
        for mine in (0, 1) if turn % 2 == 0 else (1, 0):
            network, picture = pair[mine]
            begun = clock()
            network.run_raw(picture)
            best[mine] = min(best[mine], (clock() - begun) * 1000)
    return best[0], best[1]


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    running = Path(request["running"]) if request["running"] else None
    try:
        return tried(Path(request["path"]), request["kind"], running)
    except ModelError as error:
        return {"refused": " ".join(str(error).split())}
    except MemoryError:
        return {
            "refused": f"{request['path']} needs more than {request['megabytes']} MB; train a "
            "smaller network, or raise [updates] trial_megabytes"
        }
    except Exception as error:
        # What nobody thought of is a failed trial too, and never a reason to trust a file.
        words = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return {"refused": f"{request['path']} cannot be tried: {words}"}


def _load_libraries() -> None:
    # Before memory is limited, so that the limit is the model's own.
    import cv2

    from edge.vision import interpreter

    cv2.setNumThreads(1)
    interpreter._runtime()


def _limit_memory(megabytes: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + megabytes * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _limit_time(seconds: float) -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    used = usage.ru_utime + usage.ru_stime
    resource.setrlimit(resource.RLIMIT_CPU, (int(used + seconds) + 1, hard))


if __name__ == "__main__":
    main()
