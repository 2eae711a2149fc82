"""The partitions of an image as folders, and the system in them as one that can be run.

Everything is mounted in a mount namespace of this process alone (see ``__main__``), so that
nothing stays mounted whatever ends it.
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from edge.errors import OutputError, UsageError
from scripts.flashing.partitions import Layout, Partition
from scripts.flashing.tools import need, run

DATA = "data"
"""Where the third partition is in the system of a card that has one."""

_BINFMT = Path("/proc/sys/fs/binfmt_misc/qemu-aarch64")
# What is read of the boot partition before it is written.
_TAKEN = ("cmdline.txt", "user-data", "network-config")
# qemu-user's default processor emulates pointer authentication, which takes seven times as long.
_PROCESSOR = "cortex-a72"


@contextmanager
def mounted(image: Path, layout: Layout) -> Iterator[Path]:
    """Mount the root of *image*, its other partitions where the system has them; yield the folder.

    Raises OutputError where the kernel does not mount one.
    """
    with ExitStack() as stack:
        place = Path(tempfile.mkdtemp(prefix="maskgate-flash-"))
        stack.callback(place.rmdir)
        stack.enter_context(_mount(image, layout.root, place, "ext4"))
        firmware = place / "boot" / "firmware"
        if not firmware.is_dir():
            raise UsageError(
                f"{image.name}: has no /boot/firmware; allowed: Raspberry Pi OS 64-bit, Bookworm "
                "or Trixie"
            )
        stack.enter_context(_firmware(image, layout.boot, firmware))
        if layout.data is not None:
            data = place / DATA
            data.mkdir(exist_ok=True)
            stack.enter_context(_mount(image, layout.data, data, "ext4"))
        yield place


@contextmanager
def runnable(root: Path) -> Iterator[Mapping[str, str]]:
    """Prepare the system in *root* for ``chroot``; yields the environment to run it with."""
    with ExitStack() as stack:
        for name, kind in (("proc", "proc"), ("sys", "sysfs"), ("dev", None), ("dev/pts", None)):
            place = root / name
            command = ["--bind", f"/{name}"] if kind is None else ["-t", kind, kind]
            run(["mount", *command, str(place)])
            stack.callback(run, ["umount", "-l", str(place)])
        stack.enter_context(_names(root))
        # Nothing that is installed may start anything: this is not the board.
        policy = root / "usr/sbin/policy-rc.d"
        if not policy.exists():
            policy.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
            policy.chmod(0o755)
            stack.callback(policy.unlink)
        unwanted = ("PIP_", "LD_", "PYTHON", "MASKGATE_", "SSL_CERT", "VIRTUAL_ENV")
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(unwanted)
        }
        yield {
            **environment, "QEMU_CPU": _PROCESSOR, "LC_ALL": "C.UTF-8", "HOME": "/root",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONDONTWRITEBYTECODE": "",
        }


def check_can_run_arm64() -> None:
    """Raise UsageError where this workstation cannot run the programs of an arm64 image."""
    if platform.machine() in ("aarch64", "arm64"):
        return
    try:
        registered = "enabled" in _BINFMT.read_text(encoding="ascii", errors="replace")
    except OSError:
        registered = False
    if not registered:
        raise UsageError(
            f"this workstation is {platform.machine()} and cannot run the image's arm64 programs; "
            "sudo apt install qemu-user-static binfmt-support, or use --first-boot"
        )


def fit_file_system(image: Path, layout: Layout) -> None:
    """Check the root file system of *image* and make it as large as its partition."""
    with _loop(image, layout.root) as device:
        run(["e2fsck", "-f", "-y", device], allowed=(0, 1))
        run(["resize2fs", device])


def make_file_system(image: Path, part: Partition, label: str) -> None:
    """Make an empty ext4, called *label*, of the partition *part* of *image*."""
    with _loop(image, part) as device:
        run(["mke2fs", "-q", "-F", "-t", "ext4", "-L", label, device])


def check_file_systems(image: Path, layout: Layout) -> None:
    """Raise OutputError unless the ext4 file systems of *image* are without a fault."""
    for part in (layout.root, layout.data):
        if part is not None:
            with _loop(image, part) as device:
                run(["e2fsck", "-f", "-n", device])


@contextmanager
def _loop(image: Path, part: Partition) -> Iterator[str]:
    device = run([
        "losetup", "--find", "--show", "--offset", str(part.start), "--sizelimit", str(part.size),
        str(image),
    ]).strip()
    try:
        yield device
    finally:
        run(["losetup", "--detach", device])


@contextmanager
def _mount(image: Path, part: Partition, place: Path, kind: str) -> Iterator[None]:
    options = f"loop,offset={part.start},sizelimit={part.size}"
    try:
        run(["mount", "-t", kind, "-o", options, str(image), str(place)])
    except OutputError as error:
        raise OutputError(
            f"{image.name}: its {kind} partition cannot be mounted, the image may be damaged or "
            f"this kernel have no loop devices ({error})"
        ) from None
    try:
        yield
    finally:
        run(["umount", str(place)])


@contextmanager
def _firmware(image: Path, part: Partition, place: Path) -> Iterator[None]:
    """Mount the boot partition; where the kernel has no FAT, let mtools do what a mount would."""
    if _has_fat():
        with _mount(image, part, place, "vfat"):
            yield
        return
    need("mcopy")
    inside = f"{image}@@{part.start}"
    run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", str(place)])
    try:
        for name in _TAKEN:
            run(["mcopy", "-n", "-i", inside, f"::/{name}", str(place)], allowed=(0, 1))
        yield
        changed = [str(path) for path in sorted(place.iterdir())]
        if changed:
            run(["mcopy", "-o", "-s", "-i", inside, *changed, "::/"])
    finally:
        run(["umount", str(place)])


def _has_fat() -> bool:
    if shutil.which("modprobe") is not None:
        run(["modprobe", "-q", "vfat"], allowed=range(256))
    return "vfat" in Path("/proc/filesystems").read_text(encoding="ascii").split()


@contextmanager
def _names(root: Path) -> Iterator[None]:
    """Let the system in *root* find names in the network as this workstation does."""
    place, kept = root / "etc/resolv.conf", root / "etc/resolv.conf.maskgate"
    there = place.is_symlink() or place.exists()
    if there:
        place.rename(kept)
    shutil.copyfile("/etc/resolv.conf", place)
    try:
        yield
    finally:
        place.unlink(missing_ok=True)
        if there:
            kept.rename(place)
