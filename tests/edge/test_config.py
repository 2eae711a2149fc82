"""The configuration: what a file may say, and one clear line where it may not."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from edge.config import (
    Config,
    changed,
    decision_settings,
    default_config,
    examined,
    overridden,
    policy_settings,
    read_config,
    reread,
)
from edge.config_show import HIDDEN, differences, effective_text, without_secret
from edge.errors import EXIT_USAGE, UsageError
from edge.gate.decision import DecisionSettings
from edge.gate.policy import PolicySettings


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write a configuration; return its path, ``gate.toml``."""
    monkeypatch.chdir(tmp_path)

    def write(content: str | bytes) -> str:
        content = content.encode() if isinstance(content, str) else content
        (tmp_path / "gate.toml").write_bytes(content)
        return "gate.toml"

    return write


def complaint(path) -> str:
    """Return the one line that reading *path* ends with."""
    with pytest.raises(UsageError) as caught:
        read_config(path)
    assert caught.value.exit_code == EXIT_USAGE
    (line,) = str(caught.value).splitlines()
    return line


def test_an_empty_file_is_the_defaults(written):
    assert read_config(written("")) == default_config() == Config()


def test_a_file_says_only_what_differs(written):
    config = read_config(written('[alarm]\nmax_seconds = 60\n[people]\nmin_face = "8%"\n'))
    assert (config.alarm.max_seconds, config.people.min_face) == (60.0, "8%")
    assert isinstance(config.alarm.max_seconds, float)
    assert changed(default_config(), config) == {"alarm", "people"}


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b"\r\n# 22:00 \xe2\x80\x93 07:00\r\n"])
def test_files_of_other_editors_are_read(written, start):
    assert read_config(written(start + b"[alarm]\r\nmax_seconds = 60\r\n")).alarm.max_seconds == 60


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("alarm.max_seconds = 0", "alarm.max_seconds is 0; allowed: 1 to 3600"),
        ("alarm.max_seconds = nan", "alarm.max_seconds is nan; allowed: a number such as 30.0"),
        ("alarm.max_seconds = inf", "alarm.max_seconds is inf; allowed: 1 to 3600"),
        ('alarm.max_seconds = "soon"',
         'alarm.max_seconds is "soon"; allowed: a number such as 30.0'),
        ("alarm.maxseconds = 1", "unknown key alarm.maxseconds; did you mean max_seconds?"),
        ("alarm.Max-Seconds = 1", "unknown key alarm.Max-Seconds; did you mean max_seconds?"),
        ("camera.zone = 1", "unknown key camera.zone; did you mean people.zone?"),
        ("max_alarm = 1", "unknown key max_alarm; allowed: [camera], [models], [people]"),
        ("threads = 2", "unknown key threads; did you mean models.threads?"),
        ("[alarms]", "unknown section [alarms]; did you mean [alarm]?"),
        ("alarm = 3", "alarm is 3; allowed: a section, [alarm]"),
        ("[[alarm]]", "alarm is a list; allowed: a section, [alarm]"),
        ("camera.wait = 1", "camera.wait is 1; allowed: true or false"),
        ("camera.source = 0", 'camera.source is 0; allowed: a text in quotes such as "demo:"'),
        ('camera.source = "warp:9"', "camera.source 'warp:9': the scheme 'warp' is not known"),
        ('camera.source = ""', "camera.source '' is empty; allowed: a path"),
        ('camera.source = "demo:?fps=abc"', "camera.source 'demo:?fps=abc': fps is 'abc'; allowed"),
        ('camera.source = "csi://x"', "camera.source 'csi://x': 'x' is no camera; allowed: csi://"),
        ('camera.source = "v4l2:///dev/video9?width=1"', "camera.source 'v4l2:///dev/video9?width"),
        ('camera.source = "picamera2://0?exposure=x"', "camera.source 'picamera2://0?exposure=x'"),
        ('camera.source = "rtsp://host:99999/x"', "camera.source rtsp: names no host; write"),
        ('camera.source = "demo:?scenes=x"', "camera: demo: scenes ['x'] must be one or more of"),
        ("models.threads = true", "models.threads is true; allowed: a whole number"),
        ("models.threads = 1.5", "models.threads is 1.5; allowed: a whole number"),
        ("models.threads = 99", "models.threads is 99; allowed: 0 to 16"),
        ("models.detail = 0.5", "models.detail is 0.5; allowed: 1 to 4"),
        ("models.detail = 5", "models.detail is 5; allowed: 1 to 4"),
        (f"models.threads = 0x{'f' * 5000}", "models.threads is a very large number; allowed"),
        ("people.min_face = 20", 'people.min_face is 20; allowed: a text in quotes such as "20"'),
        ('people.min_face = "5"', "people.min_face is '5'; allowed: 8 to 2000 pixels"),
        ('people.zone = "0,0,2,1"', "people.zone: the zone's corner 2,0 is outside the picture"),
        ("people.zone = [0, 0, 1, 1]", "people.zone is a list; allowed: a text in quotes"),
        ('alarm.quiet_hours = "late"', "alarm.quiet_hours: quiet hours are 'late'; allowed: HH:MM"),
        ("alarm.quiet_hours = 22:00:00", "alarm.quiet_hours is 22:00:00; allowed: a text in"),
        ("decision.miss_rate = 0.0800001", "decision.miss_rate is 0.0800001; allowed: 0.0001 to"),
        ("service.hang_seconds = 0", "service.hang_seconds is 0"),
        ("outputs.led.pins = [27]", "outputs.led.kind is missing"),
        ('outputs.led = { kind = "lamp", pins = [27] }', "outputs.led.kind is 'lamp'; allowed"),
        ('outputs.led = { kind = "led", pins = [40] }', "outputs.led.pins has 40; allowed: BCM"),
        ('outputs.led = { kind = "led", pins = 27 }',
         "outputs.led.pins is 27; allowed: a list [...] of which each is a whole number"),
        ('outputs.led = { kind = "led", pins = [27], states = { alarm = "loud" } }',
         "outputs.led.states: alarm: "),
        ('outputs.led = { kind = "led", pins = [5.0] }',
         "outputs.led.pins[0] is 5.0; allowed: a whole number"),
        ('outputs.led = { kind = "led", pins = [27], states = { idle = 3 } }',
         "outputs.led.states.idle is 3; allowed: a text in quotes"),
        ("outputs.led = 27", "outputs.led is 27; allowed: a section, [outputs.NAME]"),
        ("[outputs]", "outputs is an empty section; allowed: one [outputs.NAME] or more, or leave"),
        ("outputs = 27", "outputs is 27; allowed: a section, [outputs.NAME]"),
        ('outputs."my led" = { kind = "led", pins = [27] }', "outputs has the name 'my led'"),
        ('outputs = { a = { kind = "led", pins = [2] }, b = { kind = "led", pins = [2] } }',
         "outputs a and b are both on GPIO 2; give each pins of its own"),
        ('pictures.show = "all"', "pictures.show is 'all'; allowed: face or frame"),
        ("pictures.verdicts = [1]", "pictures.verdicts[0] is 1; allowed: a text in quotes"),
        ('updates.keys = ["x"]', "updates"),
        ('updates.folder = "a\\u0000b"', "updates.folder holds a NUL, \\u0000; allowed: a text"),
        ('updates.keys = ["\\u0000"]', "updates.keys holds a NUL"),
        ("a = 1\nb = [1,\n", "is not TOML: Invalid value (at the end, line 3)"),
        ("a = 1\nb = = 2", "is not TOML: Invalid value (at line 2, column 5)"),
        ("[alarm]\n[alarm]", "is not TOML: Cannot declare ('alarm',) twice (at line 2, column 7)"),
        (f"a = {'1' * 5000}\nb", "is not TOML: "),
        (f"a = {'[' * 20_000}", "has brackets within brackets, too deep"),
        (b"a = 1\nb = '\xe9'", "is not UTF-8 text (line 2); save it as UTF-8"),
        (b"#" * 1_000_001, "is larger than 1 MB, so it is no configuration"),
    ],
)
def test_a_mistake_is_one_line_with_file_key_value_and_what_is_allowed(written, content, says):
    assert complaint(written(content)).startswith(f"gate.toml: {says}")


def test_what_is_allowed_is_the_whole_range(written):
    for value in (0.0001, 0.08):
        file = written(f"decision = {{ false_alarm_rate = {value}, miss_rate = {value} }}")
        config = read_config(file)
        settings = decision_settings(config, min_score=0.5, priors=(0.4, 0.4, 0.2))
        assert settings.clip < min(settings.alarm_bound, settings.pass_bound)


def test_all_mistakes_are_found_and_counted(written):
    path = written(
        '[alarm]\nmax_seconds = 0\ncool_down_seconds = -1\nquiet_hours = "late"\nloud = true\n'
        '[camera]\nsorce = "demo:"\nwait = "yes"\n'
    )
    config, problems = examined(path)
    assert config is None
    keys = [line.split(": ", 1)[1].split(":")[0].split(" is ")[0] for line in problems]
    assert keys == [
        "unknown key alarm.loud; allowed", "alarm.max_seconds", "alarm.cool_down_seconds",
        "alarm.quiet_hours", "unknown key camera.sorce; did you mean source?", "camera.wait",
    ]
    assert complaint(path).endswith("(and 5 more: 'maskgate config check' tells them all)")


def test_a_file_of_another_kind_is_given_up_soon(written):
    problems = examined(written("\n".join(f"key{i} = 1" for i in range(20_000))))[1]
    assert len(problems) == 50


def test_a_value_as_long_as_the_file_is_not_repeated(written):
    line = complaint(written(f'[people]\nzone = "{"x" * 100_000}"'))
    assert len(line) < 700 and line.startswith("gate.toml: people.zone") and "0.2,0,0.8,1" in line


def test_no_control_character_of_a_file_gets_into_a_message(written):
    line = complaint(written('"a\\u001b[31m\\nb" = 1\n'))
    assert line.isprintable()


def test_what_is_no_file_is_told_so(tmp_path):
    assert "no such configuration; 'maskgate config default'" in complaint(tmp_path / "absent")
    assert "is a folder; name the file in it" in complaint(tmp_path)
    assert "Not a directory" in complaint("/dev/null/gate.toml")
    assert "is a pipe or a device" in complaint("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    assert "is a pipe or a device" in complaint(tmp_path / "pipe")
    assert "cannot be read" in complaint("a\0b")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told_so(tmp_path):
    (tmp_path / "gate.toml").touch(mode=0)
    assert "cannot be read: Permission denied" in complaint(tmp_path / "gate.toml")


def test_flags_go_before_the_file(written):
    config = read_config(written('[alarm]\nmax_seconds = 60\n[people]\nzone = "0,0,0.5,1"\n'))
    options = {"max_alarm": 90.0, "zone": None, "threads": 2, "wait_for_camera": True, "json": 1}
    after = overridden(config, options)
    assert (after.alarm.max_seconds, after.models.threads, after.camera.wait) == (90.0, 2, True)
    assert after.people == config.people
    assert overridden(config, dict.fromkeys(options)) == config


def test_two_flags_may_swap_the_pins():
    config = overridden(default_config(), {"buzzer_pin": 27, "led_pin": 17})
    assert (config.outputs["buzzer"].pins, config.outputs["led"].pins) == ((27,), (17,))
    assert default_config().outputs["led"].pins == (27,)
    with pytest.raises(UsageError, match=r"^--led-pin: outputs buzzer and led are both on GPIO 17"):
        overridden(default_config(), {"led_pin": 17})


def test_a_flag_for_an_output_that_is_not_there_is_refused(written):
    config = read_config(written('outputs.lamp = { kind = "led", pins = [5] }'))
    assert set(config.outputs) == {"lamp"}
    with pytest.raises(UsageError, match=r"--led-pin is given, but .* has no \[outputs.led\]"):
        overridden(config, {"led_pin": 17})


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("min_face", "5", "--min-face is '5'; allowed: 8 to 2000 pixels"),
        ("zone", "0,0,2,1", "--zone: the zone's corner 2,0 is outside the picture"),
        ("zone", "", "--zone is empty and cannot be read"),
        ("quiet_hours", "late", "--quiet-hours: quiet hours are 'late'; allowed: HH:MM-HH:MM"),
        ("max_alarm", 0, "--max-alarm is 0; allowed: 1 to 3600"),
        ("cool_down", 4000, "--cool-down is 4000; allowed: 0 to 3600"),
        ("source", "warp:9", "--source 'warp:9': the scheme 'warp' is not known"),
    ],
)
def test_a_wrong_flag_is_called_by_its_own_name(option, value, says):
    with pytest.raises(UsageError) as caught:
        overridden(default_config(), {option: value})
    assert str(caught.value).startswith(says)


def test_the_defaults_are_those_of_the_rooms():
    config = default_config()
    assert policy_settings(config) == PolicySettings()
    settings = decision_settings(config, min_score=0.5, priors=(1 / 3, 1 / 3, 1 / 3))
    assert settings == DecisionSettings()


def test_people_and_alarm_become_the_policy(written):
    config = read_config(written(
        '[people]\nmin_face = "10%"\nzone = "0,0,0.5,1"\n'
        '[alarm]\nquiet_hours = "22:00-07:00"\ncool_down_seconds = 9\n'
    ))
    policy = policy_settings(config)
    assert (policy.min_face_share, policy.cool_down_seconds) == (0.1, 9.0)
    assert policy.zone is not None and policy.zone.area == pytest.approx(0.5)
    assert policy.quiet_hours is not None


def test_a_new_file_is_taken_and_the_changed_sections_are_named(written):
    current = overridden(default_config(), {"threads": 2})
    path = written("[alarm]\nmax_seconds = 60\n[models]\nthreads = 4\n")
    again = reread(path, current, {"threads": 2})
    assert again.error == "" and again.changed == {"alarm"}
    assert (again.config.alarm.max_seconds, again.config.models.threads) == (60.0, 2)
    assert reread(path, again.config, {"threads": 2}).changed == frozenset()


@pytest.mark.parametrize("content", ["[alarm]\nmax_seconds = 0\n", "[alarm\n", b"\xff"])
def test_a_broken_new_file_keeps_the_old_settings(written, content):
    current = replace(default_config(), alarm=replace(default_config().alarm, max_seconds=60.0))
    again = reread(written(content), current)
    assert again.config is current and again.changed == frozenset()
    assert again.error.startswith("gate.toml: ") and len(again.error.splitlines()) == 1


def test_a_new_file_that_is_gone_keeps_the_old_settings(tmp_path):
    again = reread(tmp_path / "gate.toml", default_config())
    assert again.config == default_config() and "no such configuration" in again.error


def test_differences_name_key_value_and_default(written):
    config = read_config(written("[alarm]\nmax_seconds = 60\n[camera]\nwait = true\n"))
    assert differences(config) == (
        "camera.wait = true (default: false)", "alarm.max_seconds = 60.0 (default: 30.0)",
    )
    assert differences(default_config()) == ()


def test_what_is_shown_holds_no_password(written):
    config = read_config(written('[camera]\nsource = "rtsp://me:hush@host:554/a@b?key=hush"\n'))
    for text in (effective_text(config), *differences(config)):
        assert "hush" not in text
    assert f"rtsp://{HIDDEN}@" in effective_text(config)
    assert "me:hush" in effective_text(config, secrets=True)


@pytest.mark.parametrize(
    "content",
    [
        'camera.source = "rtsps://user:geheim@10.0.0.1/live"',
        'camera.source = "http://user:geheim@host/x"',
        'camera = "rtsp://user:geheim@host/x"',
    ],
)
def test_no_mistake_tells_a_camera_s_password(written, content):
    assert "geheim" not in complaint(written(content))


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rtsp://user:pa?geheim@host/path", f"rtsp://{HIDDEN}@host/path"),
        ("rtsp://user:pa/geheim@host/path?x=1", f"rtsp://{HIDDEN}@host/path"),
        ("rtsp://host/path?token=geheim", "rtsp://host/path"),
        ("rtsp://host/path?mail=a@geheim", "rtsp://host/path"),
    ],
)
def test_a_shown_source_tells_no_camera_s_password(source, shown):
    assert without_secret("camera.source", source) == shown


def test_a_value_that_is_refused_is_not_missing_too(written):
    _, problems = examined(written('[mqtt]\nenabled = true\nhost = "bro ker"\n'))
    assert len(problems) == 1 and "mqtt.host is 'bro ker'" in problems[0]
