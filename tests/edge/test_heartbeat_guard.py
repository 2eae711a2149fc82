"""The thread that notices a main loop that hangs; its clock is turned by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from edge.heartbeat import Guard

LONG = 20.0  # seconds; a bound for waits, not a measurement


class Hands:
    """A clock turned by hand, and what the guard said."""

    def __init__(self) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.threads: list[str] = []
        self._new = threading.Condition()
        self.looks = 0

    def clock(self) -> float:
        with self._new:
            self.looks += 1
            self._new.notify_all()
            return self.now

    def say(self, word: str) -> Callable[[], None]:
        def said() -> None:
            with self._new:
                self.said.append(word)
                self.threads.append(threading.current_thread().name)
                self._new.notify_all()

        return said

    def turn(self, to: float, step: float = 2.0) -> None:
        """Turn the clock to *to*; the guard looks at it at least twice on every step."""
        while self.now < to:
            with self._new:
                self.now = min(to, self.now + step)
                enough = self.looks + 2
                assert self._new.wait_for(lambda enough=enough: self.looks >= enough, LONG)

    def wait_for(self, *words: str) -> None:
        with self._new:
            assert self._new.wait_for(lambda: self.said == list(words), LONG), self.said


@pytest.fixture
def hands() -> Hands:
    return Hands()


def guard_of(hands: Hands) -> Guard:
    return Guard(hands.say("hangs"), hands.say("back"), 5.0, clock=hands.clock, pause=0.001)


def test_a_hang_and_the_return_are_told_once_each_in_the_guards_thread(hands: Hands) -> None:
    with guard_of(hands) as guard:
        hands.turn(20)
        hands.wait_for("hangs")
        guard.alive()
        hands.wait_for("hangs", "back")
        hands.turn(40)
        hands.wait_for("hangs", "back", "hangs")
    assert set(hands.threads) == {"maskgate-guard"}


def test_a_main_loop_at_work_is_left_alone(hands: Hands) -> None:
    with guard_of(hands) as guard:
        for now in range(0, 60, 2):
            hands.turn(float(now))
            guard.alive()
    assert hands.said == []


def test_what_a_callback_raises_is_kept_and_the_guard_goes_on(hands: Hands) -> None:
    def broken() -> None:
        hands.say("hangs")()
        raise OSError("no such pin")

    with Guard(broken, hands.say("back"), 5.0, clock=hands.clock, pause=0.001) as guard:
        hands.turn(20)
        hands.wait_for("hangs")
        guard.alive()
        hands.wait_for("hangs", "back")
        assert str(guard.error) == "no such pin"


def test_closing_ends_the_thread_and_may_be_done_twice(hands: Hands) -> None:
    guard = guard_of(hands)
    assert guard.close(LONG) and guard.close(LONG)
    assert "maskgate-guard" not in {thread.name for thread in threading.enumerate()}


def test_a_guard_may_be_closed_by_its_own_callback(hands: Hands) -> None:
    guards: list[Guard] = []
    closed = threading.Event()

    def close() -> None:
        guards[0].close()
        closed.set()

    guards.append(Guard(close, hands.say("back"), 5.0, clock=hands.clock, pause=0.001))
    hands.turn(4)
    hands.now = 8.0
    assert closed.wait(LONG)
    assert guards[0].close(LONG)


def test_closing_does_not_wait_for_a_callback_that_hangs(hands: Hands) -> None:
    let_go = threading.Event()
    entered = threading.Event()

    def hang() -> None:
        entered.set()
        let_go.wait(LONG)

    guard = Guard(hang, hands.say("back"), 5.0, clock=hands.clock, pause=0.001)
    hands.turn(4)
    hands.now = 8.0
    assert entered.wait(LONG)
    assert not guard.close(0.01)
    let_go.set()
    assert guard.close(LONG)


def test_the_thread_is_a_daemon_so_that_it_never_keeps_the_process(hands: Hands) -> None:
    with guard_of(hands):
        (thread,) = (t for t in threading.enumerate() if t.name == "maskgate-guard")
        assert thread.daemon
