"""What a benchmark found, as values; what is None was not measured.

:data:`SCHEMA` is the version of the JSON that :mod:`edge.bench.report_file` writes;
docs/benchmark.md describes every field.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.bench.scenes import SceneKind
from edge.bench.statistics import Spread
from edge.board.facts import Board, Condition
from edge.board.load import Process
from edge.board.power import Draw

SCHEMA = 1
KIND = "maskgate benchmark"
RATIO_GOAL = 1.15
"""Frame time over bare time, one face, one thread: what maskgate's own code may cost at most."""


@dataclass(frozen=True, slots=True)
class NetworkTime:
    """How long one network's ``invoke`` takes on *threads* cores; *size* is its input's."""

    network: str
    threads: int
    size: tuple[int, int]
    time: Spread


@dataclass(frozen=True, slots=True)
class LoopTime:
    """The whole loop on pictures of *size* with *faces* people, on *threads* cores.

    *found* is how many faces the detector found in a picture on average, *looks* how many of
    them were classified, *fps* what the loop did in a second, and *frame* the time from a
    picture to the outputs.
    """

    faces: int
    threads: int
    size: tuple[int, int]
    found: float
    looks: float
    fps: float
    frame: Spread


@dataclass(frozen=True, slots=True)
class StageShare:
    """One stage of a frame, over the frames in which it came at all."""

    stage: str
    time: Spread


@dataclass(frozen=True, slots=True)
class FrameCost:
    """A frame with one face that is classified in every frame, on one core.

    *bare_ms* is the median time of the two networks alone, *ratio* the frame's median over it.
    *calm_ratio* is the same of the fastest tenth of each, which other programs did not disturb.
    *split* is whether resizing, decoding and cropping could be told apart from the networks.
    """

    stages: tuple[StageShare, ...]
    frame: Spread
    bare_ms: float
    ratio: float
    calm_ratio: float
    split: bool


@dataclass(frozen=True, slots=True)
class PinLatency:
    """From the picture that makes the gate ring to the level of GPIO *pin*; *mock* or real."""

    pin: int
    mock: bool
    time: Spread


@dataclass(frozen=True, slots=True)
class CameraTime:
    """A camera alone: what it says it delivers, what it does, and how old pictures are.

    *age* is from when the picture reached this program to when it was handed on, None for
    what is no camera.  *dropped* pictures were replaced by newer ones before they were read.
    """

    source: str
    size: tuple[int, int]
    promised_fps: float | None
    fps: float
    interval: Spread
    age: Spread | None
    dropped: int
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SustainedPoint:
    """The loop around *second*: frames per second, and the board's state."""

    second: float
    fps: float
    celsius: float | None
    mhz: float | None
    brakes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """This program's resident memory in MiB: with the networks loaded, at the end, the most."""

    loaded: float | None
    end: float | None
    peak: float | None


@dataclass(frozen=True, slots=True)
class Advice:
    """What to write into the configuration: *threads*, and a camera *size* and *fps*."""

    threads: int
    size: tuple[int, int]
    fps: int
    why: str


@dataclass(slots=True)
class Result:
    """One benchmark, filled as it goes; *partial* until it is at its end.

    *cost_small* is the *cost* of a frame whose camera gives the small picture itself.
    *board* is how it was before, *after* how it was at the end.  *busy_before* and
    *busy_during* are other processes that took time.
    """

    board: Board
    maskgate: str
    taken_at: str
    models: tuple[str, ...]
    runtime: str
    quick: bool = False
    note: str = ""
    partial: bool = True
    seconds: float = 0.0
    scene: SceneKind | None = None
    networks: tuple[NetworkTime, ...] = ()
    loops: tuple[LoopTime, ...] = ()
    cost: FrameCost | None = None
    cost_small: FrameCost | None = None
    pin: PinLatency | None = None
    camera: CameraTime | None = None
    sustained: tuple[SustainedPoint, ...] = ()
    memory: MemoryUse | None = None
    draw: Draw | None = None
    during: tuple[Condition, ...] = ()
    after: Condition | None = None
    busy_before: tuple[Process, ...] = ()
    busy_during: tuple[Process, ...] = ()
    banners: tuple[str, ...] = ()
    advice: Advice | None = None

    @property
    def at_work(self) -> LoopTime | None:
        """The loop with one person on one thread, as a gate at work sees most people."""
        return next((one for one in self.loops if (one.faces, one.threads) == (1, 1)), None)

    @property
    def at_work_ratio(self) -> float | None:
        """The mean frame of :attr:`at_work` over the bare time of both networks, if measured.

        Below *cost*'s where a settled person is not classified in every frame.  Both times are
        of different moments, so a machine whose speed drifts makes it less exact than that.
        """
        if self.at_work is None or self.cost is None or self.cost.bare_ms <= 0:
            return None
        return self.at_work.frame.mean_ms / self.cost.bare_ms
