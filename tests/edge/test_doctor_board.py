"""The doctor's checks of the board: good, bad, and a board that does not tell."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge.board.power import Brakes, decode_throttled
from edge.doctor.clock import check_clock, check_network_time
from edge.doctor.context import User
from edge.doctor.fakes import NOW, RUNNING, FakePrograms, fake_context
from edge.doctor.power import (
    check_hardware_watchdog,
    check_power,
    check_temperature,
    judge_brakes,
)
from edge.doctor.system import check_groups, check_memory, check_python, check_system, judge_python
from edge.doctor.unit_state import UnitState

BOARDS = Path(__file__).parent / "boards"
NAMES = ("pi3bplus", "pi4", "pi5", "zero2w", "orin-nano")


@pytest.fixture
def programs(tmp_path) -> FakePrograms:
    return FakePrograms(tmp_path / "bin")


@pytest.fixture
def on(programs):
    """The context of a board in a fixture tree, with that tree's vcgencmd if it has one."""

    def context(name: str, **changes):
        told = BOARDS / name / "bin/vcgencmd"
        if told.exists():
            shutil.copy(told, programs.folder / "vcgencmd")
        return fake_context(BOARDS / name, programs, **changes)

    return context


def put(root: Path, path: str, text: str = "") -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


@pytest.mark.parametrize("name", NAMES)
def test_every_supported_board_is_a_good_system_and_is_named(on, name):
    found = check_system(on(name))
    assert found.level == "ok"
    assert "Raspberry Pi" in found.found or "Jetson" in found.found


def test_a_32_bit_system_on_a_64_bit_kernel_is_a_failure(on, programs):
    programs.says("dpkg", "armhf\n")
    found = check_system(on("pi4"))
    assert found.level == "failure"
    assert "armhf" in found.found
    assert "64-bit" in found.advice


@pytest.mark.parametrize(
    ("version", "bits", "level"),
    [
        (("3", "10"), 64, "ok"), (("3", "13"), 64, "ok"), (("3", "9"), 64, "failure"),
        (("3", "14"), 64, "failure"), (("3", "11"), 32, "failure"),
    ],
)
def test_a_python_is_judged_by_version_and_bits(version, bits, level):
    assert judge_python(version, bits).level == level


def test_the_python_of_this_test_is_good(on):
    assert check_python(on("pi4")).level == "ok"


@pytest.mark.parametrize("name", NAMES)
def test_every_supported_board_has_memory_enough(on, name):
    assert check_memory(on(name)).level == "ok"


@pytest.mark.parametrize(
    ("meminfo", "running", "level"),
    [
        ("MemTotal: 4000000 kB\nMemAvailable: 2000000 kB", False, "ok"),
        ("MemTotal: 200000 kB\nMemAvailable: 100000 kB", False, "warning"),
        ("MemTotal: 900000 kB\nMemAvailable: 150000 kB", False, "warning"),
        ("MemTotal: 900000 kB\nMemAvailable: 150000 kB", True, "ok"),
        ("nonsense", False, "skipped"),
    ],
)
def test_memory_is_judged_by_whether_the_gate_has_taken_its_share(
    tmp_path, programs, meminfo, running, level
):
    put(tmp_path, "proc/meminfo", meminfo)
    service = UnitState(RUNNING) if running else UnitState(why="none")
    assert check_memory(fake_context(tmp_path, programs, service=service)).level == level


GROUPS = "root:x:0:\nvideo:x:44:maskgate\ngpio:x:986:maskgate\naudio:x:29:\n"


def devices(root: Path) -> None:
    put(root, "etc/group", GROUPS)
    for name in ("video0", "gpiochip0", "snd/controlC0"):
        put(root, f"dev/{name}")


@pytest.mark.parametrize(
    ("user", "level", "words"),
    [
        (User("root", 0), "ok", "root"),
        (User("pi", 1000, frozenset({"video", "gpio", "audio"})), "ok", "pi is in"),
        (User("pi", 1000, frozenset({"video"})), "warning", "not in gpio, audio"),
    ],
)
def test_rights_to_camera_pins_and_sound_go_by_groups(tmp_path, programs, user, level, words):
    devices(tmp_path)
    found = check_groups(fake_context(tmp_path, programs, user=user))
    assert found.level == level
    assert words in found.found


def test_the_services_user_gets_groups_from_the_unit_too(tmp_path, programs):
    devices(tmp_path)
    user = User("pi", 1000, frozenset({"video", "gpio", "audio"}))
    good = fake_context(tmp_path, programs, user=user, service=UnitState(RUNNING))
    assert check_groups(good).level == "ok"
    bad = UnitState({**RUNNING, "SupplementaryGroups": ""})
    found = check_groups(fake_context(tmp_path, programs, user=user, service=bad))
    assert found.level == "warning"
    assert "usermod -aG audio maskgate" in found.advice


def test_without_devices_no_group_is_wanted(tmp_path, programs):
    put(tmp_path, "etc/group", GROUPS)
    user = User("pi", 1000, frozenset())
    assert check_groups(fake_context(tmp_path, programs, user=user)).level == "skipped"


@pytest.mark.parametrize(
    ("name", "level"), [("pi3bplus", "failure"), ("zero2w", "warning")]
)
def test_a_board_tells_of_its_supply(on, name, level):
    found = check_power(on(name))
    assert found.level == level
    assert found.advice


@pytest.mark.parametrize(
    ("brakes", "level"),
    [
        (Brakes(), "skipped"),
        (decode_throttled(0), "ok"),
        (decode_throttled(0x1), "failure"),
        (decode_throttled(0x10000), "warning"),
        (decode_throttled(0x4), "warning"),
        (Brakes(True, events=(("average over-current", 3),)), "warning"),
    ],
)
def test_brakes_are_judged_by_whether_they_are_on_now(brakes, level):
    assert judge_brakes(brakes).level == level


def test_heat_without_a_supply_at_fault_asks_for_a_cooler():
    assert "cooler" in judge_brakes(decode_throttled(0x8)).advice
    assert "supply" in judge_brakes(decode_throttled(0x10004)).advice


@pytest.mark.parametrize(
    ("millidegrees", "level"),
    [("48000", "ok"), ("76000", "warning"), ("86000", "failure"), ("-256000", "skipped")],
)
def test_heat_is_judged_by_where_boards_slow_down(tmp_path, programs, millidegrees, level):
    put(tmp_path, "sys/class/thermal/thermal_zone0/temp", millidegrees)
    assert check_temperature(fake_context(tmp_path, programs)).level == level


@pytest.mark.parametrize(
    ("state", "period", "level"),
    [
        ("active", "", "ok"), ("inactive", "15s", "ok"), ("inactive", "infinity", "warning"),
        ("inactive", "0", "warning"), (None, "", "skipped"),
    ],
)
def test_a_hardware_watchdog_is_wanted_in_use(tmp_path, programs, state, period, level):
    if state is not None:
        put(tmp_path, "sys/class/watchdog/watchdog0/state", state)
        put(tmp_path, "sys/class/watchdog/watchdog0/identity", "Broadcom BCM2835 Watchdog timer")
    programs.says("systemctl", f"RuntimeWatchdogUSec={period}\n")
    assert check_hardware_watchdog(fake_context(tmp_path, programs)).level == level


@pytest.mark.parametrize(
    ("now", "level"),
    [
        (NOW, "ok"),
        (NOW - timedelta(days=400), "failure"),
        (NOW - timedelta(hours=2), "ok"),
        (datetime(2106, 2, 7, tzinfo=timezone.utc), "failure"),
        (datetime(1970, 1, 1, tzinfo=timezone.utc), "failure"),
    ],
)
def test_a_time_before_maskgate_was_installed_is_wrong(tmp_path, programs, now, level):
    installed = (NOW - timedelta(hours=1)).timestamp()
    ctx = fake_context(tmp_path, programs, now=now, installed=installed)
    assert check_clock(ctx).level == level


@pytest.mark.parametrize(
    ("said", "clock", "level", "words"),
    [
        ("NTP=yes\nNTPSynchronized=yes\n", False, "ok", ""),
        ("NTP=no\nNTPSynchronized=no\n", True, "warning", "set-ntp true"),
        ("NTP=yes\nNTPSynchronized=no\n", False, "warning", "123"),
        (None, False, "skipped", ""),
    ],
)
def test_a_clock_that_nobody_sets_is_a_warning(tmp_path, programs, said, clock, level, words):
    if said is not None:
        programs.says("timedatectl", said)
    if clock:
        put(tmp_path, "sys/class/rtc/rtc0/name", "rpi-rtc")
    found = check_network_time(fake_context(tmp_path, programs))
    assert found.level == level
    assert words in found.advice
