"""A whole benchmark, step after step, each of which adds to the result.

Whatever ends it early, the result holds what was measured until then and says so.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import edge
from edge.bench import loop as loops
from edge.bench.advice import advise, pick_threads
from edge.bench.cameras import camera_time
from edge.bench.networks import Pair, bare_time, thread_counts
from edge.bench.pins import pin_latency
from edge.bench.result import MemoryUse, Result, SustainedPoint
from edge.bench.scenes import MOST_FACES, Scene, make_scene, with_small
from edge.bench.spoilers import spoilers
from edge.bench.statistics import QUICK, THOROUGH, Effort
from edge.board.facts import Board, read_board, read_condition
from edge.board.load import Ticks, busy_processes, read_ticks
from edge.board.memory import read_own_memory
from edge.board.power import power_of
from edge.modelfile import read_model, released_model
from edge.networks import model_words

FACES = (0, 1, 2, 4, MOST_FACES)
_SMALL, _LARGE = (640, 480), (1280, 720)
_AMBIENT = 1.0  # seconds
_DRAWING = 1.0  # seconds
_SUSTAINED_EVERY = 10.0  # seconds
_CAMERA = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Wishes:
    """What to measure.

    *minutes* above 0 runs the loop for so long to see whether the board keeps its speed.
    *pin* is a real GPIO's BCM number, *camera* a URI; None leaves them out.  *detector* and
    *classifier* are paths, empty for the released networks.  *detail* is as in ``[models]``.
    """

    quick: bool = False
    minutes: float = 0.0
    pin: int | None = None
    camera: str | None = None
    detector: str = ""
    classifier: str = ""
    note: str = ""
    detail: float = 1.0


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a benchmark: what it is called, about how many *seconds* it takes, and it."""

    name: str
    seconds: float
    work: Callable[[], None]


class Session:
    """A benchmark at work: :meth:`steps` are to be done one after the other.

    *result* grows with each.  :meth:`finish` completes it, also when not all were done.  Raises
    ModelError for a model that cannot be read.
    """

    def __init__(
        self,
        wishes: Wishes,
        root: Path = Path("/"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wishes = wishes
        self._root = root
        self._clock = clock
        self._began = clock()
        self._effort = QUICK if wishes.quick else THOROUGH
        self._ambient = 0.1 if wishes.quick else _AMBIENT
        self._pair = Pair(
            read_model(wishes.detector or released_model("face-detector"), "face-detector"),
            read_model(wishes.classifier or released_model("mask-classifier"), "mask-classifier"),
            wishes.detail,
        )
        self._ticks: Ticks | None = None
        self._scenes: dict[tuple[int, tuple[int, int]], Scene] = {}
        self._networks: dict[int, loops.Networks] = {}
        board = read_board(root)
        self.result = Result(
            board=board,
            maskgate=edge.__version__,
            taken_at=_now(),
            models=(self._detector_words(), model_words(self._pair.classifier)),
            runtime=board.runtime or "",
            quick=wishes.quick,
            note=wishes.note,
        )

    @property
    def board(self) -> Board:
        """The board, as it was before."""
        return self.result.board

    def steps(self) -> Iterator[Step]:
        """Yield every step; later ones depend on what earlier ones found."""
        wishes, effort = self._wishes, self._effort
        each = effort.seconds + effort.warm_up
        if wishes.camera is not None:
            # First: a mistyped camera should not cost a minute.
            yield Step(f"camera {wishes.camera}", 6 * each, self._measure_camera)
        if wishes.pin is not None:
            yield Step(f"GPIO {wishes.pin}", 0.1, self._try_pin)
        yield Step("what else runs", self._ambient, self._look_around)
        yield Step("pictures", _DRAWING, self._draw)
        for threads in thread_counts(self.board.usable_cores):
            for network in ("detector", "classifier"):
                yield Step(
                    f"{network} alone, {_threads(threads)}", each,
                    partial(self._measure_bare, network, threads),
                )
        yield Step("a frame, stage by stage", 3 * each, self._measure_cost)
        yield Step("a frame, small picture given", 3 * each, self._measure_cost_small)
        picked = self.threads
        for threads in dict.fromkeys((1, picked)):
            for faces in FACES:
                yield Step(
                    f"loop, {faces} faces, {_threads(threads)}", each,
                    partial(self._measure_loop, faces, threads, _SMALL),
                )
        yield Step("loop, large pictures", each, partial(self._measure_loop, 1, picked, _LARGE))
        yield Step("picture to pin", 2 * each, self._measure_pin)
        if self.board.condition.draw is not None:
            yield Step("power", 2 * each, self._measure_power)
        if wishes.minutes > 0:
            yield Step("speed over time", 60 * wishes.minutes, self._measure_sustained)

    @property
    def estimate(self) -> float:
        """About how many seconds all steps take, by what is known before the first."""
        each = self._effort.seconds + self._effort.warm_up
        parts = 2 * len(thread_counts(self.board.usable_cores)) + 2 * len(FACES) + 11
        parts += 6 if self._wishes.camera else 0
        return parts * each + self._ambient + _DRAWING + 60 * self._wishes.minutes

    @property
    def threads(self) -> int:
        """The thread count that the networks alone speak for."""
        return pick_threads(self.result.networks, self.board.usable_cores)

    def watch_board(self) -> None:
        """Note how the board fares now, between two steps."""
        self.result.during = (*self.result.during, read_condition(self._root))

    def finish(self, *, whole: bool) -> Result:
        """Complete and return the result; *whole* is whether all steps were done."""
        result = self.result
        result.partial = not whole
        result.seconds = self._clock() - self._began
        result.after = read_condition(self._root)
        if self._ticks is not None:
            result.busy_during = busy_processes(self._ticks, read_ticks(self._root))
        own = read_own_memory(self._root)
        loaded = result.memory.loaded if result.memory else None
        result.memory = MemoryUse(loaded, own.resident, own.peak)
        result.advice = advise(self.threads, result.loops)
        result.banners = spoilers(
            self.board, result.during, result.after, result.busy_before, result.busy_during
        )
        return result

    def _look_around(self) -> None:
        before = read_ticks(self._root)
        time.sleep(self._ambient)
        self._ticks = read_ticks(self._root)
        self.result.busy_before = busy_processes(before, self._ticks)

    def _draw(self) -> None:
        self.result.scene = self._scene(1).kind

    def _measure_bare(self, network: str, threads: int) -> None:
        found = bare_time(self._pair, network, threads, self._scene(1), self._effort)
        self.result.networks = (*self.result.networks, found)

    def _measure_cost(self) -> None:
        self.result.cost = loops.frame_cost(self._pair, self._scene(1), self._effort)
        self.result.memory = MemoryUse(read_own_memory(self._root).resident, None, None)

    def _detector_words(self) -> str:
        words, detail = model_words(self._pair.detector), self._pair.detail
        return words if detail == 1 else f"{words}, detail {detail:g}"

    def _measure_cost_small(self) -> None:
        spec = self._pair.detector.card.input
        pixels = int(spec.width * spec.height * self._pair.detail)
        scene = with_small(self._scene(1), pixels)
        self.result.cost_small = loops.frame_cost(self._pair, scene, self._effort)

    def _measure_loop(self, faces: int, threads: int, size: tuple[int, int]) -> None:
        networks, settings = self._loaded(threads), loops.settings_for(self._pair)
        found = loops.loop_time(networks, settings, self._scene(faces, size), self._effort)
        self.result.loops = (*self.result.loops, found)

    def _measure_pin(self) -> None:
        self.result.pin = pin_latency(
            self._loaded(self.threads), loops.settings_for(self._pair), self._scene(1),
            self._wishes.pin, Effort(2 * self._effort.seconds, 0, 5, 100),
        )

    def _measure_power(self) -> None:
        loop = loops.make_loop(
            self._loaded(self.threads), loops.settings_for(self._pair), self._scene(1)
        )
        self.result.draw = power_of(loop.step, 2 * self._effort.seconds)

    def _try_pin(self) -> None:
        from edge.alerts.pins import choose_pins
        from edge.bench.pins import open_light

        assert self._wishes.pin is not None  # only then is this a step
        open_light(self._wishes.pin, choose_pins()).close()

    def _measure_camera(self) -> None:
        assert self._wishes.camera is not None  # only then is this a step
        seconds = 0.5 if self._wishes.quick else _CAMERA
        self.result.camera = camera_time(self._wishes.camera, seconds, seconds / 5)

    def _measure_sustained(self) -> None:
        loop = loops.make_loop(
            self._loaded(self.threads), loops.settings_for(self._pair), self._scene(1)
        )
        every = min(_SUSTAINED_EVERY, 60 * self._wishes.minutes / 6)
        for second, fps in loops.sustained_rates(loop, self._wishes.minutes, every):
            condition = read_condition(self._root)
            point = SustainedPoint(
                second, fps, condition.celsius, condition.mhz, condition.brakes.now
            )
            self.result.sustained = (*self.result.sustained, point)
            self.result.during = (*self.result.during, condition)

    def _scene(self, faces: int, size: tuple[int, int] = _SMALL) -> Scene:
        # Kept one at a time, too, but for the one that most steps use.
        key = (faces, size)
        if key not in self._scenes:
            usual = {k: scene for k, scene in self._scenes.items() if k == (1, _SMALL)}
            self._scenes = {**usual, key: make_scene(faces, size)}
        return self._scenes[key]

    def _loaded(self, threads: int) -> loops.Networks:
        # Only one pair at a time: on a board of 512 MiB every interpreter counts.
        if threads not in self._networks:
            self._networks = {threads: loops.load(self._pair, threads)}
            # Only a loaded network knows whether XNNPACK took it over.
            self.result.runtime = str(self._networks[threads].classifier.runtime)
        return self._networks[threads]


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def _threads(count: int) -> str:
    return f"{count} thread{'' if count == 1 else 's'}"
