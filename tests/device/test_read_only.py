"""A card flashed with ``--read-only``: it seals itself, runs, and takes a model all the same.

The tests go by their order, as one board is switched on and off in them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.flashing.readonly import KEPT
from tests.device.board import BUZZER, STATE, Board, flashed, powered
from tests.device.cache import folder
from tests.device.door import BARE, NOBODY
from tests.edge.model_files import CLASSIFIER, make

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def board(
    stand_in: Path, wheels: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Board]:
    output = folder() / "gate-read-only.img"
    output.unlink(missing_ok=True)
    try:
        seconds = flashed(stand_in, HERE / "gate.toml", wheels, output, "--read-only")
        with powered(output, tmp_path_factory.mktemp("shared"), "figures-read-only.json") as made:
            made.figures["flashing, s"] = round(seconds)
            yield made
    finally:
        output.unlink(missing_ok=True)


def test_the_card_seals_itself_once_the_gate_has_come_up(board: Board) -> None:
    machine = board.on()
    assert "rw" in options(board, "/")
    machine.wait_for_restart(1200)
    board.figures["power-on to the end of the first start, s"] = round(machine.seconds)
    board.off()


def test_the_system_cannot_be_written_to_and_the_gate_comes_up(board: Board) -> None:
    machine = board.on()
    board.figures["power-on to READY, sealed, s"] = round(board.wait_for_service())
    for place in ("/", "/boot/firmware"):
        assert "ro" in options(board, place), place
    for place in ("/data", *(f"/{name}" for name in KEPT)):
        assert "rw" in options(board, place), place
    for place in ("/tmp", "/var/tmp", "/var/log"):
        assert machine.shell(f"findmnt -no FSTYPE {place}") == "tmpfs"
    assert "Read-only file system" in machine.shell("touch /usr/new")
    assert machine.shell("systemctl --failed --no-legend --plain") == ""
    assert machine.shell("hostname") == "door1"
    board.wait_for_camera()


def test_it_beeps_for_a_bare_face(board: Board) -> None:
    board.settle()
    board.door.scene = BARE
    board.machine.wait_for_edges(BUZZER, 6, time.monotonic())
    board.door.scene = NOBODY
    board.settle()


def test_a_change_of_the_settings_is_taken(board: Board) -> None:
    file = "/etc/maskgate/gate.toml"
    board.machine.shell(f"sed -i 's/min_face = \"20\"/min_face = \"21\"/' {file}; sync")
    assert board.machine.shell(f"grep -c 'min_face = \"21\"' {file}") == "1"
    board.machine.shell("systemctl reload maskgate")
    said = "journalctl -b -u maskgate --no-pager -o cat"
    board.until(lambda: "taken over; changed: people" in board.machine.shell(said))


def test_a_model_that_is_copied_in_is_swapped_in_and_there_after_a_power_cut(
    board: Board, tmp_path: Path
) -> None:
    new = tmp_path / "new.tflite"
    new.write_bytes(make(CLASSIFIER, 100))
    board.copy_in(new)
    board.until(lambda: board.model(CLASSIFIER).get("version") == 100)
    board.until(lambda: board.model(CLASSIFIER)["standing"] == "good")
    board.off()
    board.on()
    board.wait_for_service()
    board.wait_for_camera()
    board.until(lambda: board.model(CLASSIFIER).get("running") is True)
    found = board.model(CLASSIFIER)
    assert (found["version"], found["standing"]) == (100, "good")
    assert board.machine.shell("grep -c 'min_face = \"21\"' /etc/maskgate/gate.toml") == "1"
    assert "ro" in options(board, "/")
    check = f"sqlite3 {STATE}/journal.db 'PRAGMA integrity_check'"
    assert board.machine.shell(check).splitlines()[-1] == "ok"


def test_one_command_opens_the_system_until_the_next_start(board: Board) -> None:
    command = "for p in / /boot/firmware; do mount -o remount,rw $p; done; touch /usr/new && echo y"
    assert board.machine.shell(command) == "y"


def options(board: Board, place: str) -> list[str]:
    """Return the options with which *place* is mounted now."""
    return board.machine.shell(f"findmnt -no OPTIONS {place} | tail -1").split(",")
