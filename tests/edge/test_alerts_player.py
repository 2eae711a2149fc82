"""What ends a pattern is kept no longer than the pattern lasts, and cuts no light short."""

from __future__ import annotations

import threading
from itertools import count

import pytest
from gpiozero.threads import _THREADS

from edge.alerts.player import PinOutput
from edge.alerts.settings import OutputSettings
from edge.gate.policy import GateState
from tests.edge.test_alerts import pins as pins  # the fixture
from tests.edge.test_alerts import until


@pytest.fixture
def kept():
    """Return what gives the threads that gpiozero keeps beyond those it kept at first."""
    before = set(_THREADS)
    return lambda: _THREADS - before


def test_pulses_that_ended_leave_no_threads_behind(pins, kept):
    # Each look at the clock is a second later, so that a pulse is over at once.
    seconds = count()
    settings = OutputSettings("relay", (26,), states={"pass": "pulse 0.02"})
    relay = PinOutput("door", settings, pins, clock=lambda: next(seconds))
    pin = pins.factory.pin(26)
    for _ in range(200):
        relay.show(GateState.PASS)
        assert until(lambda: not pin.state)
    assert len(kept()) <= 3
    relay.close()
    assert not kept()


def test_patterns_that_are_replaced_leave_no_threads_behind(pins, kept):
    led = PinOutput("LED", OutputSettings("led", (27,)), pins)
    for _ in range(20):
        led.show(GateState.ALARM)
    led.close()
    assert not kept()


def test_a_light_that_fails_with_every_picture_leaves_no_threads_behind(pins, kept, monkeypatch):
    led = PinOutput("LED", OutputSettings("led", (27,)), pins)
    with monkeypatch.context() as broken:
        broken.setattr(pins.factory.pin(27), "_change_state", lambda value: 1 / 0)
        for _ in range(20):
            with pytest.raises(ZeroDivisionError):
                led.show(GateState.ALARM)
    led.close()
    assert not kept()


def test_without_a_thread_to_end_it_nothing_is_shown_and_none_is_kept(pins, kept, monkeypatch):
    def fails(thread):
        raise RuntimeError("can't start new thread")

    led = PinOutput("LED", OutputSettings("led", (27,)), pins)
    with monkeypatch.context() as broken:
        broken.setattr(threading.Thread, "start", fails)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            led.show(GateState.ALARM)
    assert not kept() and not led.history[-1].on
    led.close()


def flashing(pins, now):
    """Return a light whose three flashes, 0.04 s each and apart, take longer than its limit."""
    states = {"alarm": "0.04/0.04 x3"}
    settings = OutputSettings("led", (27,), max_on_seconds=0.05, states=states)
    led = PinOutput("LED", settings, pins, clock=lambda: now[0])
    led.show(GateState.ALARM)
    return led


def test_flashes_are_all_shown_while_the_state_is_confirmed_and_then_no_more(pins):
    now = [0.0]
    led = flashing(pins, now)
    for step in range(6):
        now[0] = 0.01 + 0.04 * step
        assert until(lambda changes=step + 2: len(led.history) == changes)
        led.renew()
    assert [change.on for change in led.history] == [False, True] * 3 + [False]
    led.close()


def test_flashes_that_nobody_confirmed_are_cut_and_do_not_go_on(pins):
    now = [0.0]
    led = flashing(pins, now)
    now[0] = 0.09
    assert until(lambda: not led.history[-1].on)
    led.renew()
    assert [change.on for change in led.history] == [False, True, False]
    led.close()
