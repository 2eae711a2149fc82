"""Our two networks as a contestant."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge.modelfile import ModelFile
from edge.vision.classifier import MaskClassifier
from edge.vision.crop import Image, crop_face
from edge.vision.detector import FaceDetector
from edge.vision.interpreter import Network
from edge.vision.letterbox import input_shape, letterbox
from train.evaluate.peers.contestant import Contestant
from train.evaluate.peers.frame import FACE, FRAME


def our_detector(
    detector: ModelFile, classifier: ModelFile, threads: int, detail: float = 1.0
) -> Contestant:
    """Return our detector, judged by our classifier where it is to say mask or no mask.

    *detail* is a FaceDetector's.  Its invoke takes pixels: what it is timed at includes swapping
    and quantising them.
    """
    pixels = int(detector.card.input.width * detector.card.input.height * detail)
    width, height = input_shape(FRAME[0], FRAME[1], pixels)
    network = Network.from_model(detector, threads)
    network.set_shape(width, height)
    plain = FaceDetector(detector, threads)

    def feed(image: Image) -> Image:
        return letterbox(image, width, height)[0]

    return Contestant(
        f"our face detector, {width}x{height}" + ("" if detail == 1 else f", detail {detail:g}"),
        network.run_raw,
        np.zeros((height, width, 3), np.uint8),
        feed,
        lambda threshold: FaceDetector(detector, threads, threshold, detail).detect,
        MaskClassifier(classifier, threads).probabilities,
        plain.score_threshold,
        "in its model card",
        ("wider", "ilc", "mafa"),
    )


def our_classifier(classifier: ModelFile, threads: int) -> Contestant:
    """Return our classifier for one face, to be timed."""
    network = Network.from_model(classifier, threads)
    margin, size = classifier.card.crop_margin or 0.0, classifier.card.input.width

    def feed(image: Image) -> Image:
        return crop_face(image, FACE, margin=margin, size=size)

    return Contestant(
        "our mask classifier, one face", network.run_raw, np.zeros(network.shape, np.uint8), feed
    )


def our_pair(detector: Contestant, classifier: Contestant) -> Contestant:
    """Return *detector* and *classifier* one after the other, to be timed on one face."""

    def invoke(fed: tuple[Any, Any]) -> None:
        detector.invoke(fed[0])
        classifier.invoke(fed[1])

    def feed(image: Image) -> tuple[Any, Any]:
        if detector.feed is None or classifier.feed is None:
            raise ValueError(f"{detector.name} and {classifier.name} must both have a feed")
        return detector.feed(image), classifier.feed(image)

    return Contestant(
        "ours together, one face", invoke, (detector.example, classifier.example), feed
    )
