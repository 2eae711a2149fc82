"""Background runs: real processes that outlive the page, each with a folder of its own.

A run's folder holds ``job.json`` (what was asked and how it stands), ``log.txt``, and whatever
the command writes.  The command is watched by ``train.studio.supervise``, a process of its own,
so that the end is noted even when the studio is gone by then.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from edge.errors import OutputError, UsageError
from edge.files import write_whole

JOB_NAME, LOG_NAME = "job.json", "log.txt"
TAKEN_NAMES = ("releases", "mlflow")
"""Folders beside the runs that are none."""

MOST_AT_ONCE = 2
"""Runs at work together; a training takes every core as it is."""

JobKind = Literal[
    "classifier", "detector", "convert", "evaluate", "audit", "rollout", "promote"
]
JobState = Literal["starting", "running", "done", "failed", "stopped", "lost"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
_START_SECONDS = 10.0
_STARTING = 20.0


@dataclass(frozen=True, slots=True)
class Job:
    """What was asked of a run, and how it stands.

    *command* begins behind ``python -m``.  *epochs* is how many there are in all, 0 where it is
    no training.  *supervisor* and *born* name the watching process: its number, and its start in
    clock ticks since boot, so that another one with the same number is not taken for it.
    Times are local, ISO 8601, for people: nothing is decided by them.
    """

    kind: JobKind
    command: tuple[str, ...]
    cwd: str
    state: JobState = "starting"
    epochs: int = 0
    started: str = ""
    ended: str = ""
    code: int | None = None
    supervisor: int = 0
    born: int = 0
    starts: int = 0

    @property
    def at_work(self) -> bool:
        return self.state in ("starting", "running")


def checked_name(name: str) -> str:
    """Return *name* if a run's folder may be called so; raises UsageError in words."""
    if name in TAKEN_NAMES:
        raise UsageError(f"{name!r} is the name of another folder there; choose another name")
    if not _NAME.fullmatch(name) or name.startswith("."):
        raise UsageError(
            f"{name[:80]!r} is no name for a run; use 1 to 60 letters, digits, dots, dashes and "
            "underscores, beginning with a letter or digit"
        )
    return name


def read_job(folder: Path) -> Job | None:
    """Return the job in *folder* as it stands now, None where there is none that can be read.

    One whose supervisor is gone without a word, as after a power cut, is *lost*.
    """
    try:
        content = (folder / JOB_NAME).read_bytes()
        job = msgspec.json.decode(content, type=Job)
    except (OSError, msgspec.DecodeError):
        return None
    if job.state == "running" and born_at(job.supervisor) != job.born:
        return replace(job, state="lost")
    if job.state == "starting" and _age(folder / JOB_NAME) > _STARTING:
        return replace(job, state="lost")
    return job


def write_job(folder: Path, job: Job) -> None:
    """Put *job* into *folder*, whole or not at all."""
    write_whole(folder / JOB_NAME, msgspec.json.format(msgspec.json.encode(job), indent=1))


def start_job(
    root: Path, name: str, kind: JobKind, command: Sequence[str], *, cwd: Path, epochs: int = 0
) -> Path:
    """Start ``python -m`` *command* in the background; return its new folder below *root*.

    Raises UsageError for a name that is not allowed or taken, and when too many are at work;
    OutputError when the folder cannot be written.
    """
    folder = root / checked_name(name)
    if read_job(folder) is not None or (folder / "metrics.json").exists():
        raise UsageError(f"there is a run {name} already; choose another name")
    return _launch(root, folder, Job(kind, tuple(command), str(cwd), epochs=epochs))


def resume_job(root: Path, name: str) -> Path:
    """Start the command of run *name* once more; a training goes on after its last epoch."""
    folder = root / checked_name(name)
    job = read_job(folder)
    if job is None:
        raise UsageError(f"{name} is no run of the studio; start a new one")
    if job.at_work:
        raise UsageError(f"{name} is at work already")
    return _launch(root, folder, replace(job, state="starting", code=None, ended="", supervisor=0))


def stop_job(folder: Path, *, patience: float = 10.0) -> Job | None:
    """Ask the run in *folder* to end; what has not ended after *patience* seconds is killed.

    Returns at once: the supervisor does the waiting and the killing.
    """
    job = read_job(folder)
    if job is not None and job.state == "running":
        # A full disk keeps no run from being stopped; without the note it has the usual time.
        with contextlib.suppress(OSError):
            write_whole(folder / ".patience", f"{patience}\n")
        with contextlib.suppress(OSError):
            os.kill(job.supervisor, signal.SIGTERM)
    return read_job(folder)


def log_tail(folder: Path, characters: int = 6000) -> str:
    """Return the end of the log in *folder*, whole lines of printable text."""
    try:
        with (folder / LOG_NAME).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - characters))
            text = file.read(characters).decode("utf-8", "replace")
    except OSError:
        return ""
    lines = text.splitlines()
    if size > characters:
        lines = lines[1:]
    return "\n".join("".join(c for c in line if c.isprintable()) for line in lines)


def jobs_at_work(root: Path) -> list[str]:
    """Return the names of the runs below *root* that are at work."""
    return [
        folder.name for folder in sorted(root.glob("*"))
        if (job := read_job(folder)) is not None and job.at_work
    ]


def born_at(number: int) -> int:
    """Return when process *number* started, in clock ticks since boot, 0 where there is none.

    A process that has ended but was not waited for is none.
    """
    try:
        text = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    # The name in brackets may hold spaces and brackets itself.
    fields = text.rpartition(")")[2].split()
    return 0 if fields[0] in "ZX" else int(fields[19])


def local_now() -> str:
    """Return the local time for people, ISO 8601 to the second."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _launch(root: Path, folder: Path, job: Job) -> Path:
    busy = jobs_at_work(root)
    if len(busy) >= MOST_AT_ONCE:
        raise UsageError(
            f"{' and '.join(busy)} are at work; {MOST_AT_ONCE} runs at once are allowed: stop "
            "one, or wait"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_job(folder, replace(job, started=local_now(), starts=job.starts + 1))
        # It forks and returns at once; what goes on belongs to nobody here.
        subprocess.run(
            [sys.executable, "-m", "train.studio.supervise", str(folder)],
            cwd=job.cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True, timeout=_START_SECONDS, check=True,
        )
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror or error}); make room"
        ) from error
    except subprocess.SubprocessError as error:
        raise OutputError(f"{folder.name} did not start ({error}); look at {LOG_NAME}") from error
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        now = read_job(folder)
        if now is not None and now.state != "starting":
            break
        time.sleep(0.05)
    return folder


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
