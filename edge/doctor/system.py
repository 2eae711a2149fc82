"""The system: 64 bits, Python, who may use camera, pins and sound, and memory."""

from __future__ import annotations

import os
import platform
import struct
from collections.abc import Mapping
from pathlib import Path

from edge.board.facts import read_board
from edge.board.memory import read_memory
from edge.board.reading import list_folder
from edge.doctor.accounts import Group, read_groups
from edge.doctor.context import Context
from edge.doctor.finding import Finding, failure, ok, skipped, together, warning

_OLDEST, _TOO_NEW = (3, 10), (3, 14)
# The gate takes some 150 MiB at most (measured on x86-64, with the built-in scene).
_LEAST_TOTAL = 400.0  # MiB
_LEAST_FREE = 64.0  # MiB, beside a gate that runs
_LEAST_FOR_START = 200.0  # MiB
_WORK = {"video": "the camera", "gpio": "the pins", "audio": "sound"}
_NODES = {"video": ("video", "media", "dma_heap"), "gpio": ("gpiochip",), "audio": ("snd",)}


def check_system(ctx: Context) -> Finding:
    """A 64-bit system on a processor that LiteRT is built for."""
    board = read_board(ctx.root, ctx.run)
    what = f"{board.title or 'unknown machine'}, {board.system or 'unknown system'}"
    if board.surroundings:
        what += f", in {', '.join(board.surroundings)}"
    # A Raspberry Pi may run a 32-bit system on a 64-bit kernel: the packages tell.
    packages = ctx.ask(("dpkg", "--print-architecture"), 5.0)
    architecture = packages.text.strip() if packages.good else board.machine
    if architecture not in ("arm64", "aarch64", "amd64", "x86_64"):
        return failure(
            f"{what}: {architecture} is no 64-bit system",
            "install Raspberry Pi OS 64-bit, or another arm64 or amd64 system",
        )
    return ok(f"{what}, {architecture}")


def check_python(ctx: Context) -> Finding:
    """A Python that maskgate is tested with, of 64 bits."""
    return judge_python(platform.python_version_tuple()[:2], struct.calcsize("P") * 8)


def judge_python(version: tuple[str, ...], bits: int) -> Finding:
    """Return what to say of a Python of this *version*, such as ("3", "11"), and *bits*."""
    words = f"Python {'.'.join(version)}, {bits} bits"
    if bits != 64:
        return failure(words, "LiteRT needs 64 bits: install a 64-bit system")
    if not _OLDEST <= tuple(map(int, version)) < _TOO_NEW:
        return failure(
            words, "maskgate needs Python 3.10 to 3.13; run scripts/install-device with one"
        )
    return ok(words)


def check_groups(ctx: Context) -> Finding:
    """Whether who runs this, and whose the service is, may use camera, pins and sound."""
    there = read_groups(ctx.root)
    parts = [_groups_of(ctx, ctx.user.name, set(ctx.user.groups), there, ctx.user.root)]
    service = ctx.service
    if service.installed and service.user not in (ctx.user.name, "root"):
        granted = set(service.values.get("SupplementaryGroups", "").split())
        granted |= {name for name, group in there.items() if service.user in group.members}
        parts.append(_groups_of(ctx, service.user, granted, there, False))
    return together(*parts)


def check_memory(ctx: Context) -> Finding:
    """Enough memory for both networks and the pictures."""
    memory = read_memory(ctx.root)
    if memory.total is None or memory.available is None:
        return skipped("the system does not tell how much memory there is")
    words = f"{memory.total:.0f} MiB, {memory.available:.0f} MiB available"
    if memory.total < _LEAST_TOTAL:
        return warning(
            f"{words}: less than any board maskgate was made for", "take one with 512 MB or more"
        )
    running = ctx.service.running
    least = _LEAST_FREE if running else _LEAST_FOR_START
    if memory.available < least:
        beside = "beside the gate" if running else "for the gate to start"
        return warning(f"{words}: {least:.0f} MiB are wanted {beside}", "end other programs")
    return ok(words)


def _groups_of(
    ctx: Context, name: str, groups: set[str], there: Mapping[str, Group], root: bool
) -> Finding:
    if root:
        return ok("root may use camera, pins and sound")
    # Without the devices nobody needs the right to use them.
    wanted = [group for group in _WORK if group in there and _has_nodes(ctx.root, group)]
    if not wanted:
        return skipped(f"{name}: there are no devices here that groups open")
    lacking = [group for group in wanted if group not in groups]
    if not lacking:
        return ok(f"{name} is in {', '.join(wanted)}")
    things = ", ".join(_WORK[group] for group in lacking)
    return warning(
        f"{name} is not in {', '.join(lacking)}, and may not use {things}",
        f"sudo usermod -aG {','.join(lacking)} {name}, then log in again"
        + (", and sudo systemctl restart maskgate" if name != ctx.user.name else ""),
    )


def _has_nodes(root: Path, group: str) -> bool:
    return any(list_folder(root / "dev", start) for start in _NODES[group])


def current_groups() -> frozenset[str]:
    """Return the names of the groups that this process is in; numbers for those without one."""
    import grp

    names = set()
    for number in {*os.getgroups(), os.getegid()}:
        try:
            names.add(grp.getgrgid(number).gr_name)
        except KeyError:
            names.add(str(number))
    return frozenset(names)
