"""The disk that becomes a card: which one is taken, and what is left when it goes wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from edge.errors import OutputError, UsageError
from scripts.flashing import job
from scripts.flashing.card import Disk, disk, verify, write
from scripts.flashing.personal import Personal
from tests.cards import MIB

PATH = Path("/dev/sdx")
NEED = 4_000_000_000


def listing(**changes: object) -> str:
    """What lsblk says of a card in a reader, with *changes*."""
    found = {
        "name": "sdx", "path": "/dev/sdx", "size": 32_000_000_000, "type": "disk", "rm": True,
        "hotplug": True, "ro": False, "model": "Card  Reader", "tran": "usb", "mountpoints": [None],
        "children": [{"name": "sdx1", "type": "part", "mountpoints": [None]}],
    }
    return json.dumps({"blockdevices": [{**found, **changes}]})


def nothing(count: int) -> None:
    """Is told of progress and forgets it."""


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "gate.img"
    path.write_bytes(bytes(range(1, 256)) * (9 * MIB // 255))
    return path


@pytest.fixture
def card(tmp_path: Path, image: Path) -> Path:
    path = tmp_path / "card"
    path.write_bytes(b"\xaa" * (image.stat().st_size + MIB))
    return path


def test_a_card_in_a_reader_is_taken_and_named() -> None:
    assert disk(PATH, NEED, listing()).words == "/dev/sdx, 32.0 GB, Card  Reader"
    built_in = {"name": "mmcblk0", "rm": False, "hotplug": False}
    assert disk(PATH, NEED, listing(**built_in)).size == 32_000_000_000


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"type": "part"}, "is a part; name the whole disk"),
        ({"mountpoints": ["/"]}, "is in use at /; unmount it first"),
        ({"children": [{"name": "sdx1", "mountpoints": ["/media/me/bootfs"]}]}, "/media/me/bootfs"),
        (
            {"children": [{"name": "sdx1", "children": [{"mountpoints": ["/home"]}]}]},
            "is in use at /home",
        ),
        ({"rm": False, "hotplug": False}, "is built in"),
        ({"ro": True}, "is write-protected"),
        ({"size": 2_000_000_000}, "is too small or has no card in it, 4.0 GB are needed"),
        ({"size": 0}, "has no card in it"),
    ],
)
def test_any_other_disk_is_refused(changes: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        disk(PATH, NEED, listing(**changes))


def test_what_is_no_disk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is no disk; write to a file with --output"):
        disk(tmp_path, NEED)
    with pytest.raises(UsageError, match=r"No such file.*is the card in the reader"):
        disk(tmp_path / "sdx", NEED)


@pytest.mark.parametrize(
    "changes",
    [{"size": 64_000_000_000}, {"model": "Backup"}, {"serial": "2"}, {"number": 2080},
     {"sequence": "18"}],
)
def test_a_disk_that_took_the_cards_place_is_not_written_to(
    tmp_path: Path, card: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    agreed = Disk(card, 32_000_000_000, "the card", "Reader", "1", 2064, "17")
    (tmp_path / "raspios.img").write_bytes(b"image")
    monkeypatch.setattr(job, "_make", lambda job, part, say: part.write_bytes(b"gate"))
    wanted = job.Job(
        tmp_path / "raspios.img", sha256(b"image").hexdigest(), tmp_path, Personal(), None, agreed,
        None, tmp_path, False,
    )
    before = card.read_bytes()
    now = replace(agreed, words="a disk", **changes)
    with pytest.raises(UsageError, match=r"was the card when this began, and another .*a disk"):
        job.carry_out(wanted, print, lambda path, need: now)
    assert card.read_bytes() == before
    job.carry_out(wanted, print, lambda path, need: agreed)
    assert card.read_bytes().startswith(b"gate")


def test_a_disk_is_known_by_model_and_serial() -> None:
    found = disk(PATH, NEED, listing(serial=" 000000001532 "))
    assert (found.model, found.serial) == ("Card  Reader", "000000001532")


def test_what_was_written_is_read_back_the_same(image: Path, card: Path) -> None:
    done: list[int] = []
    write(image, card, done.append)
    verify(image, card, nothing)
    assert card.read_bytes()[: image.stat().st_size] == image.read_bytes()
    assert sum(done) == image.stat().st_size


def test_a_card_that_is_half_written_has_no_partition_table(image: Path, card: Path) -> None:
    def stop(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(image, card, stop)
    assert card.read_bytes()[:MIB] == bytes(MIB)


def test_a_card_that_forgets_is_found_and_starts_no_board(image: Path, card: Path) -> None:
    write(image, card, nothing)
    with card.open("r+b") as file:
        file.seek(5 * MIB)
        file.write(b"forgotten")
    with pytest.raises(OutputError, match=r"differs from what was written, within 4 MiB after"):
        verify(image, card, nothing)
    assert card.read_bytes()[:512] == bytes(512)


def test_a_card_that_is_pulled_out_is_told(image: Path) -> None:
    with pytest.raises(OutputError, match=r"failed in the middle.*was the card pulled out"):
        write(image, Path("/dev/full"), nothing)


def test_a_card_smaller_than_it_says_is_found(image: Path, card: Path) -> None:
    write(image, card, nothing)
    with card.open("r+b") as file:
        file.truncate(6 * MIB)
    with pytest.raises(OutputError, match="differs from what was written"):
        verify(image, card, nothing)
