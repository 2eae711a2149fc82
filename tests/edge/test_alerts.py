"""Every output has a level for every state, a limit, and is off at the end."""

from __future__ import annotations

import time
import warnings

import gpiozero
import pytest

from edge.alerts.gpio import PinOutput, Pins, buzzer_and_led, choose_pins
from edge.alerts.outputs import BEEPS, BUZZER, LED, OFF, STEADY, Outputs, Pattern
from edge.errors import OutputError, UsageError
from edge.gate.policy import GateState


@pytest.fixture
def pins(mock_pins):
    return Pins(mock_pins, mock=True, why="test")


@pytest.fixture
def no_factory(monkeypatch):
    """gpiozero as it is before anything was asked of it, put back afterwards."""
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)
    monkeypatch.setattr(gpiozero.Device, "pin_factory", None)


@pytest.mark.parametrize("table", [BUZZER, LED])
def test_every_state_has_a_pattern(table):
    assert set(table) == set(GateState)


@pytest.mark.parametrize(
    ("state", "buzzer_on", "led_on"),
    [
        (GateState.IDLE, False, False),
        (GateState.LOOKING, False, False),
        (GateState.PASS, False, False),
        (GateState.ALARM, True, True),
        (GateState.CAMERA_FAULT, False, True),
    ],
)
def test_pins_follow_the_state(pins, state, buzzer_on, led_on):
    buzzer, led = buzzer_and_led(pins, buzzer_pin=17, led_pin=27)
    with Outputs([buzzer, led]) as outputs:
        outputs.show(state)
        time.sleep(0.03)
    assert any(change.on for change in buzzer.history) is buzzer_on
    assert any(change.on for change in led.history) is led_on
    assert not buzzer.history[-1].on and not led.history[-1].on


@pytest.mark.parametrize(
    ("pattern", "limit", "expected"),
    [
        (OFF, 60, (0, 0, 0)),
        (STEADY, 60, (60, 0, 1)),
        (BEEPS, 2, (0.25, 0.25, 4)),
        (Pattern(5, 5), 60, (5, 5, 6)),
        (Pattern(90, 1), 60, (60, 1, 1)),
    ],
)
def test_a_pattern_is_over_within_the_limit(pattern, limit, expected):
    on, off, repeats = pattern.times(limit)
    assert (on, off, repeats) == expected
    assert repeats * on + max(0, repeats - 1) * off <= limit


def test_nothing_stays_on_past_its_limit_even_if_nobody_says_off(pins):
    led = PinOutput("LED", gpiozero.LED, 27, LED, pins, max_on_seconds=0.05)
    led.show(GateState.ALARM)
    deadline = time.monotonic() + 5
    while len(led.history) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [change.on for change in led.history] == [False, True, False]
    assert 0.04 < led.history[2].seconds - led.history[1].seconds < 1
    led.close()


@pytest.mark.parametrize("state", list(GateState))
def test_quiet_hours_silence_the_buzzer_and_never_the_light(pins, state):
    with Outputs(buzzer_and_led(pins, buzzer_pin=17, led_pin=27)) as outputs:
        buzzer, led = outputs.outputs
        outputs.show(state, muted=True)
        time.sleep(0.03)
        assert not any(change.on for change in buzzer.history)
        assert led.history[-1].on == (LED[state].on_seconds > 0)


def test_an_alarm_is_heard_as_soon_as_quiet_hours_end(pins):
    with Outputs(buzzer_and_led(pins, buzzer_pin=17, led_pin=27)) as outputs:
        outputs.show(GateState.ALARM, 1.0, muted=True)
        outputs.show(GateState.ALARM, 1.0, muted=False)
        time.sleep(0.03)
        assert outputs.outputs[0].history[-1].on


def test_everything_is_off_after_an_exception(pins):
    devices = buzzer_and_led(pins, buzzer_pin=17, led_pin=27)
    with pytest.raises(ZeroDivisionError), Outputs(devices) as outputs:
        outputs.show(GateState.ALARM)
        raise ZeroDivisionError
    assert all(not device.history[-1].on for device in devices)


class Broken:
    name = "siren"

    def show(self, state, muted=False):
        raise RuntimeError("no power")

    def close(self):
        raise RuntimeError("no power")


def test_a_broken_output_keeps_no_other_from_working(pins):
    led = PinOutput("LED", gpiozero.LED, 27, LED, pins)
    outputs = Outputs([Broken(), led])
    with pytest.raises(OutputError, match=r"siren: cannot show .*no power"):
        outputs.show(GateState.ALARM)
    time.sleep(0.03)
    assert led.history[-1].on
    with pytest.raises(OutputError, match="siren: cannot switch off"):
        outputs.close()
    assert not led.history[-1].on


def test_closing_twice_is_harmless(pins):
    led = PinOutput("LED", gpiozero.LED, 27, LED, pins)
    led.close()
    led.close()


@pytest.mark.parametrize(("buzzer", "led"), [(17, 17), (17, 99)])
def test_a_pin_that_cannot_be_used_is_named(pins, buzzer, led):
    with pytest.raises(OutputError, match=f"GPIO {led}"):
        buzzer_and_led(pins, buzzer_pin=buzzer, led_pin=led)
    # What was set up before the failure is free again.
    buzzer_and_led(pins, buzzer_pin=17, led_pin=27)


def test_a_pattern_below_zero_is_refused():
    with pytest.raises(UsageError, match=r"-1 s on"):
        Pattern(-1, 0)


def test_a_machine_without_pins_gets_mock_pins_that_say_so_and_no_noise(no_factory, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pins = choose_pins(model_file=tmp_path / "absent")
    if not pins.mock:
        pytest.skip("this machine has real pins")
    assert "no GPIO pins" in pins.why


def test_a_board_whose_pins_do_not_work_is_an_error_not_a_mock(no_factory, tmp_path, monkeypatch):
    def fails():
        raise gpiozero.BadPinFactory("Unable to load any default pin factory!")

    monkeypatch.setattr(gpiozero.Device, "ensure_pin_factory", staticmethod(fails))
    model = tmp_path / "model"
    model.write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    with pytest.raises(OutputError, match=r"Raspberry Pi 5 Model B Rev 1\.0 cannot be used"):
        choose_pins(model_file=model)


def test_a_pin_factory_that_was_asked_for_is_used_or_fails(no_factory, monkeypatch):
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    assert choose_pins().mock
    monkeypatch.setattr(gpiozero.Device, "pin_factory", None)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "nonsense")
    with pytest.raises(OutputError, match="GPIOZERO_PIN_FACTORY is 'nonsense'"):
        choose_pins()


def test_mock_pins_can_be_asked_for_anywhere(no_factory):
    assert choose_pins(pretend=True).mock
    assert gpiozero.Device.pin_factory is None


def test_a_new_offender_starts_the_outputs_limits_anew():
    shown = []

    class Light:
        name = "light"

        def show(self, state, muted=False):
            shown.append(state)

    outputs = Outputs([Light()])
    for since in (0.0, 0.0, 9.0, 9.0):
        outputs.show(GateState.ALARM, since)
    assert shown == [GateState.ALARM] * 2
