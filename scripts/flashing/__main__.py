"""``python -m scripts.flashing``: what scripts/flash runs."""

from __future__ import annotations

import os
import shutil
import sys

_MARK = "MASKGATE_FLASH_ALONE"


def _alone() -> None:
    """Start anew in a mount namespace of our own: what is mounted in it ends with us."""
    if os.environ.get(_MARK) or os.geteuid() != 0 or shutil.which("unshare") is None:
        return
    os.environ[_MARK] = "1"
    command = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m",
               "scripts.flashing", *sys.argv[1:]]
    os.execvp(command[0], command)


if __name__ == "__main__":
    _alone()
    from scripts.flashing.command import flash

    flash(prog_name="scripts/flash")
