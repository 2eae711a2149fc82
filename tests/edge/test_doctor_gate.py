"""The doctor's checks of pins, sound, models and configuration."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import gpiozero
import pytest
from gpiozero.pins.mock import MockFactory, MockPin, MockPWMPin

from edge.alerts.pins import Pins
from edge.alerts.settings import OutputSettings
from edge.alerts.sound import SoundSettings
from edge.alerts.tones import tone_wav
from edge.config import Config, ModelSettings, examined
from edge.doctor.configuration import check_configuration
from edge.doctor.context import Wishes
from edge.doctor.fakes import RUNNING, FakePrograms, fake_context
from edge.doctor.models import check_models, judged
from edge.doctor.pins import check_pins
from edge.doctor.sound import check_sound
from edge.doctor.unit_state import UnitState
from edge.errors import OutputError
from edge.gate.policy import GateState
from edge.modelfile import released_model
from edge.modelstore.trialrun import Passed

SHOW = Wishes(outputs=True)


@pytest.fixture
def programs(tmp_path) -> FakePrograms:
    return FakePrograms(tmp_path / "bin")


@pytest.fixture
def ctx(tmp_path, programs):
    return fake_context(tmp_path, programs)


# Pins.


def test_pins_on_a_machine_without_any_are_skipped_and_still_tried(ctx):
    pins = Pins(MockFactory(pin_class=MockPWMPin), True, "no pins here")
    found = check_pins(replace(ctx, open_pins=lambda: pins))
    assert (found.level, found.found) == ("skipped", "no pins here, so that none was driven")


def test_a_pin_library_that_litters_the_folder_it_is_loaded_in_leaves_nothing(
    ctx, tmp_path, monkeypatch
):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)

    def littering():
        os.mkfifo(".lgd-nfy0")
        return Pins(MockFactory(pin_class=MockPWMPin), True, "no pins here")

    check_pins(replace(ctx, open_pins=littering))
    assert Path.cwd() == home
    assert not list(home.iterdir())


def real(factory) -> Pins:
    return Pins(factory, False, "MockFactory")


def test_each_pin_is_driven_read_back_and_left_as_an_input_that_is_pulled_off(ctx):
    factory = MockFactory(pin_class=MockPWMPin)
    held = factory.pin(17)
    assert check_pins(replace(ctx, open_pins=lambda: real(factory))).level == "ok"
    assert held.function == "input"
    assert held.pull == "down"
    assert True in [state.state for state in held.states]


class Stuck(MockPin):
    """A pin that something else holds low."""

    def _set_state(self, value):
        super()._set_state(False)


def test_a_pin_that_does_not_follow_is_a_failure_that_names_the_output(ctx):
    found = check_pins(replace(ctx, open_pins=lambda: real(MockFactory(pin_class=Stuck))))
    assert found.level == "failure"
    assert "buzzer: GPIO 17 was set high and reads low" in found.found


def test_a_pin_that_is_taken_is_a_failure(ctx):
    factory = MockFactory(pin_class=MockPWMPin)
    other = gpiozero.LED(27, pin_factory=factory)
    found = check_pins(replace(ctx, open_pins=lambda: real(factory)))
    assert found.level == "failure"
    assert "led: GPIO 27" in found.found
    other.close()


def test_pins_that_cannot_be_opened_at_all_are_a_failure(ctx):
    def broken():
        raise OutputError("the pins of this Raspberry Pi cannot be used (no lgpio)")

    assert "no lgpio" in check_pins(replace(ctx, open_pins=broken)).found


def test_each_output_is_told_and_then_on_for_a_second(ctx):
    outputs = {
        "bell": OutputSettings("buzzer", (17,), max_on_seconds=0.1),
        "lamp": OutputSettings("rgb_led", (5, 6, 13)),
        "door": OutputSettings("relay", (22,), active_high=False),
    }
    factory = MockFactory(pin_class=MockPWMPin)
    told, on = [], []

    def look_at_pins(seconds):
        high = [number for number in (5, 6, 13, 17) if factory.pin(number).state]
        door = [] if factory.pin(22).state else [22]
        on.append((seconds, high or door))

    check_pins(replace(
        ctx, config=Config(outputs=outputs), wishes=SHOW, say=told.append, sleep=look_at_pins,
        open_pins=lambda: real(factory),
    ))
    assert [line.split(",")[0] for line in told] == [
        "now: buzzer bell on GPIO 17", "now: rgb_led lamp on GPIO 5", "now: relay door on GPIO 22"
    ]
    assert sum(seconds for seconds, _ in on) == pytest.approx(3.0)
    assert [numbers for _, numbers in on] == [[17], [5], [6], [13], [22]]


def test_nobody_is_told_to_look_at_pins_that_are_only_pretended(ctx):
    told = []
    found = check_pins(replace(ctx, wishes=SHOW, say=told.append))
    assert told == [] and (found.level, "none was driven" in found.found) == ("skipped", True)


def test_a_relay_is_not_touched_unless_outputs_are_to_be_shown(ctx):
    factory = MockFactory(pin_class=MockPWMPin)
    held = factory.pin(22)
    outputs = {"door": OutputSettings("relay", (22,))}
    check_pins(replace(ctx, config=Config(outputs=outputs), open_pins=lambda: real(factory)))
    assert True not in [state.state for state in held.states]


def test_a_board_whose_pins_are_pretended_is_warned_of(ctx, tmp_path):
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_text("Orange Pi 5\0")
    found = check_pins(ctx)
    assert found.level == "warning"
    assert "ring nothing" in found.found


def test_the_service_keeps_its_pins(ctx):
    found = check_pins(replace(ctx, service=UnitState(RUNNING), wishes=SHOW))
    assert found.level == "skipped"
    assert "--stop-service --outputs" in found.advice


# Sound.

CARDS = "card 0: Headphones [bcm2835 Headphones], device 0: x\n"
DEVICES = "null\n    Discard all samples\ndefault\nplughw:CARD=Headphones,DEV=0\n    x\n"


def sound(ctx, **settings):
    return replace(ctx, config=Config(sound=SoundSettings(enabled=True, **settings)))


def test_sound_that_is_off_is_skipped(ctx):
    assert check_sound(ctx).level == "skipped"


def test_without_aplay_its_package_is_named(ctx):
    assert "alsa-utils" in check_sound(sound(ctx)).advice


@pytest.mark.parametrize(
    ("cards", "device", "level"),
    [
        (CARDS, "default", "ok"), (CARDS, "hw:0,0", "ok"), (CARDS, "speaker", "warning"),
        ("", "default", "failure"),
    ],
)
def test_a_card_and_a_listed_device_are_wanted(ctx, programs, cards, device, level):
    programs.says("aplay", cards, when="-l")
    programs.says("aplay", DEVICES, when="-L")
    assert check_sound(sound(ctx, device=device)).level == level


def test_own_files_are_looked_into(ctx, programs, tmp_path):
    programs.says("aplay", CARDS, when="-l")
    programs.says("aplay", DEVICES, when="-L")
    (tmp_path / "alarm.wav").write_bytes(tone_wav(GateState.ALARM, 0.5))
    good = check_sound(sound(ctx, folder=str(tmp_path)))
    assert good.level == "ok"
    assert "alarm is alarm.wav; pass has a tone" in good.found
    (tmp_path / "pass.wav").write_bytes(b"ID3 no wav")
    bad = check_sound(sound(ctx, folder=str(tmp_path)))
    assert bad.level == "warning"
    assert "but MP3" in bad.found


def test_a_tone_is_played_when_outputs_are_to_be_heard(ctx, programs, monkeypatch):
    programs.says("aplay", CARDS, when="-l")
    programs.says("aplay", DEVICES, when="-L")
    programs.says("aplay", when="--quiet *")
    monkeypatch.setenv("PATH", str(programs.folder))
    found = check_sound(replace(sound(ctx), wishes=SHOW))
    assert found.level == "ok"
    assert any("--device=default" in call for call in programs.calls)


# Models.


def test_the_released_models_compute_right_on_this_machine(ctx):
    found = check_models(ctx)
    assert found.level == "ok"
    assert "face-detector" in found.found
    assert "mask-classifier" in found.found


@pytest.mark.parametrize(
    ("runtime", "level"), [("litert 2 (XNNPACK)", "ok"), ("litert 2 (without XNNPACK)", "warning")]
)
def test_slow_kernels_are_warned_of(runtime, level):
    found = judged("mask-classifier 3", Passed(0, runtime))
    assert found.level == level
    assert runtime in found.found


def test_a_damaged_model_is_a_failure(ctx, tmp_path):
    content = bytearray(released_model("mask-classifier").read_bytes())
    content[len(content) // 3] ^= 0xFF
    path = tmp_path / "broken.tflite"
    path.write_bytes(content)
    config = Config(models=ModelSettings(classifier=str(path)))
    found = check_models(replace(ctx, config=config))
    assert found.level == "failure"
    assert "broken.tflite" in found.found


def test_a_damaged_memory_of_the_store_is_a_failure(ctx, tmp_path):
    state = tmp_path / "var/lib/maskgate/models/state.json"
    state.parent.mkdir(parents=True)
    state.write_text("{")
    found = check_models(ctx)
    assert found.level == "failure"
    assert "state.json is damaged" in found.found


# The configuration.


def configured(ctx, path, text):
    path.write_text(text)
    config, problems = examined(path)
    return replace(ctx, config=config, problems=problems, config_file=path)


def test_defaults_are_right(ctx):
    assert check_configuration(ctx).level == "ok"


def test_every_mistake_in_the_file_is_told(ctx, tmp_path):
    bad = configured(ctx, tmp_path / "gate.toml", "[alarm]\nmax_seconds = -1\n[camra]\nx = 1\n")
    found = check_configuration(bad)
    assert found.level == "failure"
    assert "max_seconds" in found.found
    assert "camra" in found.found


@pytest.mark.parametrize(("mode", "level"), [(0o644, "warning"), (0o640, "ok")])
def test_a_password_that_everybody_may_read_is_a_warning(ctx, tmp_path, mode, level):
    path = tmp_path / "gate.toml"
    one = configured(ctx, path, '[camera]\nsource = "rtsp://a:b@cam/1"\n')
    path.chmod(mode)
    assert check_configuration(one).level == level
