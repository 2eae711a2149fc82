"""The gate's loop for a long time: memory flat, state bounded, people still seen.

One run of the demo's programme is rendered once and shown again and again, so that the loop
and not the painting takes the time.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any

import click
import numpy as np

from edge.bench.loop import load, settings_for
from edge.bench.networks import Pair
from edge.bench.pins import DEFAULT_PIN, open_light
from edge.board.memory import read_own_memory
from edge.camera.demo import DemoSource
from edge.camera.frame import Frame
from edge.errors import UsageError
from edge.modelfile import read_model, released_model
from edge.watch import Watch

_SIZE = (320, 240)
_SCENES = ("bare", "mask", "under_nose")
_SAMPLES = 200
# The first part fills caches, buffers and the list of the newest people.
_WARM_UP = 0.25
LEAST_FRAMES = 2000
MOST_SLOPE = 4.0
"""KiB that memory may grow in 1,000 frames: a hundredth of a GiB in a day at 30 a second."""

MOST_GROWTH = 4096.0
"""KiB between the end of the warm-up and the end, whatever the slope."""

BOUNDS: Mapping[str, int] = {"people": 16, "events": 64, "gone": 1000, "gate": 64, "threads": 8}
"""The most that each part of the state may ever hold in this scene of one person at a time."""


@dataclass(frozen=True, slots=True)
class SoakReport:
    """What *frames* frames came to.

    *slope* is the growth of resident memory in KiB per 1,000 frames after the warm-up, *growth*
    its change in KiB from then to the end.  *largest* is the most each part of the state held.
    *failures* says in words what should not be.
    """

    frames: int
    seconds: float
    people: int
    slope: float
    growth: float
    resident: float
    largest: Mapping[str, int]
    failures: tuple[str, ...]


def soak(
    frames: int,
    on_progress: Callable[[int], None] = lambda done: None,
    resident: Callable[[], float | None] = lambda: read_own_memory().resident,
) -> SoakReport:
    """Run the loop for *frames* frames, at least 2,000.

    *resident* gives this program's memory in MiB.  Raises UsageError for too few frames,
    SourceError when scikit-image, which ships the demo's person, is missing.
    """
    if frames < LEAST_FRAMES:
        raise UsageError(f"{frames} frames are too few for a slope; at least {LEAST_FRAMES}")
    from edge.alerts.pins import choose_pins

    pair = Pair(
        read_model(released_model("face-detector"), "face-detector"),
        read_model(released_model("mask-classifier"), "mask-classifier"),
    )
    networks, settings = load(pair, 1), settings_for(pair)
    demo = DemoSource(size=_SIZE, scenes=_SCENES)
    pictures = [frame.image for frame in iter(lambda: demo.read(1.0), None)]
    watch = Watch(networks.detector, networks.classifier, settings)
    pins = choose_pins(pretend=True)
    output = open_light(DEFAULT_PIN, pins)
    pin = pins.factory.pin(f"GPIO{DEFAULT_PIN}")
    every = max(1, frames // _SAMPLES)
    at: list[int] = []
    memory: list[float] = []
    largest: dict[str, int] = {}
    began = time.monotonic()
    shown: object = None
    try:
        for number in range(frames):
            now = number / 30
            scene = watch.see(Frame(pictures[number % len(pictures)], now, number), now)
            if scene.gate.state is not shown:
                shown = scene.gate.state
                output.show(scene.gate.state)
                # gpiozero's mock pin remembers every change for ever; a real one does not.
                pin.clear_states()
            for part, size in state_sizes(watch).items():
                largest[part] = max(largest.get(part, 0), size)
            if number % every == 0:
                at.append(number)
                memory.append(1024 * (resident() or 0.0))
                on_progress(number)
    finally:
        output.close()
    people = sum(watch.verdicts.values())
    late = [i for i, number in enumerate(at) if number >= _WARM_UP * frames]
    slope = growth_per_thousand([at[i] for i in late], [memory[i] for i in late])
    growth = memory[-1] - memory[late[0]]
    visits = frames // len(pictures) * len(_SCENES)
    return SoakReport(
        frames, time.monotonic() - began, people, slope, growth, memory[-1] / 1024, largest,
        failures(slope, growth, largest, people, visits),
    )


def failures(
    slope: float, growth: float, largest: Mapping[str, int], people: int, visits: int
) -> tuple[str, ...]:
    """Return what should not be, in words; () when all is as it should."""
    found = []
    if slope > MOST_SLOPE:
        found.append(
            f"memory grows by {slope:.2f} KiB in 1,000 frames; allowed: {MOST_SLOPE:g}"
        )
    if growth > MOST_GROWTH:
        found.append(f"memory grew by {growth:.0f} KiB; allowed: {MOST_GROWTH:g}")
    found += [
        f"{part} held {size}; allowed: {BOUNDS[part]}"
        for part, size in largest.items()
        if size > BOUNDS[part]
    ]
    if people < visits:
        found.append(f"{people} people were seen in {visits} visits; a gate that sees less is off")
    return tuple(found)


def state_sizes(watch: Watch) -> dict[str, int]:
    """Return how much each part of the state of *watch* holds."""
    import threading

    return {
        "people": len(watch.scene.people),
        "events": len(watch.scene.events),
        "gone": len(watch.gone),
        "gate": held(watch.scene.gate),
        "threads": threading.active_count(),
    }


def held(value: Any) -> int:
    """Return how many entries the containers in dataclass *value* hold, at any depth."""
    if dataclasses.is_dataclass(value):
        return sum(held(getattr(value, one.name)) for one in dataclasses.fields(value))
    if isinstance(value, str | bytes) or not isinstance(value, Sized):
        return 0
    inner: Any = value.values() if isinstance(value, Mapping) else value
    return len(value) + sum(held(one) for one in inner)


def growth_per_thousand(at: Sequence[int], kibibytes: Sequence[float]) -> float:
    """Return the slope of *kibibytes* over the frame numbers *at*, in KiB per 1,000 frames."""
    if len(at) < 2:
        return 0.0
    return 1000 * float(np.polyfit(np.asarray(at, float), np.asarray(kibibytes, float), 1)[0])


@click.command()
@click.option("--frames", default=100_000, metavar="N", help="Default: 100000.")
def main(frames: int) -> None:
    """Run the gate's loop for N frames; fail when memory or state grows."""
    progress: Any = click.progressbar(length=frames, file=sys.stderr, label="soaking")
    with progress as bar:
        try:
            report = soak(frames, lambda done: bar.update(done - bar.pos))
        except UsageError as error:
            raise click.UsageError(str(error)) from None
        bar.update(frames - bar.pos)
    rate = report.frames / report.seconds
    click.echo(
        f"{report.frames} frames in {report.seconds:.0f} s ({rate:.0f} a second), "
        f"{report.people} people\n"
        f"memory {report.resident:.1f} MiB; {report.slope:+.3f} KiB in 1,000 frames, "
        f"{report.growth:+.0f} KiB after the first {_WARM_UP:.0%}\n"
        "at most " + ", ".join(f"{size} {part}" for part, size in report.largest.items())
    )
    for line in report.failures:
        click.echo(f"FAILED: {line}", err=True)
    sys.exit(1 if report.failures else 0)


if __name__ == "__main__":
    main()
