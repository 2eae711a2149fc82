"""From the picture that makes the gate ring to the level of a pin."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable

from edge.alerts.pins import Pins, choose_pins
from edge.alerts.player import PinOutput
from edge.alerts.settings import OutputSettings
from edge.bench.loop import Loop, Networks, make_loop
from edge.bench.result import PinLatency
from edge.bench.scenes import Scene, make_scene
from edge.bench.statistics import Effort, more, spread
from edge.camera.frame import Frame
from edge.errors import OutputError
from edge.gate.policy import GateState
from edge.watch import Settings

DEFAULT_PIN = 27
_MOST_FRAMES = 60
_GONE = 10.0
_NOON = datetime.time(12)


def open_light(pin: int, pins: Pins) -> PinOutput:
    """Return the gate's own light, as an output on GPIO *pin* of *pins*.

    Raises OutputError when the pin does not exist or is taken.
    """
    try:
        return PinOutput("bench", OutputSettings("led", (pin,)), pins)
    except OutputError as error:
        raise OutputError(f"--pin: {error}; stop a gate that drives it") from None


def pin_latency(
    networks: Networks,
    settings: Settings,
    scene: Scene,
    pin: int | None,
    effort: Effort,
    clock: Callable[[], float] = time.monotonic,
) -> PinLatency | None:
    """Return the time from a picture to the pin, or None when nobody made the gate ring.

    *pin* is a real one's BCM number; None takes gpiozero's mock pin.  Each sample is a new
    person, seen from the first frame until the alarm.  Raises OutputError for the pin.
    """
    # One factory for each benchmark, so that a mock pin is new.
    pins = choose_pins(pretend=pin is None)
    light = open_light(DEFAULT_PIN if pin is None else pin, pins)
    taken: list[float] = []
    try:
        loop = make_loop(networks, settings, scene, light)
        empty = make_scene(0, scene.size, 1).pictures[0]
        began = clock()
        now = 0.0
        while more(len(taken), clock() - began, effort):
            seconds, now = _one_alarm(loop, scene, now)
            if seconds is None:
                break
            # Everybody leaves, and is forgotten, before the next one comes.
            for _ in range(2):
                now += _GONE
                left = loop.watch.see(Frame(empty, now, 0), now, _NOON)
                loop.outputs.show(left.gate.state, left.gate.newest_ring)
            taken.append(seconds)
            loop.stages.clear()
        switched = sum(change.on for change in light.history)
    finally:
        light.close()
    if pins.mock and switched < len(taken):
        raise OutputError(f"the mock pin went on {switched} times in {len(taken)} alarms: a bug")
    found = spread(taken[1:] or taken)
    return PinLatency(light.pin, pins.mock, found) if found else None


def _one_alarm(loop: Loop, scene: Scene, now: float) -> tuple[float | None, float]:
    """Return how long the picture took that made the gate ring, and the scene's time then."""
    for number in range(_MOST_FRAMES):
        now += 1 / 30
        picture = scene.pictures[number % len(scene.pictures)].copy()
        began = time.perf_counter()
        seen = loop.watch.see(Frame(picture, now, number), now, _NOON)
        # The output sets its first level before it returns.
        loop.outputs.show(seen.gate.state, seen.gate.newest_ring)
        if seen.gate.state is GateState.ALARM:
            return time.perf_counter() - began, now
    return None, now
