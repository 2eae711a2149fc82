"""What a board says of itself, from trees of the files that real boards have."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.board.facts import board_rows, read_board, read_condition, read_heat
from edge.board.reading import read_number, read_table, read_text, run_command
from edge.board.surroundings import read_surroundings

BOARDS = Path(__file__).parent / "boards"
NAMES = ("pi3bplus", "pi4", "pi5", "zero2w", "orin-nano")


@pytest.fixture
def board_of(monkeypatch):
    """Read the board in a fixture tree, with that tree's vcgencmd, if any, alone on the PATH."""

    def read(name: str):
        monkeypatch.setenv("PATH", str(BOARDS / name / "bin"))
        return read_board(BOARDS / name)

    return read


@pytest.mark.parametrize(
    ("name", "model", "soc", "cpu", "cores", "mhz", "mebibytes"),
    [
        ("pi3bplus", "Raspberry Pi 3 Model B Plus Rev 1.3", "bcm2837", "Cortex-A53", 4, 1400, 909),
        ("pi4", "Raspberry Pi 4 Model B Rev 1.4", "bcm2711", "Cortex-A72", 4, 1800, 3794),
        ("pi5", "Raspberry Pi 5 Model B Rev 1.0", "bcm2712", "Cortex-A76", 4, 2400, 8063),
        ("zero2w", "Raspberry Pi Zero 2 W Rev 1.0", "bcm2837", "Cortex-A53", 4, 1000, 427),
        (
            "orin-nano", "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
            "tegra234", "Cortex-A78AE", 6, 1728, 7620,
        ),
    ],
)
def test_a_board_says_what_it_is(board_of, name, model, soc, cpu, cores, mhz, mebibytes):
    board = board_of(name)
    assert (board.model, board.soc, board.cpu, board.cores) == (model, soc, cpu, cores)
    assert board.max_mhz == mhz
    assert round(board.condition.memory.total) == mebibytes
    assert board.title == model


@pytest.mark.parametrize(
    ("name", "governor", "celsius", "load", "system"),
    [
        ("pi3bplus", "ondemand", 58.002, 0.42, "Debian GNU/Linux 13 (trixie)"),
        ("pi5", "performance", 48.85, 0.0, "Debian GNU/Linux 13 (trixie)"),
        ("orin-nano", "schedutil", 50.937, 0.66, "Ubuntu 22.04.5 LTS"),
    ],
)
def test_a_board_says_how_it_fares(board_of, name, governor, celsius, load, system):
    board = board_of(name)
    assert board.condition.governors == (governor,)
    assert board.condition.celsius == pytest.approx(celsius)
    assert board.condition.load == load
    assert board.system == system


def test_makers_are_told_apart(board_of):
    assert all(board_of(name).raspberry_pi for name in NAMES[:4])
    assert board_of("orin-nano").jetson
    assert not any(board_of(name).jetson for name in NAMES[:4])


def test_a_thermal_zone_that_is_off_is_left_out():
    names = [name for name, _ in read_heat(BOARDS / "orin-nano")]
    assert "tj-thermal" in names
    assert "cv0-thermal" not in names


def test_a_sensor_that_tells_nonsense_is_left_out(tmp_path):
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "temp").write_text("-256000\n")
    assert read_heat(tmp_path) == ()


def test_a_machine_that_tells_nothing_is_unknown_and_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    board = read_board(tmp_path)
    assert (board.model, board.soc, board.cores, board.max_mhz) == (None, None, None, None)
    rows = dict(board_rows(board))
    assert rows["board"] == rows["temperature"] == rows["throttling"] == "unknown"


@pytest.mark.parametrize("content", [b"\xff\xfe\0\0", b"", b"processor: " * 9000, b"\0" * 100])
def test_damaged_files_are_unknown_and_no_error(tmp_path, monkeypatch, content):
    monkeypatch.setenv("PATH", str(tmp_path))
    tree = tmp_path / "tree"
    shutil.copytree(BOARDS / "pi5", tree)
    for path in tree.rglob("*"):
        if path.is_file():
            path.write_bytes(content)
    assert board_rows(read_board(tree))


def test_a_folder_in_place_of_a_file_is_unknown(tmp_path):
    (tmp_path / "proc/meminfo").mkdir(parents=True)
    assert read_condition(tmp_path, lambda command: None).memory.total is None
    assert read_text(tmp_path) is None


def test_a_pipe_that_nobody_writes_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert read_text(tmp_path / "pipe") in (None, "")


def test_a_long_file_is_cut(tmp_path):
    (tmp_path / "long").write_text("x" * 1_000_000)
    assert len(read_text(tmp_path / "long") or "") == 64 * 1024


def test_a_command_that_hangs_fails_or_is_missing_is_no_answer(tmp_path, monkeypatch):
    monkeypatch.setattr("edge.board.reading._COMMAND_SECONDS", 0.2)
    for name, script in (("hang", "sleep 5"), ("fail", "echo no; exit 1"), ("good", "echo yes")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    answers = [run_command([name]) for name in ("hang", "fail", "none-such", "good")]
    assert answers == [None, None, None, "yes"]


@given(st.text())
def test_a_number_is_a_number_or_unknown(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("number") / "value"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert isinstance(read_number(path), float | None)


def test_quotes_around_a_value_are_not_part_of_it(tmp_path):
    (tmp_path / "os-release").write_text('PRETTY_NAME="Some System 1"\nID=some\nnonsense\n')
    table = read_table(tmp_path / "os-release", "=")
    assert table == {"PRETTY_NAME": "Some System 1", "ID": "some"}


@pytest.mark.parametrize(
    ("processor", "machine", "words"),
    [
        ({"CPU implementer": "0x00", "CPU part": "0x051"}, "aarch64", ("emulated (qemu)",)),
        ({"vendor_id": "AuthenticAMD"}, "aarch64", ("emulated (qemu user mode)",)),
        ({"vendor_id": "GenuineIntel", "flags": "fpu hypervisor"}, "x86_64", ("virtual machine",)),
        ({"CPU implementer": "0x41", "CPU part": "0xd08"}, "aarch64", ()),
    ],
)
def test_an_emulator_gives_itself_away(tmp_path, processor, machine, words):
    assert read_surroundings(tmp_path, processor, machine) == words


def test_a_container_gives_itself_away(tmp_path):
    (tmp_path / ".dockerenv").touch()
    assert read_surroundings(tmp_path, {}, "aarch64") == ("container (docker)",)


def test_this_machine_can_be_read():
    board = read_board()
    assert board.usable_cores >= 1
    assert board.condition.memory.total
    assert board.python_bits == 64
