"""Which thread count and camera to configure on a board that was just measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge.bench.result import Advice, LoopTime, NetworkTime

_WORTH = 1.10
_LARGE, _SMALL = (1280, 720), (640, 480)
# Someone who walks through a door is judged in time from about here on.
_ENOUGH_FPS = 15.0
_CAMERA_FPS = 30


def pick_threads(networks: Sequence[NetworkTime], cores: int) -> int:
    """Return how many threads the two networks should have on *cores* cores.

    The fewest whose time for one face is within 10 % of the best, leaving one core to the
    camera and the rest of the gate wherever there is a second one.
    """
    totals: dict[int, float] = {}
    kinds: dict[int, set[str]] = {}
    for one in networks:
        totals[one.threads] = totals.get(one.threads, 0.0) + one.time.p50_ms
        kinds.setdefault(one.threads, set()).add(one.network)
    whole = {n: ms for n, ms in totals.items() if len(kinds[n]) == 2 and n <= max(1, cores - 1)}
    if not whole:
        return 1
    best = min(whole.values())
    return min(n for n, ms in whole.items() if ms <= _WORTH * best)


def advise(threads: int, loops: Sequence[LoopTime]) -> Advice | None:
    """Return what to configure after *loops* were measured on *threads*; None without any.

    The large camera picture shows faces further away; the small one is advised where the loop
    would drop below 15 frames per second for it.
    """
    rates: Mapping[tuple[int, tuple[int, int]], float] = {
        (one.faces, one.size): one.fps for one in loops if one.threads == threads
    }
    small = rates.get((1, _SMALL))
    if small is None:
        return None
    large = rates.get((1, _LARGE))
    size = _LARGE if large is not None and large >= _ENOUGH_FPS else _SMALL
    rate = large if size == _LARGE and large is not None else small
    fps = max(1, min(_CAMERA_FPS, int(rate)))
    why = (
        f"{rate:.0f} frames per second with one face at {size[0]}x{size[1]} on "
        f"{threads} {'thread' if threads == 1 else 'threads'}"
    )
    return Advice(threads, size, fps, why)


def configuration_lines(advice: Advice) -> tuple[str, ...]:
    """Return *advice* as lines of the configuration file."""
    width, height = advice.size
    return (
        "[models]",
        f"threads = {advice.threads}",
        "[camera]",
        f"# add to the camera's URI: ?size={width}x{height}&fps={advice.fps}",
    )
