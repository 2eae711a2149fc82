"""An ``aplay`` that makes no sound and records what was asked of it, for machines without a card.

Put its folder first on the PATH.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Behaviour = Literal["plays", "fails", "hangs"]

_DOES: dict[Behaviour, str] = {
    # One sleep that takes the shell's place, so that nothing is left when it is killed.
    "plays": 'exec sleep "$seconds"',
    "fails": "echo 'ALSA lib pcm.c: Unknown PCM' >&2\n"
    "echo 'aplay: main:831: audio open error: No such file or directory' >&2\nexit 1",
    "hangs": "trap '' TERM INT\nexec sleep 600",
}
_SCRIPT = """#!/bin/sh
here='{folder}'
seconds={seconds}
for last; do :; done
if [ "$last" = - ]; then cat > "$here/$$.wav"; fi
{{ printf '%s' "$$"; printf '\\t%s' "$@"; echo; }} >> "$here/calls"
{does}
"""


@dataclass(frozen=True, slots=True)
class Call:
    """One start of it: the process's *pid*, its *arguments*, and the WAV it was given on stdin."""

    pid: int
    arguments: tuple[str, ...]
    given: bytes

    @property
    def running(self) -> bool:
        """Whether it still plays."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class FakeAplay:
    """The fake in *folder*, which must exist and have no quote in its name."""

    folder: Path

    def behave(self, behaviour: Behaviour, seconds: float = 0.0) -> None:
        """Let it play for *seconds*, fail as without a card, or hang and not heed SIGTERM."""
        script = _SCRIPT.format(folder=self.folder, seconds=seconds, does=_DOES[behaviour])
        new = self.folder / "aplay.new"
        new.write_text(script, encoding="utf-8")
        new.chmod(0o755)
        os.replace(new, self.folder / "aplay")

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every start so far, the first one first."""
        try:
            lines = (self.folder / "calls").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return ()
        return tuple(self._call(*line.split("\t")) for line in lines)

    def _call(self, pid: str, *arguments: str) -> Call:
        given = self.folder / f"{pid}.wav"
        return Call(int(pid), arguments, given.read_bytes() if given.exists() else b"")
