"""The detector's loss, in backend-neutral Keras operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import ops

from train.detector.targets import BOX, CENTRE, HAS_POINTS, POINTS, POSITIVE, STRIDE, WEIGHT

BACKGROUND_WEIGHT = 0.75

Loss = Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]


@dataclass(frozen=True, slots=True)
class LossWeights:
    """What a misplaced box and misplaced landmarks count beside a wrong score, and what is wrong.

    A face's score is to be 0 where its own box overlaps the true one by *worthless* (IoU) or
    less, 1 from *perfect* on, and in between in proportion.  It counts as that score, but no less
    than *least*; or, where *focal* is above 0, *focal* times the distance from that score.
    """

    box: float = 2.0
    landmark: float = 0.5
    worthless: float = 0.0
    perfect: float = 1.0
    least: float = 0.0
    focal: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.worthless < self.perfect <= 1:
            raise ValueError(
                f"worthless = {self.worthless} and perfect = {self.perfect} are not allowed; "
                "both are overlaps from 0 to 1, and the first is the smaller one"
            )


def make_loss(weights: LossWeights) -> Loss:
    """Return :func:`detector_loss` with *weights*."""

    def loss(targets: keras.KerasTensor, predictions: keras.KerasTensor) -> keras.KerasTensor:
        return detector_loss(targets, predictions, weights)

    return loss


def detector_loss(
    targets: keras.KerasTensor,
    predictions: keras.KerasTensor,
    weights: LossWeights = LossWeights(),
) -> keras.KerasTensor:
    """Return the loss of each picture in a batch, shape (N,).

    *targets* (N, cells, 20) come from :func:`train.detector.targets.cell_targets`,
    *predictions* (N, cells, 15) from :func:`train.detector.network.training_view`.

    Scores learn the overlap their own box reaches, so that the best box wins suppression, by
    varifocal loss (Zhang et al., "VarifocalNet", 2021, alpha 0.75, gamma 2): background that
    is recognised already counts little, faces always count.  With *weights*' focal, faces that
    are scored right already count little, too (Li et al., "Generalized Focal Loss", 2020, with
    an exponent of 1).  Boxes learn by generalised IoU (Rezatofighi et al., 2019), landmarks by
    a Huber distance in face sizes.
    """
    positive = targets[..., POSITIVE]
    stride = targets[..., STRIDE : STRIDE + 1]
    centre = targets[..., CENTRE : CENTRE + 2]
    logits, offsets, points = predictions[..., 0], predictions[..., 1:5], predictions[..., 5:15]

    middle = centre + offsets[..., :2] * stride
    half = ops.exp(ops.clip(offsets[..., 2:], -6.0, 6.0)) * stride / 2
    box = targets[..., BOX : BOX + 4]
    iou, giou = _overlaps(middle - half, middle + half, box[..., :2], box[..., 2:])

    span = weights.perfect - weights.worthless
    quality = positive * ops.stop_gradient(ops.clip((iou - weights.worthless) / span, 0.0, 1.0))
    crossentropy = ops.softplus(logits) - logits * quality
    said = ops.sigmoid(logits)
    if weights.focal:
        face = weights.focal * ops.stop_gradient(ops.abs(said - quality))
    else:
        face = ops.maximum(quality, weights.least)
    focus = ops.where(positive > 0, face, BACKGROUND_WEIGHT * ops.square(said))
    score = targets[..., WEIGHT] * focus * crossentropy

    size = ops.sqrt(ops.maximum(_area(box[..., :2], box[..., 2:]), 1.0))[..., None]
    found = ops.tile(centre, (1, 1, 5)) + points * stride
    miss = (found - targets[..., POINTS : POINTS + 10]) / size
    huber = ops.where(ops.abs(miss) < 0.1, ops.square(miss) * 5, ops.abs(miss) - 0.05)
    landmark = positive * targets[..., HAS_POINTS] * ops.sum(huber, axis=-1)

    total = score + weights.box * positive * (1 - giou) + weights.landmark * landmark
    # One count for the whole batch: a picture without faces must not outweigh a crowd.
    count = ops.maximum(ops.mean(ops.sum(positive, axis=-1)), 1.0)
    return ops.sum(total, axis=-1) / count


def _area(low: keras.KerasTensor, high: keras.KerasTensor) -> keras.KerasTensor:
    return ops.prod(ops.maximum(high - low, 0.0), axis=-1)


def _overlaps(
    low: keras.KerasTensor,
    high: keras.KerasTensor,
    true_low: keras.KerasTensor,
    true_high: keras.KerasTensor,
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return IoU and generalised IoU of boxes given by their corners."""
    shared = _area(ops.maximum(low, true_low), ops.minimum(high, true_high))
    union = _area(low, high) + _area(true_low, true_high) - shared
    hull = _area(ops.minimum(low, true_low), ops.maximum(high, true_high))
    iou = shared / ops.maximum(union, 1e-6)
    return iou, iou - (hull - union) / ops.maximum(hull, 1e-6)
