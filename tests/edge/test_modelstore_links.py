"""A service's user that turns bad cannot make root give away, change or remove root's files."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from edge.errors import OutputError
from edge.files import abandoned, opened_to_lock, write_whole
from edge.modelstore import state as states
from edge.modelstore.store import Store


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    path = tmp_path / "shadow"
    path.write_text("root's own")
    return path


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Make this process look like root, and return the inodes of what it gives away."""
    inodes: list[int] = []

    def give(handle: int, user: int, group: int) -> None:
        inodes.append(os.fstat(handle).st_ino)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", give)
    return inodes


def write(store: Store) -> None:
    store.update(lambda state: states.pinned(state, "face-detector", not state.slots))


def test_a_lock_that_is_a_link_is_not_followed(
    tmp_path: Path, victim: Path, given: list[int]
) -> None:
    store = Store(tmp_path / "models")
    store.root.mkdir()
    for name in ("lock", "running"):
        (store.root / name).symlink_to(victim)
    with pytest.raises(OutputError, match="cannot write the state of the models"):
        write(store)
    with store.held():
        assert victim.stat().st_ino not in given


def test_a_lock_that_is_a_second_name_is_not_given_away(
    tmp_path: Path, victim: Path, given: list[int]
) -> None:
    store = Store(tmp_path / "models")
    store.root.mkdir()
    os.link(victim, store.root / "lock")
    write(store)
    assert given == [store.state_path.stat().st_ino]


def test_a_lock_that_is_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lock")
    with pytest.raises(OSError, match="it is a pipe or a device"):
        opened_to_lock(tmp_path / "lock")
    os.mkfifo(tmp_path / "state.json")
    with pytest.raises(OutputError, match="it is a pipe or a device"):
        Store(tmp_path).read()


def test_what_root_holds_is_the_services_too(tmp_path: Path, given: list[int]) -> None:
    store = Store(tmp_path / "models")
    with store.held() as alone:
        assert alone and (store.root / "running").stat().st_ino in given
        with Store(tmp_path / "models").held() as second:
            assert not second


def test_a_lock_that_may_only_be_read_can_be_held(tmp_path: Path) -> None:
    path = tmp_path / "running"
    path.touch(mode=0o444)
    with opened_to_lock(path) as file, opened_to_lock(path) as other:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("left", ["link", "file"])
def test_what_lies_where_a_temporary_file_goes_is_not_written_to(
    tmp_path: Path, victim: Path, left: str
) -> None:
    path = tmp_path / "state.json"
    temporary = tmp_path / f".state.json.{os.getpid()}.tmp"
    if left == "link":
        temporary.symlink_to(victim)
    else:
        temporary.write_text("left from a process that died, and longer")
    write_whole(path, "new")
    assert path.read_text() == "new" and not path.is_symlink()
    assert victim.read_text() == "root's own"
    assert not temporary.exists() and not temporary.is_symlink()


def test_root_clears_no_folder_that_the_store_was_linked_to(
    tmp_path: Path, victim: Path, given: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "models")
    store.root.mkdir()
    store.folder.symlink_to(victim.parent)
    lstat = Path.lstat
    anothers = os.stat_result((*lstat(store.folder)[:4], 65534, *lstat(store.folder)[5:10]))
    monkeypatch.setattr(Path, "lstat", lambda p: anothers if p == store.folder else lstat(p))
    assert store.sweep() == [] and victim.exists()
    with pytest.raises(OutputError, match="is a link of another user, which root does not"):
        write(store)


def test_a_temporary_file_that_is_a_link_or_a_pipe_keeps_nobody_waiting(
    tmp_path: Path, victim: Path
) -> None:
    (tmp_path / "link").symlink_to(victim)
    os.mkfifo(tmp_path / "pipe")
    with victim.open("rb") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        assert abandoned(tmp_path / "link") and not abandoned(victim)
    assert not abandoned(tmp_path / "pipe") and abandoned(victim)
