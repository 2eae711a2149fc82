"""Timings as percentiles, advice from them, and two benchmarks held against each other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edge.bench.advice import advise, configuration_lines, pick_threads
from edge.bench.figures import TOLERANCE, compare, unit_of
from edge.bench.result import LoopTime, NetworkTime
from edge.bench.statistics import Effort, Spread, calm, more, spread, timings

TIMES = st.lists(st.floats(1e-6, 10.0), min_size=1, max_size=200)


def told(p50: float) -> Spread:
    return Spread(20, p50, p50, p50, p50)


def alone(network: str, threads: int, ms: float) -> NetworkTime:
    return NetworkTime(network, threads, (96, 96), told(ms))


@given(TIMES)
def test_percentiles_are_numpys(seconds):
    found = spread(seconds)
    wanted = np.percentile(1000 * np.asarray(seconds), (50, 95, 99))
    assert (found.p50_ms, found.p95_ms, found.p99_ms) == pytest.approx(tuple(wanted))
    assert (found.samples, found.mean_ms) == (len(seconds), pytest.approx(1000 * np.mean(seconds)))


@given(TIMES)
def test_percentiles_are_in_order_and_within_the_samples(seconds):
    found = spread(seconds)
    assert 1000 * min(seconds) <= found.p50_ms * (1 + 1e-9)
    assert found.p50_ms <= found.p95_ms <= found.p99_ms <= 1000 * max(seconds) * (1 + 1e-9)


def test_no_timings_have_no_spread():
    assert spread([]) is None
    assert calm([]) == 0.0


def test_interruptions_do_not_reach_the_calm_time():
    assert calm([0.002] * 30 + [0.010] * 70) == pytest.approx(0.002)


def test_the_warm_up_is_thrown_away_and_calls_are_counted():
    now = itertools.count(0.0, 0.001)
    calls = []
    taken = timings(
        lambda: calls.append(1), Effort(seconds=0.05, warm_up=0.01, least=5, most=12),
        lambda: next(now),
    )
    assert len(taken) == 12
    assert len(calls) > 12 + 3
    assert taken == pytest.approx([0.001] * 12)


@pytest.mark.parametrize(
    ("samples", "elapsed", "wanted"),
    [
        (0, 100.0, True),  # one sample is taken in any case
        (4, 2.0, True),  # too few, though the time is over
        (20, 0.5, True),  # time is left
        (20, 1.0, False),
        (4, 6.0, False),  # a board this slow gets fewer
        (100, 0.1, False),
    ],
)
def test_sampling_ends_by_time_and_by_number(samples, elapsed, wanted):
    effort = Effort(seconds=1.0, warm_up=0, least=20, most=100)
    assert more(samples, elapsed, effort) == wanted


@pytest.mark.parametrize(
    ("totals", "cores", "picked"),
    [
        ({1: 40.0}, 1, 1),
        ({1: 40.0, 2: 24.0, 3: 18.0, 4: 15.0}, 4, 3),  # the fourth core is the camera's
        ({1: 40.0, 2: 20.0, 3: 19.0, 4: 18.9}, 4, 2),  # a third thread is hardly worth it
        ({1: 10.0, 2: 12.0, 3: 30.0, 4: 50.0}, 4, 1),  # threads that cost more than they give
        ({1: 10.0, 2: 5.0}, 2, 1),
    ],
)
def test_the_fewest_threads_that_are_nearly_the_best(totals, cores, picked):
    networks = [
        alone(name, n, ms / 2) for n, ms in totals.items() for name in ("detector", "classifier")
    ]
    assert pick_threads(networks, cores) == picked


def test_threads_of_which_only_one_network_was_measured_are_not_picked():
    networks = [alone("detector", 1, 9.0), alone("classifier", 1, 9.0), alone("detector", 2, 1.0)]
    assert pick_threads(networks, 4) == 1
    assert pick_threads([], 4) == 1


def loop(faces: int, size: tuple[int, int], fps: float, threads: int = 2) -> LoopTime:
    return LoopTime(faces, threads, size, faces, 0.2, fps, told(1000 / fps))


@pytest.mark.parametrize(
    ("small", "large", "size", "fps"),
    [
        (80.0, 70.0, (1280, 720), 30),  # no camera of ours is faster
        (22.0, 18.4, (1280, 720), 18),
        (22.0, 12.0, (640, 480), 22),
        (0.4, 0.3, (640, 480), 1),
    ],
)
def test_the_large_picture_is_advised_where_the_board_keeps_up(small, large, size, fps):
    loops = [loop(1, (640, 480), small), loop(1, (1280, 720), large)]
    advice = advise(2, loops)
    assert advice is not None
    assert (advice.threads, advice.size, advice.fps) == (2, size, fps)
    assert "threads = 2" in configuration_lines(advice)


def test_nothing_is_advised_before_the_loop_was_measured():
    assert advise(2, []) is None
    assert advise(2, [loop(1, (640, 480), 30.0, threads=1)]) is None


@pytest.mark.parametrize(
    ("name", "old", "new", "judgement"),
    [
        ("detector_1_thread_ms", 10.0, 12.9, "same"),
        ("detector_1_thread_ms", 10.0, 13.1, "slower"),
        ("detector_1_thread_ms", 10.0, 7.6, "faster"),
        ("detector_1_thread_ms", 10.0, 7.8, "same"),
        ("loop_1_face_1_thread_fps", 30.0, 20.0, "slower"),
        ("loop_1_face_1_thread_fps", 30.0, 60.0, "faster"),
        ("frame_to_bare_ratio", 1.1, 1.5, "slower"),
        ("memory_peak_mib", 100.0, 150.0, "more"),
        ("power_watts", 6.0, 3.0, "less"),
        ("stage_output_ms", 0.01, 0.03, "same"),  # a clock's grain
        ("stage_output_ms", 0.0, 0.0, "same"),
        ("sustained_last_fps", 30.0, 0.0, "more"),
    ],
)
def test_figures_are_judged_in_both_directions(name, old, new, judgement):
    (found,) = compare({name: old}, {name: new})
    assert found.judgement == judgement


def test_a_figure_that_one_lacks_is_said():
    found = compare({"a_ms": 1.0, "b_ms": 2.0}, {"b_ms": 2.0, "c_ms": 3.0})
    assert [(d.name, d.judgement) for d in found] == [
        ("a_ms", "missing"), ("b_ms", "same"), ("c_ms", "new")
    ]


@given(
    st.floats(1.0, 1e4), st.floats(1.0, 1e4),
    st.sampled_from(["x_ms", "x_fps", "x_ratio", "x_mib", "x_watts"]),
)
def test_turning_two_benchmarks_round_turns_the_judgement_round(old, new, name):
    off = max(old / new, new / old)
    assume(abs(off - 1 - TOLERANCE) > 1e-6)
    opposite = {"same": "same", "slower": "faster", "faster": "slower", "more": "less",
                "less": "more"}
    (there,), (back,) = compare({name: old}, {name: new}), compare({name: new}, {name: old})
    assert back.judgement == opposite[there.judgement]
    assert (there.judgement == "same") == (off <= 1 + TOLERANCE or
                                           (unit_of(name)[0] == "ms" and abs(old - new) < 0.05))
