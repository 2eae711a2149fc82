"""Running the programs of the workstation, with one sentence where one fails or is missing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence

from edge.errors import OutputError, UsageError

PACKAGES: Mapping[str, str] = {
    "mount": "mount", "losetup": "mount", "unshare": "util-linux", "lsblk": "util-linux",
    "chroot": "coreutils", "e2fsck": "e2fsprogs", "resize2fs": "e2fsprogs",
    "mke2fs": "e2fsprogs", "mcopy": "mtools", "systemd-sysusers": "systemd",
}
"""Debian's packages of the programs that are needed."""


def need(*programs: str) -> None:
    """Raise UsageError that names the package of the first of *programs* that is not there."""
    for program in programs:
        if shutil.which(program) is None:
            raise UsageError(
                f"the program {program} is missing; sudo apt install {PACKAGES[program]}"
            )


def run(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, timeout: float = 3600,
    allowed: Sequence[int] = (0,),
) -> str:
    """Return what *command* prints; raises OutputError with its last line when it fails."""
    try:
        done = subprocess.run(
            command, env=env, timeout=timeout, capture_output=True, text=True, errors="replace",
        )
    except subprocess.TimeoutExpired:
        raise OutputError(f"{command[0]} did not end within {timeout:.0f} seconds") from None
    if done.returncode not in allowed:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise OutputError(f"{' '.join(command[:3])} failed with code {done.returncode}: {said}")
    return done.stdout
