"""The emulated device takes an hour and rights of root: scripts/test-device runs it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.device.cache import Unprepared, folder, preparing

WANTED = "MASKGATE_DEVICE_TEST"
NOT_PREPARED = 75
"""The exit code where the test could not be prepared, and no test of the product failed."""

# Nothing of it is collected by a plain pytest; scripts/test-device sets the variable.
collect_ignore_glob = [] if os.environ.get(WANTED) == "1" else ["test_*.py"]
_ROOM = 12e9
_REASONS = pytest.StashKey[list[str]]()
_FAILURES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Name the mark of what `scripts/test-device --quick` runs."""
    config.addinivalue_line("markers", "quick: what scripts/test-device --quick runs")


@pytest.fixture(scope="session")
def stand_in() -> Iterator[Path]:
    """The image that stands in for Raspberry Pi OS; nobody else uses the cache meanwhile."""
    from tests.device import standin

    with ExitStack() as held:
        with preparing("the stand-in image"):
            free = shutil.disk_usage(folder()).free
            if free < _ROOM:
                raise Unprepared(f"{folder()}: {free / 1e9:.0f} GB are free, 12 are needed")
            lock = held.enter_context((folder() / "lock").open("w"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Unprepared(f"{folder()}: another device test uses it") from None
            image = standin.stand_in()
        yield image


@pytest.fixture(scope="session")
def wheels(stand_in: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels for the stand-in, as scripts/flash and scripts/make-bundle get them."""
    from scripts.flashing import mounts, partitions, system
    from scripts.flashing.wheels import fill

    place = tmp_path_factory.mktemp("wheels")
    with preparing("the wheelhouse"):
        with mounts.mounted(stand_in, partitions.read_layout(stand_in)) as root:
            found = system.examine(root)
        fill(place, found.python, found.numpy)
    return place


def pytest_report_header() -> str:
    """Say why the device tests are not there."""
    if os.environ.get(WANTED) == "1":
        return "tests/device: on the emulated Raspberry Pi"
    return "tests/device: left out, scripts/test-device runs them (root, QEMU, an hour)"


def pytest_exception_interact(node: pytest.Item, call: pytest.CallInfo[object]) -> None:
    """Note whether it was the product that failed, or what the test stands on."""
    from tests.device.machine import Silent

    error = call.excinfo.value if call.excinfo is not None else None
    text = (str(error).splitlines() or ["no reason given"])[0]
    board = getattr(node, "funcargs", {}).get("board")
    # What did not come in time says nothing of the gate where the board itself stood still.
    hung = board.hung() if isinstance(error, Silent) and board is not None else ""
    if hung:
        text = f"the emulated board hung ({hung.splitlines()[0]}): {text}"
    if isinstance(error, Unprepared) or hung:
        node.config.stash.setdefault(_REASONS, []).append(text)
    else:
        node.config.stash.setdefault(_FAILURES, []).append(node.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End with a code of its own where nothing but the preparation failed."""
    stash = session.config.stash
    if stash.get(_REASONS, []) and not stash.get(_FAILURES, []):
        session.exitstatus = NOT_PREPARED


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say in one line why the test could not be prepared."""
    for reason in config.stash.get(_REASONS, [])[:1]:
        print(f"test-device: not prepared: {reason}")
