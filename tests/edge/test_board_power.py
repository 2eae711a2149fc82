"""Under-voltage, throttling, watts, memory and what else is running."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.board.load import Process, Ticks, busy_processes, read_ticks
from edge.board.memory import read_own_memory
from edge.board.power import (
    Brakes,
    Draw,
    PowerMeter,
    brakes_lines,
    decode_throttled,
    pmic_watts,
    power_of,
    read_brakes,
    read_draw,
)

BOARDS = Path(__file__).parent / "boards"


def on_path(monkeypatch, name: str) -> Path:
    monkeypatch.setenv("PATH", str(BOARDS / name / "bin"))
    return BOARDS / name


@pytest.mark.parametrize(
    ("value", "now", "since_boot"),
    [
        (0x0, (), ()),
        (0x1, ("under-voltage",), ()),
        (0x2, ("frequency capped",), ()),
        (0x4, ("throttled",), ()),
        (0x8, ("soft temperature limit",), ()),
        (0x10000, (), ("under-voltage",)),
        (0x80000, (), ("soft temperature limit",)),
        (0x50005, ("under-voltage", "throttled"), ("under-voltage", "throttled")),
        (0xE0000, (), ("frequency capped", "throttled", "soft temperature limit")),
        (0xFFF0, (), ()),
    ],
)
def test_each_bit_has_its_meaning(value, now, since_boot):
    assert decode_throttled(value) == Brakes(True, now, since_boot)


@given(st.integers(0, 2**32 - 1))
def test_as_many_words_as_bits_that_mean_something(value):
    brakes = decode_throttled(value)
    assert len(brakes.now) + len(brakes.since_boot) == (value & 0xF000F).bit_count()


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("pi3bplus", ("under-voltage now",)),
        ("pi4", ("under-voltage now", "throttled now")),
        ("pi5", ()),
        ("zero2w", ("soft temperature limit now",)),
        (
            "orin-nano",
            (
                "average over-current: 15 times since the start",
                "momentary over-current: 37 times since the start",
            ),
        ),
    ],
)
def test_every_board_tells_of_its_brakes_in_its_own_way(monkeypatch, name, lines):
    brakes = read_brakes(on_path(monkeypatch, name))
    assert brakes.known
    assert brakes_lines(brakes) == lines


def test_a_board_that_does_not_tell_is_not_called_healthy(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not read_brakes(tmp_path).known


@pytest.mark.parametrize("answer", ["", "throttled=", "throttled=0xZZ", "VCHI failed", "\0"])
def test_a_tool_that_answers_nonsense_is_unknown(tmp_path, answer):
    assert not read_brakes(tmp_path, lambda command: answer).known


@pytest.mark.parametrize(
    ("name", "what", "watts"),
    [
        ("pi5", "rails of the power chip, without USB", 1.901),
        ("orin-nano", "whole module (VDD_IN)", 9.310),
    ],
)
def test_a_board_that_measures_its_power_tells_it(monkeypatch, name, what, watts):
    draw = read_draw(on_path(monkeypatch, name))
    assert draw is not None
    assert (draw.what, draw.watts) == (what, pytest.approx(watts, abs=1e-3))


@pytest.mark.parametrize("name", ["pi3bplus", "pi4", "zero2w"])
def test_a_board_that_cannot_measure_its_power_tells_none(monkeypatch, name):
    assert read_draw(on_path(monkeypatch, name)) is None


def test_a_rail_without_a_current_is_not_counted():
    assert pmic_watts("VDD_A current(1)=2.0A\nVDD_V volt(2)=1.5V\nEXT5V_V volt(24)=5.1V") == 3.0
    assert pmic_watts("EXT5V_V volt(24)=5.1V") is None


def test_joules_are_summed_over_the_packages_of_a_pc(tmp_path):
    for number, name, joules in ((0, "package-0", 7), (1, "package-1", 5), (2, "psys", 100)):
        zone = tmp_path / f"sys/class/powercap/intel-rapl:{number}"
        zone.mkdir(parents=True)
        (zone / "name").write_text(name)
        (zone / "energy_uj").write_text(f"{joules}000000\n")
    draw = read_draw(tmp_path, lambda command: None)
    assert draw is not None
    assert draw.joules == pytest.approx(12.0)


def test_a_counter_of_joules_gives_the_mean_watts_between_two_readings():
    draws = iter([Draw("x", joules=100.0), Draw("x", joules=160.0)])
    times = iter([10.0, 40.0])
    meter = PowerMeter(lambda: next(draws), lambda: next(times))
    assert meter.mean() == Draw("x", watts=2.0)


def test_a_counter_that_ran_over_gives_no_watts():
    draws = iter([Draw("x", joules=100.0), Draw("x", joules=1.0)])
    times = iter([10.0, 40.0])
    assert PowerMeter(lambda: next(draws), lambda: next(times)).mean() is None


def test_watts_of_moments_are_averaged():
    draws = iter([Draw("x", watts=w) for w in (9.0, 1.0, 3.0)])
    meter = PowerMeter(lambda: next(draws), lambda: 0.0)
    meter.sample()
    meter.sample()
    assert meter.mean() == Draw("x", watts=2.0)


def test_a_machine_without_a_meter_gives_no_watts():
    meter = PowerMeter(lambda: None, lambda: 0.0)
    meter.sample()
    assert meter.mean() is None


def test_watts_are_read_beside_the_work():
    asked = []

    def read() -> Draw:
        asked.append(1)
        return Draw("x", watts=4.0)

    assert power_of(lambda: time.sleep(0.001), 0.2, read, every=0.01) == Draw("x", watts=4.0)
    assert len(asked) > 2
    assert power_of(lambda: None, 0.01, lambda: None) is None


def test_own_memory_is_known_and_its_peak_is_no_less():
    own = read_own_memory()
    assert own.resident is not None
    assert own.peak is not None
    assert own.peak >= own.resident > 1


def test_whoever_took_more_than_a_fifth_of_a_core_is_named_busiest_first():
    before = Ticks(10.0, {(1, "idle"): 5.0, (2, "train"): 7.0, (3, "backup"): 1.0})
    after = Ticks(
        20.0, {(1, "idle"): 5.5, (2, "train"): 17.0, (3, "backup"): 4.0, (4, "new"): 9.0}
    )
    assert busy_processes(before, after) == (
        Process("train", 2, 1.0), Process("backup", 3, pytest.approx(0.3))
    )


def test_no_time_between_two_readings_names_nobody():
    ticks = Ticks(10.0, {(1, "a"): 5.0})
    assert busy_processes(ticks, ticks) == ()


def test_a_process_with_brackets_in_its_name_is_read(tmp_path):
    folder = tmp_path / "proc/4242"
    folder.mkdir(parents=True)
    numbers = " ".join(["0"] * 10 + ["300", "200"] + ["0"] * 20)
    (folder / "stat").write_text(f"4242 (a) b (c) S {numbers}\n")
    ticks = read_ticks(tmp_path, lambda: 1.0)
    assert list(ticks.seconds) == [(4242, "a) b (c")]
    assert sum(ticks.seconds.values()) > 0
