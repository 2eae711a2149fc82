"""Signs that this is no bare board: a container, a virtual machine, an emulator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edge.board.reading import read_text

# QEMU's processor "max" calls itself by no maker and part 'Q'.
_QEMU_MAKER, _QEMU_PART = 0, 0x51
_ARM = ("aarch64", "arm")


def read_surroundings(root: Path, processor: Mapping[str, str], machine: str) -> tuple[str, ...]:
    """Return words for what the system under *root* runs in; () for none that shows.

    *processor* is its first entry in ``/proc/cpuinfo``.  Figures from an emulator say nothing
    about a board.
    """
    found = []
    container = _container(root)
    if container:
        found.append(f"container ({container})")
    emulator = _emulator(root, processor, machine)
    if emulator:
        found.append(f"emulated ({emulator})")
    elif "hypervisor" in processor.get("flags", "").split():
        found.append("virtual machine")
    return tuple(found)


def _container(root: Path) -> str:
    named = read_text(root / "run/systemd/container")
    if named:
        return named
    if (root / "run/.containerenv").exists():
        return "podman"
    return "docker" if (root / ".dockerenv").exists() else ""


def _emulator(root: Path, processor: Mapping[str, str], machine: str) -> str:
    # Under user-mode emulation an Arm program reads the host's own list of processors.
    if machine.startswith(_ARM) and "vendor_id" in processor:
        return "qemu user mode"
    if (read_text(root / "proc/device-tree/model") or "") == "linux,dummy-virt":
        return "qemu virt"
    try:
        maker = int(processor["CPU implementer"], 16)
        part = int(processor["CPU part"], 16)
    except (KeyError, ValueError):
        return ""
    return "qemu" if (maker, part) == (_QEMU_MAKER, _QEMU_PART) else ""
