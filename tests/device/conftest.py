"""The emulated device takes half an hour and rights of root: scripts/test-device runs it."""

from __future__ import annotations

import os

WANTED = "MASKGATE_DEVICE_TEST"

# Nothing of it is collected by a plain pytest; scripts/test-device sets the variable.
collect_ignore_glob = [] if os.environ.get(WANTED) == "1" else ["test_*.py"]


def pytest_report_header() -> str:
    """Say why the device tests are not there."""
    if os.environ.get(WANTED) == "1":
        return "tests/device: on the emulated Raspberry Pi"
    return "tests/device: left out, scripts/test-device runs them (root, QEMU, half an hour)"
