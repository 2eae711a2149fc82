"""From a model in the store to a network that is loaded and warm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge.errors import ModelError
from edge.modelfile import Kind, ModelFile, parse_model, read_bytes
from edge.modelstore.keys import signer
from edge.modelstore.state import State
from edge.modelstore.store import Store
from edge.vision.classifier import MaskClassifier
from edge.vision.detector import FaceDetector

# Where no picture has been seen yet: what most cameras give.
_USUAL_SIZE = (640, 480)


@dataclass(frozen=True, slots=True)
class Loaders:
    """How the gate loads a model: with its threads and thresholds.  Both raise ModelError."""

    detector: Callable[[ModelFile], FaceDetector]
    classifier: Callable[[ModelFile], MaskClassifier]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A loaded network and its *model* file: one of *detector* and *classifier* is set."""

    model: ModelFile
    detector: FaceDetector | None = None
    classifier: MaskClassifier | None = None


def chosen_file(
    store: Store, state: State, kind: Kind, released: Mapping[Kind, ModelFile], keys: Sequence[str]
) -> ModelFile:
    """Return the file of *kind*'s active model, checked anew: it lay on a disk, and keys change.

    Raises ModelError when it is damaged, gone, or not signed with one of *keys*.
    """
    known = state.active(kind)
    if known is None:
        return released[kind]
    path = store.path_of(known)
    data = read_bytes(path)
    model = parse_model(data, path, kind)
    if model.sha256 != known.sha256:
        raise ModelError(f"{path} is damaged: its checksum is not that of its installation")
    signer(data, keys, str(path))
    return model


def load(loaders: Loaders, model: ModelFile, size: tuple[int, int]) -> Loaded:
    """Return *model* loaded, and warmed up with a picture of *size* (width, height) pixels.

    The first picture of a size costs an allocation, for which the gate must not wait.
    """
    width, height = size if min(size) > 0 else _USUAL_SIZE
    picture = np.zeros((height, width, 3), np.uint8)
    if model.card.kind == "face-detector":
        detector = loaders.detector(model)
        detector.detect(picture)
        return Loaded(model, detector=detector)
    classifier = loaders.classifier(model)
    corner = np.array([[0, 0, min(64, width), min(64, height)]], np.float32)
    classifier.probabilities(picture, corner)
    return Loaded(model, classifier=classifier)
