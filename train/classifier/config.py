"""Every hyper-parameter of a classifier training, read from TOML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from edge.errors import UsageError
from edge.modelfile import LABELS, InputSpec
from train.settings import read_settings

DEFAULT_CONFIG = Path(__file__).parents[1] / "configs" / "classifier.toml"


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Size of the network; *crop_margin* as in :func:`edge.vision.crop.crop_face`."""

    alpha: float = 1.0
    input_size: int = 112
    crop_margin: float = 0.2
    dropout: float = 0.25

    @property
    def input(self) -> InputSpec:
        """What MobileNetV2 is fed: RGB from -1 to 1."""
        return InputSpec(self.input_size, self.input_size, "rgb", 127.5, 127.5)


@dataclass(frozen=True, slots=True)
class ScheduleConfig:
    """Epochs, rates, and what steadies them; *epochs* counts the *head_epochs* too."""

    head_epochs: int = 1
    epochs: int = 20
    batch_size: int = 64
    head_rate: float = 2e-3
    rate: float = 6e-4
    warmup_epochs: float = 0.5
    weight_decay: float = 0.05
    label_smoothing: float = 0.04
    ema_momentum: float = 0.995


@dataclass(frozen=True, slots=True)
class SamplingConfig:
    """How often a face is drawn, and how much its class weighs in the loss.

    *corrections* names the file in ``train/labels`` with labels of training faces that a person
    put right; empty for none.  *lookalikes* names the one with places that are no face, and
    *no_face* what of such a place is to be said, a share a label; ``labels`` may say how often
    ``no_face`` is drawn.
    """

    class_weight_power: float = 0.4
    sources: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, float] = field(default_factory=dict)
    synthetic: tuple[str, ...] = ()
    corrections: str = ""
    lookalikes: str = ""
    no_face: tuple[float, ...] = (0.5, 0.4, 0.1)


@dataclass(frozen=True, slots=True)
class AugmentationConfig:
    """How faces are changed; shares from 0 to 1, *shift* and *scale* relative to the box."""

    painted: float = 0.22
    painted_wrong: float = 0.5
    occluded: float = 0.14
    shift: float = 0.12
    scale: float = 0.18
    loose: float = 0.12
    flip: float = 0.5
    rotate: float = 0.5
    rotate_degrees: float = 18.0
    far: float = 0.4
    far_pixels: tuple[int, int] = (16, 64)
    camera: float = 0.85
    camera_strength: float = 1.0


@dataclass(frozen=True, slots=True)
class ClassifierConfig:
    """A whole classifier training but for its data."""

    seed: int = 20
    network: NetworkConfig = field(default_factory=NetworkConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)

    def as_dict(self) -> dict[str, Any]:
        """Return the configuration as plain values that JSON can hold."""
        return asdict(self)


def read_config(path: Path = DEFAULT_CONFIG) -> ClassifierConfig:
    """Return the configuration in the TOML file at *path*; what it leaves out keeps a default.

    Raises UsageError that names file, key, value and what is allowed.
    """
    return _checked(read_settings(ClassifierConfig(), path), path)


def overridden(config: ClassifierConfig, section: str, **given: Any) -> ClassifierConfig:
    """Return *config* with the values of *given* that are not None put into *section*."""
    values = {name: value for name, value in given.items() if value is not None}
    changed = replace(config, **{section: replace(getattr(config, section), **values)})
    return _checked(changed, "command line")


def _checked(config: ClassifierConfig, where: object) -> ClassifierConfig:
    network, schedule, augmentation = config.network, config.schedule, config.augmentation
    sampling = config.sampling
    demands = (
        (network.input_size >= 32, "input_size", network.input_size, "32 or more"),
        (network.alpha > 0, "alpha", network.alpha, "above 0"),
        (0 <= network.crop_margin <= 1, "crop_margin", network.crop_margin, "0 to 1"),
        (0 <= network.dropout < 1, "dropout", network.dropout, "0 to below 1"),
        (schedule.epochs >= 1, "epochs", schedule.epochs, "1 or more"),
        (schedule.batch_size >= 1, "batch_size", schedule.batch_size, "1 or more"),
        (
            0 <= schedule.head_epochs <= schedule.epochs,
            "head_epochs", schedule.head_epochs, f"0 to epochs ({schedule.epochs})",
        ),
        (0 <= schedule.ema_momentum < 1, "ema_momentum", schedule.ema_momentum, "0 to below 1"),
        (
            len(augmentation.far_pixels) == 2
            and 4 <= augmentation.far_pixels[0] <= augmentation.far_pixels[1],
            "far_pixels", augmentation.far_pixels, "two numbers, the smaller first, 4 or more",
        ),
        (
            len(sampling.no_face) == len(LABELS)
            and min(sampling.no_face) > 0
            and abs(sum(sampling.no_face) - 1) < 1e-6,
            "no_face", sampling.no_face, f"{len(LABELS)} shares above 0 that sum to 1",
        ),
    )
    for holds, name, value, allowed in demands:
        if not holds:
            raise UsageError(f"{where}: {name} is {value}; allowed is {allowed}")
    return config
