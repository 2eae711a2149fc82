"""Every output has a level for every state, a limit, and is off at the end."""

from __future__ import annotations

import threading
import time

import pytest
from gpiozero.pins.mock import MockFactory, MockPWMPin

from edge.alerts.kinds import KINDS
from edge.alerts.opening import open_outputs, settle
from edge.alerts.outputs import Outputs
from edge.alerts.pins import Pins
from edge.alerts.player import PinOutput
from edge.alerts.settings import DEFAULT_OUTPUTS, OutputSettings
from edge.errors import OutputError, UsageError
from edge.gate.policy import GateState

PINS = {name: (5, 6, 13)[: len(kind.pin_names)] for name, kind in KINDS.items()}
# What each pin is at the moment a state is shown, where that is not off; a tone is half on.
LEVELS = {
    "buzzer": {"alarm": (1,)},
    "tonal_buzzer": {"alarm": (0.5,)},
    "led": {"alarm": (1,), "camera_fault": (1,), "software_fault": (1,)},
    "rgb_led": {
        "looking": (0, 0, 1), "pass": (0, 1, 0), "alarm": (1, 0, 0),
        "camera_fault": (1, 0, 1), "software_fault": (1, 0, 1),
    },
    "traffic_lights": {
        "looking": (0, 1, 0), "pass": (0, 0, 1), "alarm": (1, 0, 0),
        "camera_fault": (0, 1, 0), "software_fault": (0, 1, 0),
    },
    "relay": {"pass": (1,)},
}
SOUNDS = ("buzzer", "tonal_buzzer")
LIGHTS = ("led", "rgb_led", "traffic_lights")


@pytest.fixture
def pins():
    return Pins(MockFactory(pin_class=MockPWMPin), mock=True, why="test")


def until(condition, seconds=5.0):
    """Wait until *condition* holds; return whether it does within *seconds*."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


@pytest.mark.parametrize("muted", [False, True])
@pytest.mark.parametrize("high", [True, False])
@pytest.mark.parametrize("state", GateState)
@pytest.mark.parametrize("kind", KINDS)
def test_every_output_has_its_level_in_every_state(pins, kind, state, high, muted):
    if not high and not KINDS[kind].inverts:
        pytest.skip("a tonal buzzer is wired one way")
    none = (0,) * len(PINS[kind])
    level = none if muted and kind in SOUNDS else LEVELS[kind].get(state.value, none)
    output = PinOutput("it", OutputSettings(kind, PINS[kind], active_high=high), pins)
    recorded = [pins.factory.pin(number) for number in PINS[kind]]
    output.show(state, muted)
    for pin, wanted in zip(recorded, level, strict=True):
        states = [float(change.state) for change in pin.states]
        assert states == ([1 - high, wanted if high else 1 - wanted] if wanted else [1 - high])
    output.close()
    assert [(p.function, p.pull) for p in recorded] == [("input", "down" if high else "up")] * len(
        recorded
    )
    assert not any(h.history[-1].on for h in output.pin_histories)


def brief(kind, **states):
    """Settings of *kind* with a limit of 0.05 s and *states*, and off for pass."""
    return OutputSettings(kind, PINS[kind], max_on_seconds=0.05, states={"pass": "off", **states})


@pytest.mark.parametrize("rhythm", ["on", "on 0.02/0.02"])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_stays_on_past_its_limit_even_if_nobody_says_off(pins, kind, rhythm):
    output = PinOutput("it", brief(kind, alarm=rhythm), pins)
    began = time.monotonic()
    output.show(GateState.ALARM)
    assert output.history[-1].on
    time.sleep(0.05)
    assert until(lambda: not output.history[-1].on and time.monotonic() > began + 0.1)
    changes = len(output.history)
    time.sleep(0.05)
    assert len(output.history) == changes
    output.close()


def test_an_output_begins_off_and_records_every_change_of_a_pattern(pins):
    now = [0.0]
    settings = OutputSettings("led", (27,), states={"alarm": "0.02/0.02 x3"})
    led = PinOutput("LED", settings, pins, clock=lambda: now[0])
    led.show(GateState.ALARM)
    for step in range(6):
        now[0] = 0.01 + 0.02 * step
        assert until(lambda changes=step + 2: len(led.history) == changes)
    led.show(GateState.ALARM)
    led.close()
    assert [change.on for change in led.history] == [False, True] * 4 + [False]


@pytest.mark.parametrize("kind", KINDS)
def test_a_light_outlives_its_limit_while_the_state_is_confirmed_and_nothing_else_does(pins, kind):
    now = [0.0]
    output = PinOutput("it", brief(kind, alarm="on"), pins, clock=lambda: now[0])
    output.show(GateState.ALARM)
    now[0] = 0.04
    output.renew()
    now[0] = 0.08
    if kind in LIGHTS:
        time.sleep(0.1)
        assert output.history[-1].on
        now[0] = 0.1
    assert until(lambda: not output.history[-1].on)
    output.close()


def test_a_light_comes_back_when_a_program_that_hung_goes_on(pins):
    led = PinOutput("LED", OutputSettings("led", (27,), max_on_seconds=0.05), pins)
    with Outputs([led]) as outputs:
        outputs.show(GateState.ALARM)
        assert until(lambda: not led.history[-1].on)
        outputs.show(GateState.ALARM)
        assert led.history[-1].on
    assert not led.history[-1].on


def test_a_pattern_with_an_end_is_not_begun_again_by_confirming_it(pins):
    settings = OutputSettings("led", (27,), states={"pass": "pulse 0.02"})
    led = PinOutput("LED", settings, pins)
    with Outputs([led]) as outputs:
        outputs.show(GateState.PASS)
        assert until(lambda: not led.history[-1].on)
        outputs.show(GateState.PASS)
        assert len(led.history) == 3


def test_quiet_hours_do_not_open_a_door_again(pins):
    relay = PinOutput("door", OutputSettings("relay", (26,), states={"pass": "pulse 0.02"}), pins)
    with Outputs([relay]) as outputs:
        outputs.show(GateState.PASS)
        assert until(lambda: not relay.history[-1].on)
        outputs.show(GateState.PASS, muted=True)
        outputs.show(GateState.PASS)
        assert len(relay.history) == 3
        outputs.show(GateState.LOOKING)
        outputs.show(GateState.PASS)
        assert relay.history[-1].on


def test_an_alarm_is_heard_as_soon_as_quiet_hours_end(pins):
    with Outputs(open_outputs(DEFAULT_OUTPUTS, pins)) as outputs:
        outputs.show(GateState.ALARM, 1.0, muted=True)
        assert not outputs.outputs[0].history[-1].on and outputs.outputs[1].history[-1].on
        outputs.show(GateState.ALARM, 1.0, muted=False)
        assert outputs.outputs[0].history[-1].on


def test_several_pins_have_a_history_each_and_one_together(pins):
    lights = PinOutput("lights", OutputSettings("traffic_lights", (5, 6, 13)), pins)
    for state in (GateState.LOOKING, GateState.PASS, GateState.IDLE):
        lights.show(state)
    lights.close()
    assert [(h.name, h.pin, [c.on for c in h.history]) for h in lights.pin_histories] == [
        ("lights red", 5, [False]),
        ("lights amber", 6, [False, True, False]),
        ("lights green", 13, [False, True, False]),
    ]
    assert [change.on for change in lights.history[-1:]] == [False] and lights.pin == 5


class Recording:
    """An output that remembers what it was told, and fails at *broken*."""

    name = "siren"

    def __init__(self, broken=()):
        self.broken = broken
        self.told = []

    def _do(self, what):
        self.told.append(what)
        if what in self.broken:
            raise RuntimeError("no power")

    def show(self, state, muted=False):
        self._do(state.value)

    def close(self):
        self._do("close")


def test_the_same_state_is_shown_once_unless_its_cause_is_another():
    siren = Recording()
    outputs = Outputs([siren])
    for since in (0.0, 0.0, 9.0, 9.0):
        outputs.show(GateState.ALARM, since)
    assert siren.told == ["alarm"] * 2


@pytest.mark.parametrize(
    ("causes", "times"),
    [((2.0, 0.0, 0.0), 1), ((0.0, 2.0, 0.0), 2), ((2.0, 0.0, 1.0), 2), ((None, 1.0, None), 2)],
)
def test_a_state_is_not_shown_anew_because_its_newest_cause_has_gone(causes, times):
    siren = Recording()
    outputs = Outputs([siren])
    for since in causes:
        outputs.show(GateState.ALARM, since)
    assert siren.told == ["alarm"] * times


def test_a_pattern_goes_on_when_the_same_is_shown_and_anew_with_another_cause(pins):
    led = PinOutput("LED", OutputSettings("led", (27,), states={"alarm": "0.02/60"}), pins)
    with Outputs([led]) as outputs:
        outputs.show(GateState.ALARM, 1.0)
        assert until(lambda: not led.history[-1].on)
        outputs.show(GateState.ALARM, 1.0)
        assert not led.history[-1].on
        outputs.show(GateState.ALARM, 2.0)
        assert led.history[-1].on


def test_outputs_show_shutdown_before_they_are_closed_and_only_once():
    siren = Recording()
    outputs = Outputs([siren])
    outputs.show(GateState.ALARM)
    outputs.close()
    outputs.close()
    assert siren.told == ["alarm", "shutdown", "close", "close"]


def test_nothing_is_shown_any_more_once_outputs_are_closed(pins):
    led = PinOutput("LED", OutputSettings("led", (27,)), pins)
    outputs = Outputs([led])
    outputs.close()
    outputs.show(GateState.ALARM)
    assert [change.on for change in led.history] == [False]


def test_an_output_that_hangs_keeps_another_thread_from_showing_for_a_moment_only(pins):
    hangs, released = threading.Event(), threading.Event()
    led = PinOutput("LED", OutputSettings("led", (27,), states={"software_fault": "on"}), pins)

    class Hanging(Recording):
        def show(self, state, muted=False):
            super().show(state, muted)
            if state is GateState.LOOKING:
                hangs.set()
                released.wait(20)

    outputs = Outputs([led, Hanging()])
    main = threading.Thread(target=outputs.show, args=(GateState.LOOKING,))
    main.start()
    assert hangs.wait(5)
    outputs.show(GateState.SOFTWARE_FAULT)
    assert led.history[-1].on
    released.set()
    main.join(5)
    outputs.close()


def test_everything_is_off_after_an_exception(pins):
    devices = open_outputs(DEFAULT_OUTPUTS, pins)
    with pytest.raises(ZeroDivisionError), Outputs(devices) as outputs:
        outputs.show(GateState.ALARM)
        raise ZeroDivisionError
    assert all(not device.history[-1].on for device in devices)


def test_a_broken_output_keeps_no_other_from_working(pins):
    led = PinOutput("LED", OutputSettings("led", (27,)), pins)
    outputs = Outputs([Recording(["alarm", "shutdown", "close"]), led])
    with pytest.raises(OutputError, match=r"siren: cannot show .*no power"):
        outputs.show(GateState.ALARM)
    assert led.history[-1].on
    with pytest.raises(OutputError, match=r"siren: cannot show .*; siren: cannot switch off"):
        outputs.close()
    assert not led.history[-1].on


def test_a_level_that_could_not_be_ended_is_told_of_and_ended_next_time(pins, monkeypatch):
    settings = OutputSettings("led", (27,), states={"alarm": "pulse 0.02"})
    led = PinOutput("LED", settings, pins)
    pin = pins.factory.pin(27)
    tried = []
    with monkeypatch.context() as broken:
        led.show(GateState.ALARM)
        broken.setattr(pin, "_change_state", lambda value: tried.append(value) or 1 / 0)
        assert until(lambda: len(tried) == 2) and pin.state
    with pytest.raises(OutputError, match=r"LED: the level before could not be ended \(Zero"):
        led.show(GateState.IDLE)
    assert not pin.state
    led.close()


def test_pins_that_do_not_answer_keep_nobody_waiting(pins, monkeypatch):
    stuck, released = threading.Event(), threading.Event()

    def hang(value):
        stuck.set()
        released.wait(20)

    settings = OutputSettings("led", (27,), states={"alarm": "0.02/0.02"})
    led = PinOutput("LED", settings, pins)
    led.show(GateState.ALARM)
    monkeypatch.setattr(pins.factory.pin(27), "_change_state", hang)
    assert stuck.wait(5)
    with pytest.raises(OutputError, match=r"LED: its pins have not answered for 0\.25 s"):
        led.show(GateState.IDLE)
    released.set()
    led.close()


def test_closing_twice_is_harmless(pins):
    led = PinOutput("LED", OutputSettings("led", (27,)), pins)
    led.close()
    led.close()


def test_a_pin_wanted_twice_is_named_with_both_outputs(pins):
    settings = {"a": OutputSettings("rgb_led", (5, 6, 13)), "b": OutputSettings("led", (13,))}
    with pytest.raises(OutputError, match="outputs a and b are both on GPIO 13"):
        open_outputs(settings, pins)
    with pytest.raises(UsageError, match="pins has 99"):
        OutputSettings("led", (99,))


def test_outputs_are_opened_all_or_none(pins):
    taken = PinOutput("taken", OutputSettings("led", (6,)), pins)
    settings = {"a": OutputSettings("led", (5,)), "b": OutputSettings("traffic_lights", (13, 6, 4))}
    with pytest.raises(OutputError, match=r"b: GPIO 13, 6, 4 cannot be used \(GPIOPinInUse"):
        open_outputs(settings, pins)
    taken.close()
    outputs = open_outputs(settings, pins)
    assert [output.name for output in outputs] == ["a", "b"]


def test_a_level_for_after_the_end_stays_when_gpiozero_gives_back_its_pins(pins):
    settings = OutputSettings("traffic_lights", (5, 6, 13), states={"shutdown": "red"})
    lights = PinOutput("lights", settings, pins)
    red, amber = pins.factory.pin(5), pins.factory.pin(6)
    Outputs([lights]).close()
    pins.factory.close()
    assert (red.function, red.state) == ("output", 1)
    assert (amber.function, amber.pull) == ("input", "down")
    assert lights.history[-1].on


@pytest.mark.parametrize("state", [GateState.SHUTDOWN, GateState.CRASH])
def test_outputs_can_be_settled_behind_a_program_that_ended(pins, state):
    settings = {
        "buzzer": OutputSettings("buzzer", (17,)),
        "lights": OutputSettings("traffic_lights", (5, 6, 13), states={"crash": "red+amber"}),
        "door": OutputSettings("relay", (26,), active_high=False),
    }
    pin = {number: pins.factory.pin(number) for number in (17, 5, 6, 13, 26)}
    crash = state is GateState.CRASH
    assert settle(settings, pins, state) == {
        "buzzer": "off", "lights": "red+amber" if crash else "off", "door": "off",
    }
    assert [bool(p.state) for p in pin.values()] == [False, crash, crash, False, True]


def test_settling_tries_every_output_and_names_those_that_failed(pins):
    taken = PinOutput("taken", OutputSettings("led", (17,)), pins)
    lamp = pins.factory.pin(27)
    settings = {
        "buzzer": OutputSettings("buzzer", (17,)),
        "lamp": OutputSettings("led", (27,), states={"crash": "on"}),
    }
    with pytest.raises(OutputError, match=r"^buzzer: GPIO 17 cannot be used \([^;]*; [^;]*$"):
        settle(settings, pins, GateState.CRASH)
    assert (lamp.function, lamp.state) == ("output", 1)
    taken.close()


def test_only_states_that_need_nobody_can_be_settled(pins):
    with pytest.raises(UsageError, match="state is alarm; outputs are left in: shutdown, crash"):
        settle({}, pins, GateState.ALARM)
