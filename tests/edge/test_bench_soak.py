"""The long run: what it calls a leak, and one short real run."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from edge.bench.soak import BOUNDS, LEAST_FRAMES, failures, growth_per_thousand, held, soak
from edge.errors import UsageError


def test_memory_that_grows_evenly_has_that_slope():
    assert growth_per_thousand([0, 1000, 2000], [100.0, 107.0, 114.0]) == pytest.approx(7.0)
    assert growth_per_thousand([0, 1000, 2000], [100.0, 100.0, 100.0]) == pytest.approx(0.0)
    assert growth_per_thousand([5], [100.0]) == 0.0


@pytest.mark.parametrize(
    ("slope", "growth", "largest", "people", "count"),
    [
        (0.1, 10.0, {"people": 2}, 9, 0),
        (50.0, 10.0, {"people": 2}, 9, 1),
        (0.1, 9000.0, {"people": 2}, 9, 1),
        (0.1, 10.0, {"gate": BOUNDS["gate"] + 1}, 9, 1),
        (0.1, 10.0, {"people": 2}, 8, 1),
    ],
)
def test_each_thing_that_grows_is_said(slope, growth, largest, people, count):
    assert len(failures(slope, growth, largest, people, visits=9)) == count


def test_entries_are_counted_at_any_depth():
    @dataclass
    class Inner:
        names: dict[str, tuple[int, ...]] = field(default_factory=lambda: {"a": (1, 2), "b": ()})

    @dataclass
    class Outer:
        inner: Inner = field(default_factory=Inner)
        many: tuple[Inner, ...] = (Inner(), Inner())
        word: str = "text"

    assert held(Outer()) == 4 + 2 + 4 + 4


def test_too_few_frames_have_no_slope():
    with pytest.raises(UsageError, match="too few"):
        soak(LEAST_FRAMES - 1)


def test_a_short_soak_sees_every_visit_and_keeps_its_state_small():
    pytest.importorskip("skimage", reason="the demo's person comes with scikit-image")
    seen: list[int] = []
    report = soak(LEAST_FRAMES, seen.append, resident=lambda: 100.0)
    assert report.failures == ()
    assert (report.slope, report.growth) == (pytest.approx(0.0, abs=1e-6), 0.0)
    assert report.people >= 9
    assert seen == sorted(seen)


def test_a_leak_is_found():
    pytest.importorskip("skimage", reason="the demo's person comes with scikit-image")
    now = [100.0]

    def leaking() -> float:
        now[0] += 0.01
        return now[0]

    report = soak(LEAST_FRAMES, resident=leaking)
    assert any("memory grows" in line for line in report.failures)
