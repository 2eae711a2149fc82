"""Which files in the watched folder are finished copies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge.modelstore.arrival import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    MOST_AT_ONCE,
    PATIENCE,
    Inbox,
    is_wanted,
    shown_name,
)


def names(inbox: Inbox, now: float) -> list[str]:
    return [arrival.shown for arrival in inbox.poll(now)]


def test_a_copy_is_finished_when_it_has_not_changed_for_a_while(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, settle=2)
    path = tmp_path / "new.tflite"
    path.write_bytes(b"half")
    assert names(inbox, 10) == []
    path.write_bytes(b"more than half")
    assert names(inbox, 11.9) == []
    assert names(inbox, 13.8) == []
    assert names(inbox, 13.9) == ["new.tflite"]


def test_what_was_dealt_with_comes_back_only_when_it_changes(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, settle=1)
    path = tmp_path / "new.tflite"
    path.write_bytes(b"one")
    inbox.poll(0)
    (arrival,) = inbox.poll(1)
    inbox.done(arrival)
    assert names(inbox, 2) == []
    path.write_bytes(b"another")
    assert names(inbox, 3) == []
    assert names(inbox, 4) == ["new.tflite"]


def test_what_was_dealt_with_before_a_restart_stays_so(tmp_path: Path) -> None:
    (tmp_path / "new.tflite").write_bytes(b"one")
    first = Inbox(tmp_path, settle=1)
    first.poll(0)
    first.done(first.poll(1)[0])
    second = Inbox(tmp_path, settle=1, seen=first.seen)
    assert names(second, 0) == names(second, 5) == []


def test_a_stick_that_is_pulled_and_put_back_is_not_dealt_with_anew(tmp_path: Path) -> None:
    stick, away = tmp_path / "stick", tmp_path / "away"
    stick.mkdir()
    (stick / "new.tflite").write_bytes(b"one")
    inbox = Inbox(stick, settle=1)
    inbox.poll(0)
    inbox.done(inbox.poll(1)[0])
    stick.rename(away)
    assert names(inbox, 2) == []
    away.rename(stick)
    assert names(inbox, 3) == names(inbox, 9) == []


def test_a_file_that_cannot_be_read_yet_is_given_more_time(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, settle=1)
    (tmp_path / "new.tflite").write_bytes(b"half")
    inbox.poll(0)
    inbox.wait_for(inbox.poll(1)[0])
    assert names(inbox, PATIENCE - 1) == []
    assert names(inbox, PATIENCE) == ["new.tflite"]


def test_a_file_that_was_put_off_comes_back_after_longer_and_longer_pauses(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, settle=1)
    (tmp_path / "new.tflite").write_bytes(b"one")
    inbox.poll(0)
    now, pauses = 1.0, []
    for turn in range(9):
        (arrival,) = inbox.poll(now)
        assert inbox.put_off(arrival, now) is (turn == 0)
        begun, now = now, now + FIRST_PAUSE
        while names(inbox, now - 0.5) == names(inbox, now) == []:
            now += FIRST_PAUSE
        pauses.append(now - begun)
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[1], pauses[-1]) == (FIRST_PAUSE, 2 * FIRST_PAUSE, LONGEST_PAUSE)
    (tmp_path / "new.tflite").write_bytes(b"another")
    assert names(inbox, now) == [] and names(inbox, now + 1) == ["new.tflite"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("new.tflite", True),
        ("NEW.TFLITE", True),
        ("a model with spaces.tflite", True),
        ("..tflite", False),
        (".new.tflite.Xk3sP1", False),
        (".new.tflite", False),
        ("new.tflite.part", False),
        ("new.tflite.filepart", False),
        ("new.tflite~", False),
        ("~new.tflite", False),
        ("new.tflite.tmp", False),
        ("new.zip", False),
    ],
)
def test_names_of_unfinished_copies_are_passed_over(name: str, wanted: bool) -> None:
    assert is_wanted(name) is wanted


@pytest.mark.parametrize(
    "name", ["line\nbreak.tflite", "\x1b[31mred.tflite", os.fsdecode(b"\xff.tflite")]
)
def test_a_hostile_name_is_shown_in_one_plain_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    inbox = Inbox(tmp_path, settle=1)
    inbox.poll(0)
    (shown,) = names(inbox, 1)
    assert shown.isprintable() and shown.encode() and shown.endswith(".tflite")
    assert shown == shown_name(name)


def test_folders_are_passed_over_and_many_files_come_in_turns(tmp_path: Path) -> None:
    (tmp_path / "folder.tflite").mkdir()
    for number in range(MOST_AT_ONCE + 4):
        (tmp_path / f"{number}.tflite").write_bytes(b"x")
    inbox = Inbox(tmp_path, settle=1)
    inbox.poll(0)
    first = inbox.poll(1)
    assert len(first) == MOST_AT_ONCE
    for arrival in first:
        inbox.done(arrival)
    assert len(inbox.poll(2)) == 4


def test_a_file_that_vanishes_does_not_hide_those_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new.tflite").write_bytes(b"x")
    inbox = Inbox(tmp_path, settle=1)
    inbox.poll(0)
    (arrival,) = inbox.poll(1)
    inbox.done(arrival)
    scandir = os.scandir

    @contextmanager
    def one_is_gone(folder: Path) -> Iterator[list[object]]:
        def stat(*, follow_symlinks: bool) -> os.stat_result:
            raise FileNotFoundError

        with scandir(folder) as entries:
            yield [SimpleNamespace(name="gone.tflite", path="gone.tflite", stat=stat), *entries]

    (tmp_path / "other.tflite").write_bytes(b"x")
    monkeypatch.setattr(os, "scandir", one_is_gone)
    assert names(inbox, 2) == [] and names(inbox, 3) == ["other.tflite"]


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert Inbox(tmp_path / "none").poll(0) == []
