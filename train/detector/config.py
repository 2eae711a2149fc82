"""Every hyper-parameter of a detector training, read from TOML."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edge.modelfile import InputSpec
from train.detector.loss import LossWeights
from train.detector.network import DetectorShape
from train.detector.samples import Mixture

DEFAULT_CONFIG = Path(__file__).parents[1] / "configs" / "detector.toml"


@dataclass(frozen=True, slots=True)
class ScheduleConfig:
    """How long and how fast.

    An epoch is *pictures* composed ones.  The first *small_share* of the epochs uses pictures
    of *small_size* pixels, the rest *size*: most of what is learnt does not need the larger
    one, which costs half as much again.  Every *validate_every* epochs the loss on whole
    validation pictures is taken.  The weights that are kept are an exponential average with
    *averaging* (0: those of the last step); only the torch backend averages.
    """

    epochs: int = 56
    pictures: int = 4096
    batch_size: int = 16
    small_size: int = 256
    size: int = 320
    small_share: float = 0.8
    rate: float = 2e-3
    warmup_epochs: float = 0.5
    weight_decay: float = 1e-4
    averaging: float = 0.9995
    validate_every: int = 4


@dataclass(frozen=True, slots=True)
class DetectorConfig:
    """A whole detector training but for its data.

    *sources* weighs photographs by the ``source`` their data set gives them; ``portraits``
    is the name of those that come from face crops.  Unnamed sources weigh 1.  *lookalikes*
    names the file in ``train/labels``, or by its whole path, with places that were once taken for
    a face; empty for none.
    """

    seed: int = 11
    lookalikes: str = ""
    network: DetectorShape = field(default_factory=DetectorShape)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    loss: LossWeights = field(default_factory=LossWeights)
    mixture: Mixture = field(default_factory=Mixture)
    sources: dict[str, float] = field(
        default_factory=lambda: {"wider": 0.8, "ilc": 1.8, "mafa": 2.5, "portraits": 0.15}
    )
    input_width: int = 384
    input_height: int = 288
    nms_iou: float = 0.45

    @property
    def input(self) -> InputSpec:
        """What the network is fed: RGB from -1 to 1, by default at 4:3."""
        return InputSpec(self.input_width, self.input_height, "rgb", 127.5, 127.5)

    def as_dict(self) -> dict[str, Any]:
        """Return the configuration as plain values that JSON can hold."""
        return asdict(self)
