"""Batches to train on: which face is drawn when, the same for the same seed, epoch and place."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from edge.modelfile import LABELS
from edge.vision.interpreter import to_float
from train.classifier.config import ClassifierConfig, SamplingConfig
from train.classifier.samples import KINDS, augmented_sample
from train.data.pictures import LoadedFaces
from train.data.records import FaceRecord

Floats = npt.NDArray[np.float32]
Batch = tuple[Floats, Floats, Floats]

# Enough that a slow batch does not stop the training; each takes ten megabytes.
_AHEAD = 4


def draw_odds(records: list[FaceRecord], sampling: SamplingConfig) -> npt.NDArray[np.float64]:
    """Return how likely each of *records* is drawn, shape (N,), summing to 1."""
    odds = np.array(
        [
            sampling.sources.get(record.source, 1.0) * sampling.labels.get(record.label, 1.0)
            for record in records
        ],
        np.float64,
    )
    if not odds.sum() > 0:
        raise DataError("no face would ever be drawn; [sampling] weighs every source or label 0")
    return np.asarray(odds / odds.sum(), np.float64)


def drawn_order(
    odds: npt.NDArray[np.float64], count: int, rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Return *count* indices into *odds*, shuffled, each as often as its odds say, within one."""
    places = (np.arange(count) + rng.random()) / count
    indices = np.searchsorted(np.cumsum(odds), places).clip(0, len(odds) - 1)
    return np.asarray(rng.permutation(indices), np.intp)


def class_weights(
    records: list[FaceRecord], odds: npt.NDArray[np.float64], power: float
) -> Floats:
    """Return how much each class weighs in the loss, shape (3,), 1 on the average draw.

    A class drawn half as often as another weighs ``2 ** power`` times as much.  What is no face
    belongs to none and has no part in it.
    """
    kinds = np.array([KINDS.index(record.label) for record in records])
    share = np.bincount(kinds, odds, minlength=len(KINDS))[: len(LABELS)]
    raw = np.where(share > 0, np.maximum(share, 1e-6) ** -power, 0.0)
    return np.asarray(raw * share.sum() / (raw * share).sum(), np.float32)


class TrainingFeed:
    """One epoch of augmented faces: (batch, S, S, 3) float32, (batch, 3) shares, (batch,) weight.

    The shares are one-hot for a face, and what the configuration says of a place that is none.

    The sample at a place of an epoch depends on seed, epoch and place alone, so that a
    resumed training sees what an uninterrupted one would have seen.
    """

    def __init__(self, faces: LoadedFaces, config: ClassifierConfig, epoch: int) -> None:
        self._faces = faces
        self._config = config
        self._epoch = epoch
        odds = draw_odds(faces.records, config.sampling)
        rng = np.random.default_rng([config.seed, epoch])
        self._order = drawn_order(odds, len(faces.records), rng)
        weights = class_weights(faces.records, odds, config.sampling.class_weight_power)
        self._weights = np.append(weights, np.float32(1))
        self._shares = np.vstack([np.eye(len(LABELS)), config.sampling.no_face]).astype(np.float32)

    def __len__(self) -> int:
        """Return the batches of an epoch; faces that do not fill the last one are left out."""
        return max(1, len(self._order) // self._config.schedule.batch_size)

    def __getitem__(self, number: int) -> Batch:
        network, batch = self._config.network, self._config.schedule.batch_size
        images, kinds = [], []
        for place in range(number * batch, min((number + 1) * batch, len(self._order))):
            record = self._faces.records[self._order[place]]
            image, kind = augmented_sample(
                self._faces.picture(record),
                record,
                self._config.augmentation,
                np.random.default_rng([self._config.seed, self._epoch, place]),
                margin=network.crop_margin,
                size=network.input_size,
            )
            images.append(image)
            kinds.append(kind)
        inputs = to_float(np.stack(images), network.input)
        return inputs, self._shares[kinds], self._weights[kinds]


def batches_ahead(feed: TrainingFeed) -> Iterator[Batch]:
    """Yield the batches of *feed* in order, made by another thread while the last one is learnt."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[Batch]] = deque()
        try:
            for number in range(len(feed)):
                waiting.append(pool.submit(feed.__getitem__, number))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for batch in waiting:
                batch.cancel()
