"""The gate's whole loop on made pictures: frames per second, and where a frame's time goes."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import cv2

from edge.alerts.outputs import Output, Outputs
from edge.bench.networks import Pair
from edge.bench.result import FrameCost, LoopTime, StageShare
from edge.bench.scenes import Scene, SceneSource, ScriptedDetector
from edge.bench.stages import STAGES, FrameStages, find_interpreter, invokes_noted
from edge.bench.statistics import Effort, calm, more, spread, timings
from edge.config import default_config
from edge.networks import gate_settings
from edge.vision.classifier import MaskClassifier
from edge.vision.detector import FaceDetector
from edge.watch import Detector, Settings, Watch

_NOON = datetime.time(12)
_ROUNDS = 5


@dataclass(slots=True)
class Loop:
    """One gate at work on a scene; :meth:`step` takes it one frame on."""

    watch: Watch
    source: SceneSource
    outputs: Outputs
    stages: FrameStages

    def step(self) -> None:
        """Read a frame, see what is in it, and show that."""
        self.stages.start()
        frame = self.source.read(1.0)
        assert frame is not None  # the scene never ends
        self.stages.lap("capture")
        scene = self.watch.see(frame, frame.timestamp, _NOON)
        self.outputs.show(scene.gate.state, scene.gate.newest_ring, scene.gate.muted)
        self.stages.lap("output")


class NoOutput:
    """An output that shows nothing, so that the loop alone is measured."""

    name = "none"

    def show(self, state: object, muted: bool = False) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class Networks:
    """Both networks, loaded on *threads* cores."""

    detector: FaceDetector
    classifier: MaskClassifier
    threads: int


def load(pair: Pair, threads: int) -> Networks:
    """Return both networks of *pair* on *threads* cores.  Raises ModelError."""
    settings = settings_for(pair)
    return Networks(
        FaceDetector(pair.detector, threads, settings.tracker.keep_score, pair.detail),
        MaskClassifier(pair.classifier, threads),
        threads,
    )


def settings_for(pair: Pair, *, look_always: bool = False) -> Settings:
    """Return the settings that ``maskgate run`` takes for *pair*.

    With *look_always* a settled person is classified in every frame, and not only every few.
    """
    settings = gate_settings(pair.detector, pair.classifier, default_config())
    if look_always:
        settings = replace(settings, decision=replace(settings.decision, recheck_seconds=0.0))
    return settings


def make_loop(
    networks: Networks, settings: Settings, scene: Scene, output: Output | None = None
) -> Loop:
    """Return the loop of *networks* over *scene*, with *output* or none that does anything."""
    # OpenCV's threads are for the whole program, so each loop sets its own number.
    cv2.setNumThreads(networks.threads)
    detector: Detector = networks.detector
    if scene.kind == "painted" and scene.faces:
        detector = ScriptedDetector(detector, scene)
    stages = FrameStages()
    watch = Watch(detector, networks.classifier, settings, stages)
    return Loop(watch, SceneSource(scene), Outputs([output or NoOutput()]), stages)


def loop_time(
    networks: Networks,
    settings: Settings,
    scene: Scene,
    effort: Effort,
    clock: Callable[[], float] = time.perf_counter,
) -> LoopTime:
    """Return how fast the loop is on *scene*."""
    loop = make_loop(networks, settings, scene)
    began, frames = _drive(loop, effort, clock)
    seconds = clock() - began
    frame = spread([_frame_time(stages) for stages in loop.stages.frames])
    assert frame is not None  # at least one frame is always driven
    return LoopTime(
        faces=scene.faces,
        threads=networks.threads,
        size=scene.size,
        found=loop.watch.faces / (frames.warm_up + frames.measured),
        looks=loop.watch.classified / (frames.warm_up + frames.measured),
        fps=frames.measured / seconds,
        frame=frame,
    )


def frame_cost(pair: Pair, scene: Scene, effort: Effort) -> FrameCost:
    """Return where the time of a frame goes, on one core, when every face is classified.

    *scene* shows one face.  The networks alone are timed in turns with the frames, because a
    machine's speed drifts from one second to the next.
    """
    networks = load(pair, 1)
    loop = make_loop(networks, settings_for(pair, look_always=True), scene)
    loop.step()
    part = replace(effort, seconds=effort.seconds / _ROUNDS, most=-(-effort.most // _ROUNDS))
    alone: dict[str, list[float]] = {"detector": [], "classifier": []}
    frames: list[dict[str, float]] = []
    found: list[bool] = []
    for _ in range(_ROUNDS):
        for name, owner in (("detector", networks.detector), ("classifier", networks.classifier)):
            interpreter = find_interpreter(owner)
            if interpreter is not None:
                alone[name] += timings(interpreter.invoke, part)
        with invokes_noted(loop.stages, networks.detector, networks.classifier) as split:
            found.append(split)
            _drive(loop, replace(part, seconds=2 * part.seconds), time.perf_counter)
        frames += loop.stages.frames
        loop.stages.clear()
    names = [*STAGES, *sorted({name for frame in frames for name in frame} - set(STAGES))]
    shares = [(name, spread([f[name] for f in frames if name in f])) for name in names]
    wholes = [_frame_time(frame) for frame in frames]
    whole = spread(wholes)
    assert whole is not None  # at least one frame is always driven
    calm_bare = sum(map(calm, alone.values()))
    bare = sum(one.p50_ms for one in map(spread, alone.values()) if one is not None)
    return FrameCost(
        stages=tuple(StageShare(name, share) for name, share in shares if share is not None),
        frame=whole,
        bare_ms=bare,
        ratio=whole.p50_ms / bare if bare > 0 else 0.0,
        calm_ratio=calm(wholes) / calm_bare if calm_bare > 0 else 0.0,
        split=all(found),
    )


def sustained_rates(
    loop: Loop, minutes: float, every: float, clock: Callable[[], float] = time.perf_counter
) -> Iterator[tuple[float, float]]:
    """Yield (seconds since the start, frames per second) about *every* seconds for *minutes*."""
    began = last = clock()
    frames = 0
    while last - began < 60 * minutes:
        loop.step()
        frames += 1
        loop.stages.clear()
        now = clock()
        if now - last >= every:
            yield now - began, frames / (now - last)
            # What the reader did in between is no time of the loop's.
            frames, last = 0, clock()


@dataclass(frozen=True, slots=True)
class _Frames:
    warm_up: int
    measured: int


def _drive(
    loop: Loop, effort: Effort, clock: Callable[[], float]
) -> tuple[float, _Frames]:
    """Warm *loop* up and drive it; return when the measuring began, and how many frames."""
    # Until everybody has a verdict the classifier works more than it does later.
    warm_up = 0
    began = clock()
    while warm_up < 12 or clock() - began < effort.warm_up:
        loop.step()
        warm_up += 1
    loop.stages.clear()
    measured = 0
    began = clock()
    while more(measured, clock() - began, effort):
        loop.step()
        measured += 1
    return began, _Frames(warm_up, measured)


def _frame_time(stages: dict[str, float]) -> float:
    return sum(seconds for stage, seconds in stages.items() if stage != "capture")
