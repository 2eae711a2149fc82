"""When the device test switches its board on once more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.device import board
from tests.device.board import Board
from tests.device.cache import Unprepared
from tests.device.door import NOBODY, Door
from tests.device.machine import Silent


class _Emulated:
    """A machine whose starts go as *starts* says; each is "well", "hangs" or "no network"."""

    starts: list[str]
    unplugged: int

    def __init__(self, *_: object) -> None:
        self.heard = ""
        self._start = type(self).starts.pop(0)

    def wait_for_shell(self, timeout: float) -> None:
        if self._start == "hangs":
            raise Silent(f"no shell within {timeout:.0f} s")

    def shell(self, command: str) -> str:
        assert "/sys/class/net" in command
        return "" if self._start == "no network" else "there"

    def pull_the_plug(self) -> None:
        type(self).unplugged += 1


@pytest.fixture
def switched_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Board:
    monkeypatch.setattr("tests.device.door.PORT", 0)
    monkeypatch.setattr(board, "_PORT", 0)
    monkeypatch.setattr(board, "Machine", _Emulated)
    _Emulated.unplugged = 0
    return Board(tmp_path / "card", tmp_path, Door({NOBODY: []}), tmp_path, tmp_path / "log")


@pytest.mark.parametrize("first", ["hangs", "no network"])
def test_a_start_that_the_emulation_spoils_is_tried_once_more(
    switched_off: Board, first: str
) -> None:
    _Emulated.starts = [first, "well"]
    machine = switched_off.on()
    assert machine is switched_off.machine and _Emulated.unplugged == 1
    switched_off.close()


@pytest.mark.parametrize("bad", ["hangs", "no network"])
def test_two_such_starts_say_nothing_of_the_product(switched_off: Board, bad: str) -> None:
    _Emulated.starts = ["hangs", bad]
    with pytest.raises(Unprepared, match=r"twice: no (shell|network adapter)"):
        switched_off.on()
    assert _Emulated.unplugged == 2
    switched_off.close()
