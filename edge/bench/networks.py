"""The two networks alone: nothing but the runtime's ``invoke``, on one core and on more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2

from edge.bench.result import NetworkTime
from edge.bench.scenes import Scene
from edge.bench.stages import find_interpreter
from edge.bench.statistics import Effort, spread, timings
from edge.errors import ModelError
from edge.modelfile import ModelFile
from edge.vision.classifier import MaskClassifier
from edge.vision.detector import FaceDetector

_MOST_THREADS = 8


@dataclass(frozen=True, slots=True)
class Pair:
    """Both model files of one benchmark, and *detail*, as a FaceDetector takes it."""

    detector: ModelFile
    classifier: ModelFile
    detail: float = 1.0


def thread_counts(cores: int) -> tuple[int, ...]:
    """Return the thread counts worth measuring on *cores* cores: each from 1 to all, at most 8."""
    return tuple(range(1, max(1, min(cores, _MOST_THREADS)) + 1))


def bare_time(
    pair: Pair,
    network: str,
    threads: int,
    scene: Scene,
    effort: Effort,
    measure: Callable[[Callable[[], object], Effort], list[float]] = timings,
) -> NetworkTime:
    """Return how long the *network* ("detector" or "classifier") takes alone on *threads*.

    Its input is a picture of *scene*, which shows at least one face.  Raises ModelError for a
    model that cannot be loaded.
    """
    cv2.setNumThreads(threads)
    picture = scene.pictures[0]
    owner: FaceDetector | MaskClassifier
    if network == "detector":
        owner = FaceDetector(pair.detector, threads, detail=pair.detail)
        owner.detect(picture)
    else:
        owner = MaskClassifier(pair.classifier, threads)
        owner.probabilities(picture, scene.boxes[0])
    interpreter = find_interpreter(owner)
    if interpreter is None:
        raise ModelError(f"the {network}'s runtime has no invoke() to measure; report this")
    _, height, width, _ = (int(v) for v in interpreter.get_input_details()[0]["shape"])
    time = spread(measure(interpreter.invoke, effort))
    assert time is not None  # at least one call is always timed
    return NetworkTime(network, threads, (width, height), time)
