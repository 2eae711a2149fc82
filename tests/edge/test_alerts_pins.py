"""Which pins a machine has, and a Jetson's, which are read back before they are relied upon."""

from __future__ import annotations

import warnings

import gpiozero
import pytest
from gpiozero.pins.mock import MockPWMPin

from edge.alerts import pins as pins_module
from edge.alerts.fakes import FakeJetsonGPIO
from edge.alerts.jetson import JetsonFactory, open_jetson
from edge.alerts.kinds import KINDS
from edge.alerts.pins import Pins, choose_pins
from edge.alerts.player import PinOutput
from edge.alerts.settings import OutputSettings
from edge.errors import OutputError, UsageError
from edge.gate.policy import GateState

HEADER = {name: (12, 13, 22)[: len(kind.pin_names)] for name, kind in KINDS.items()}


@pytest.fixture
def no_factory(monkeypatch):
    """gpiozero as it is before anything was asked of it, put back afterwards."""
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)
    monkeypatch.setattr(gpiozero.Device, "pin_factory", None)


@pytest.fixture
def gpio():
    return FakeJetsonGPIO()


@pytest.fixture
def jetson(gpio):
    return Pins(JetsonFactory(gpio), mock=False, why="test", read_back=True)


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


@pytest.mark.parametrize("options", [{"pretend": True}, {"back_end": "mock"}])
def test_mock_pins_can_be_asked_for_anywhere(no_factory, options):
    pins = choose_pins(**options)
    assert pins.mock and pins.factory.pin_class is MockPWMPin
    assert gpiozero.Device.pin_factory is None


def test_gpiozeros_own_mock_can_drive_every_kind(no_factory, monkeypatch):
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    buzzer = PinOutput("buzzer", OutputSettings("tonal_buzzer", (12,)), choose_pins())
    buzzer.show(GateState.ALARM)
    assert buzzer.history[-1].on
    buzzer.close()


def test_back_ends_are_named_when_there_is_none_of_that_name():
    with pytest.raises(UsageError, match="pins is 'usb'; allowed: auto, gpiozero, jetson, mock"):
        choose_pins(back_end="usb")


@pytest.mark.parametrize("model", ["NVIDIA Jetson Orin Nano Developer Kit", "Jetson-AGX"])
def test_a_jetson_is_known_by_its_model_unless_gpiozero_was_told_otherwise(
    no_factory, tmp_path, monkeypatch, model
):
    (tmp_path / "model").write_text(model + "\0")
    jetson = Pins(object(), False, "a stand-in")
    monkeypatch.setattr(pins_module, "BACK_ENDS", {"jetson": lambda: jetson})
    assert choose_pins(model_file=tmp_path / "model") is jetson
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    assert choose_pins(model_file=tmp_path / "model").mock


def test_a_jetson_without_its_library_is_an_error_that_says_what_to_install():
    with pytest.raises(OutputError, match=r"this Jetson X cannot be used .*install no_such\.gpio"):
        open_jetson("Jetson X", "no_such.gpio")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_works_on_a_jetson(gpio, jetson, kind):
    state = GateState.PASS if kind == "relay" else GateState.ALARM
    output = PinOutput("it", OutputSettings(kind, HEADER[kind]), jetson)
    output.show(state)
    on = [call for call in gpio.calls if call[0] == "ChangeDutyCycle" and call[2] == 50]
    assert on if kind == "tonal_buzzer" else gpio.levels[12] == 1
    output.close()
    assert gpio.OUT not in gpio.directions.values()
    assert output.history == ()


@pytest.mark.parametrize("high", [True, False])
@pytest.mark.parametrize("kind", ["led", "relay", "traffic_lights", "rgb_led", "buzzer"])
def test_a_jetsons_pins_begin_at_their_off_level_and_never_by_chance(gpio, jetson, kind, high):
    settings = OutputSettings(kind, HEADER[kind], active_high=high)
    output = PinOutput("it", settings, jetson)
    begun = [call for call in gpio.calls if call[0] == "setup"]
    assert {call[2:] for call in begun} == {(gpio.OUT, 1 - high)}
    assert all(gpio.levels[pin] == 1 - high for pin in HEADER[kind])
    # A self-test may blink a light; it may not open a door.
    assert (high in gpio.states[12]) is (kind != "relay")
    output.close()


@pytest.mark.parametrize(
    ("kind", "high", "words"),
    [("led", True, "high and reads low"), ("relay", False, "high and reads low")],
)
def test_a_jetsons_pin_that_does_not_follow_is_named_and_given_back(kind, high, words):
    gpio = FakeJetsonGPIO(stuck=[12])
    pins = Pins(JetsonFactory(gpio), mock=False, why="test", read_back=True)
    with pytest.raises(OutputError, match=f"it: GPIO 12 was set {words}"):
        PinOutput("it", OutputSettings(kind, (12,), active_high=high), pins)
    assert gpio.OUT not in gpio.directions.values()


@pytest.mark.parametrize("call", ["input", "output"])
def test_a_library_that_fails_in_the_self_test_is_an_error_that_names_the_pin(
    gpio, jetson, monkeypatch, call
):
    def fails(*_):
        raise OSError(19, "No such device")

    monkeypatch.setattr(gpio, call, fails)
    words = r"it: GPIO 12 cannot be set and read back \(OSError: .*No such device"
    with pytest.raises(OutputError, match=words):
        PinOutput("it", OutputSettings("led", (12,)), jetson)
    assert gpio.OUT not in gpio.directions.values()


@pytest.mark.parametrize(
    ("kind", "pin", "words"),
    [("tonal_buzzer", 17, "PinPWMUnsupported: GPIO17 of this Jetson has no PWM"),
     ("led", 2, "Channel 2 is invalid")],
)
def test_what_a_jetsons_pin_cannot_do_is_said(gpio, jetson, kind, pin, words):
    with pytest.raises(OutputError, match=f"it: GPIO {pin} cannot be used .*{words}"):
        PinOutput("it", OutputSettings(kind, (pin,)), jetson)


def test_a_jetsons_tone_has_its_frequency_and_ends_low(gpio, jetson):
    settings = OutputSettings("tonal_buzzer", (12,), states={"alarm": "A4"})
    buzzer = PinOutput("it", settings, jetson)
    gpio.calls.clear()
    buzzer.show(GateState.ALARM)
    assert gpio.calls == [("PWM", 12, 440.0), ("start", 12, 0), ("ChangeDutyCycle", 12, 50.0)]
    buzzer.show(GateState.IDLE)
    assert ("stop", 12) in gpio.calls and gpio.levels[12] == 0
    buzzer.close()
