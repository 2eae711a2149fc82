"""When the watchdog is petted, and when it is not."""

from __future__ import annotations

import math

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge.errors import UsageError
from edge.heartbeat import Heartbeat, HeartbeatSettings, Pulse

WATCHDOG = 20.0


def heart(patience: float = 600.0, watchdog: float | None = WATCHDOG) -> Heartbeat:
    return Heartbeat(HeartbeatSettings(camera_patience_seconds=patience), watchdog)


def pets(beat: Heartbeat, until: float, what: str = "waiting", every: float = 0.25) -> list[float]:
    """Return when *beat* asked for a pet in a loop that calls *what* until the time *until*."""
    times = [i * every for i in range(round(until / every) + 1)]
    return [now for now in times if getattr(beat, what)(now)]


def test_the_first_frame_pets_and_then_four_times_in_a_period() -> None:
    assert pets(heart(), 20, "frame", every=1 / 32) == [0, 5, 10, 15, 20]


def test_without_a_watchdog_nothing_is_ever_petted() -> None:
    assert not any(pets(heart(watchdog=None), 100, what) for what in ("frame", "fault", "waiting"))


def test_a_frame_slower_than_the_rate_pets_each_time() -> None:
    assert pets(heart(), 60, "frame", every=7.5) == [i * 7.5 for i in range(9)]


@pytest.mark.parametrize("what", ["fault", "waiting"])
def test_trouble_is_petted_for_the_patience_and_no_longer(what: str) -> None:
    beat = heart(patience=60)
    assert pets(beat, 600, what) == [5.0 * i for i in range(13)]
    assert beat.given_up


def test_waiting_for_a_camera_at_the_start_is_trouble_from_the_first_turn() -> None:
    beat = heart(patience=60)
    assert beat.waiting(1000)
    assert not beat.waiting(1060.1)


def test_waiting_and_a_fault_are_one_trouble() -> None:
    beat = heart(patience=60)
    assert beat.frame(0)
    assert not beat.waiting(1) and beat.fault(31) and beat.waiting(61)
    assert not beat.fault(61.5) and beat.given_up


def test_a_frame_ends_the_trouble_and_the_next_one_has_its_own_patience() -> None:
    beat = heart(patience=60)
    pets(beat, 100)
    assert beat.given_up
    assert beat.frame(101) and not beat.given_up
    assert beat.fault(110) and beat.fault(170) and not beat.fault(171)


def test_a_covered_lens_is_looked_at_and_no_reason_for_a_new_process() -> None:
    beat = heart(patience=60)
    asked = [beat.fault(float(now), seen=True) for now in range(0, 10_000, 10)]
    assert all(asked) and not beat.given_up


def test_patience_zero_is_for_ever() -> None:
    beat = heart(patience=0)
    assert pets(beat, 100_000, every=1000) == [i * 1000.0 for i in range(101)]
    assert not beat.given_up


def test_patience_is_given_up_also_where_no_watchdog_listens() -> None:
    beat = heart(patience=60, watchdog=None)
    assert not pets(beat, 70)
    assert beat.given_up


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("camera_patience_seconds", 59, "60 to 86400, or 0"),
        ("camera_patience_seconds", -1, "60 to 86400, or 0"),
        ("camera_patience_seconds", math.nan, "60 to 86400, or 0"),
        ("camera_patience_seconds", math.inf, "60 to 86400, or 0"),
        ("hang_seconds", 0, "1 to 60"),
        ("hang_seconds", 61, "1 to 60"),
        ("hang_seconds", math.nan, "1 to 60"),
    ],
)
def test_settings_out_of_range_are_named(field: str, value: float, allowed: str) -> None:
    with pytest.raises(UsageError, match=f"{field} is {value}; allowed: {allowed}"):
        HeartbeatSettings(**{field: value})


class Supervised(RuleBasedStateMachine):
    """A main loop in any mood, and a systemd that counts from the last pet."""

    @initialize(
        patience=st.sampled_from([0.0, 60.0, 90.0, 600.0]),
        watchdog=st.sampled_from([4.0, 20.0, 60.0]),
    )
    def start(self, patience: float, watchdog: float) -> None:
        self.patience = patience or math.inf
        self.watchdog = watchdog
        self.beat = Heartbeat(HeartbeatSettings(patience), watchdog)
        self.now = 0.0
        self.petted: list[float] = []
        self.good = 0.0  # the last turn that is not trouble, or the first one
        self.trouble = False
        self.kept_up = True
        self._turn(self.beat.frame(self.now), trouble=False)

    def _turn(self, pet: bool, *, trouble: bool) -> None:
        if trouble and not self.trouble:
            self.good = self.now
        self.trouble = trouble
        if not trouble:
            self.good = self.now
        self.asked = self.now
        if pet:
            self.petted.append(self.now)
            self.kept_up = True

    @rule(share=st.floats(0, 0.25), count=st.integers(1, 40))
    def frames_come(self, share: float, count: int) -> None:
        for _ in range(count):
            self.now += share * self.watchdog
            self._turn(self.beat.frame(self.now), trouble=False)

    @rule(share=st.floats(0, 0.25), count=st.integers(1, 80), fault=st.booleans())
    def the_camera_is_away(self, share: float, count: int, fault: bool) -> None:
        for _ in range(count):
            self.now += share * self.watchdog
            call = self.beat.fault if fault else self.beat.waiting
            self._turn(call(self.now), trouble=True)
            if self.petted[-1] == self.now:
                assert self.now - self.good <= self.patience

    @rule(share=st.floats(0, 0.25))
    def the_lens_is_covered(self, share: float) -> None:
        self.now += share * self.watchdog
        self._turn(self.beat.fault(self.now, seen=True), trouble=False)

    @precondition(lambda self: self.now > 0)
    @rule(periods=st.floats(1.01, 50))
    def the_main_loop_hangs(self, periods: float) -> None:
        before = len(self.petted)
        self.now += periods * self.watchdog
        assert len(self.petted) == before
        self.kept_up = False

    @invariant()
    def it_is_given_up_exactly_when_the_patience_is_over(self) -> None:
        if hasattr(self, "beat"):
            # A hang alone gives nothing up: nobody asked.
            over = self.trouble and self.asked - self.good > self.patience
            assert self.beat.given_up == over

    @invariant()
    def pets_are_a_quarter_of_the_period_apart(self) -> None:
        pairs = zip(getattr(self, "petted", []), getattr(self, "petted", [])[1:], strict=False)
        assert all(b - a >= self.watchdog / 4 for a, b in pairs)

    @invariant()
    def a_gate_at_work_is_never_killed(self) -> None:
        if hasattr(self, "beat") and self.kept_up and not self.beat.given_up:
            # Turns are a quarter apart at most, and so is the rate: half, of the whole allowed.
            assert self.now - self.petted[-1] <= self.watchdog / 2 + 1e-9


TestSupervised = Supervised.TestCase
TestSupervised.settings = hypothesis_settings(
    max_examples=60, stateful_step_count=25, deadline=None
)


def test_a_loop_that_gives_signs_does_not_hang() -> None:
    pulse = Pulse(5.0, 0.0)
    for now in range(100):
        pulse.alive(float(now))
        assert pulse.look(now + 0.5) == ""


def test_a_hang_is_told_once_and_so_is_the_return() -> None:
    pulse = Pulse(5.0, 0.0)
    told = [pulse.look(now / 2) for now in range(1, 40)]
    assert told.count("hangs") == 1 and set(told) == {"", "hangs"}
    assert told.index("hangs") == 10  # at 5.5 s, the first look past the limit
    pulse.alive(20.0)
    assert [pulse.look(20.0), pulse.look(20.5)] == ["is back", ""]


def test_who_looks_late_gives_the_main_loop_a_new_chance() -> None:
    pulse = Pulse(5.0, 0.0)
    assert pulse.look(1000.0) == ""
    assert pulse.look(1004.0) == ""
    assert pulse.look(1005.5) == "hangs"


def test_a_hang_that_was_told_is_not_forgotten_by_a_late_look() -> None:
    pulse = Pulse(5.0, 0.0)
    assert [pulse.look(4.0), pulse.look(6.0)] == ["", "hangs"]
    assert [pulse.look(100.0), pulse.look(101.0)] == ["", ""]
    pulse.alive(101.0)
    assert pulse.look(101.5) == "is back"
