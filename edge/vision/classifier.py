"""Mask or no mask on each face, as probabilities."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge.errors import ModelError
from edge.modelfile import LABELS, ModelFile
from edge.vision.crop import Image, crop_face
from edge.vision.geometry import Boxes
from edge.vision.interpreter import Network, dequantise, every_integer

LOGITS = "logits"


def softmax(
    logits: npt.NDArray[np.floating], temperature: float = 1.0
) -> npt.NDArray[np.float32]:
    """Return probabilities, float32, that sum to 1 along the last axis of *logits* (..., C).

    *temperature* (above 0) comes from calibration: above 1 it makes a network that is too
    sure of itself less sure, without changing which class is the likeliest.
    """
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; a number above 0 is needed")
    return _shares(logits.astype(np.float32) / np.float32(temperature))


def _shares(scaled: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    raised = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), np.float32)


class MaskClassifier:
    """The mask network of *model*, with its own crop margin, input size and temperature.

    Raises :class:`ModelError` when *model* is of another kind, its network's input is not the
    size its card says, or its output is not one logit per label.
    """

    def __init__(self, model: ModelFile, threads: int = 1) -> None:
        card = model.card
        if card.kind != "mask-classifier" or card.crop_margin is None:
            raise ModelError(f"{model.path} is a {card.kind}; a mask-classifier is needed here")
        if card.input.width != card.input.height:
            raise ModelError(
                f"{model.path}: its input is {card.input.width}x{card.input.height}; "
                "a mask-classifier has a square one"
            )
        self._network = Network.from_model(model, threads)
        self._margin = card.crop_margin
        self._size = card.input.width
        self._temperature = float(card.decision.get("temperature", 1.0))
        if not self._temperature > 0:
            raise ModelError(
                f"{model.path}: its decision.temperature is {self._temperature}; "
                "a number above 0 is needed"
            )
        if self._network.shape != (self._size, self._size, 3):
            raise ModelError(
                f"{model.path}: its card says {self._size}x{self._size} pixels, its network takes "
                f"{self._network.shape}; convert it again"
            )
        # A network of two classes never answers incorrect_mask: that column stays 0.
        self._columns = np.array([LABELS.index(label) for label in card.labels])
        self.model = model
        self.runtime = self._network.runtime
        self._check_output(len(card.labels))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the columns of :meth:`probabilities`: always all, in one order."""
        return LABELS

    def probabilities(self, image: Image, boxes: Boxes) -> npt.NDArray[np.float32]:
        """Return (N, 3) float32 probabilities in the order of :attr:`labels`.

        *image* is (H, W, 3) uint8 BGR and *boxes* (N, 4) float32 in its pixels, as the
        detector gives them; (0, 4) gives (0, 3).  Raises ValueError for a box that has no
        area or lies wholly outside the picture.
        """
        answers = np.zeros((len(boxes), len(LABELS)), np.float32)
        for row, box in enumerate(boxes.tolist()):
            self._network.see(crop_face(image, box, margin=self._margin, size=self._size))
            logits = self._network.integers(LOGITS).reshape(-1)
            answers[row, self._columns] = _shares(self._scaled[logits])
        return answers

    def _check_output(self, count: int) -> None:
        outputs = self._network.run(np.zeros((self._size, self._size, 3), np.uint8))
        shapes = {name: value.shape for name, value in outputs.items()}
        if shapes != {LOGITS: (1, count)}:
            raise ModelError(
                f"{self.model.path}: its outputs are {shapes}; one tensor {LOGITS!r} of shape "
                f"(1, {count}) is needed; convert it again"
            )
        dtype, scale, zero_point = self._network.quantisation[LOGITS]
        real = dequantise(every_integer(dtype), scale, zero_point)
        self._scaled = real / np.float32(self._temperature)
