"""Batches of composed pictures and of whole ones, the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.vision.crop import Image
from edge.vision.interpreter import to_float
from edge.vision.letterbox import letterbox
from train.detector.config import DetectorConfig
from train.detector.loop import Batch
from train.detector.samples import Floats, Source, compose
from train.detector.targets import Scene, cell_targets


@dataclass(frozen=True, slots=True)
class ComposedPictures:
    """Makes training batches; *weights* (len(sources),) are the odds of each photograph."""

    sources: Sequence[Source]
    images: dict[Path, Image]
    weights: Floats
    config: DetectorConfig

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return max(1, self.config.schedule.pictures // self.config.schedule.batch_size)

    def batch(self, epoch: int, step: int) -> Batch:
        """Return pictures (N, S, S, 3) and targets (N, cells, 20) of one step, float32."""
        schedule = self.config.schedule
        small = epoch < schedule.epochs * schedule.small_share
        size = schedule.small_size if small else schedule.size
        rng = np.random.default_rng([self.config.seed, epoch, step])
        odds = self.weights / self.weights.sum()
        pixels = self.config.input_width * self.config.input_height
        pictures, targets = [], []
        for _ in range(schedule.batch_size):
            image, scene = compose(
                self.sources, self.images, odds, size, pixels, self.config.mixture, rng
            )
            pictures.append(image)
            targets.append(cell_targets(scene, size, size))
        return to_float(np.stack(pictures), self.config.input), np.stack(targets)


@dataclass(frozen=True, slots=True)
class WholePictures:
    """Makes validation batches: pictures as the device sees them, never changed."""

    sources: Sequence[Source]
    images: dict[Path, Image]
    config: DetectorConfig

    @property
    def steps(self) -> int:
        """Batches that hold every picture once."""
        return -(-len(self.sources) // self.config.schedule.batch_size)

    def batch(self, step: int) -> Batch:
        """Return pictures and targets of one step, as :meth:`ComposedPictures.batch` does."""
        size, count = self.config.schedule.size, self.config.schedule.batch_size
        pictures, targets = [], []
        for source in self.sources[step * count : (step + 1) * count]:
            image, scale = letterbox(self.images[source.path], size, size)
            seen = source.scene
            scene = Scene(seen.boxes * scale, seen.landmarks * scale, seen.ignore * scale)
            pictures.append(image)
            targets.append(cell_targets(scene, size, size))
        return to_float(np.stack(pictures), self.config.input), np.stack(targets)
