"""``python -m train.studio.supervise FOLDER``: runs a job's command and notes how it ends."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import IO, BinaryIO

from edge.errors import MaskgateError
from edge.files import write_whole
from train.studio.jobs import LOG_NAME, Job, JobState, born_at, local_now, read_job, write_job
from train.studio.settings import VARIABLE, current_settings

LARGEST_LOG = 4 * 1024 * 1024
"""Bytes; what comes after is left out, and the log says so."""

_USUAL_PATIENCE = 10.0
_NICE = 5
_LAST_WORDS = 5.0
RECORDED = ("classifier", "detector", "convert", "evaluate")
"""Kinds of runs that go into MLflow's store, where there is one."""

_RECORD_SECONDS = 300.0
_SPARE_NAME, _SPARE_BYTES = ".spare", 8192
_FULL = b"\n[the log is full; the rest is left out]\n"
_MISSING = b"\n[lines are missing here: the log could not be written, as on a full disk]\n"


class Log:
    """What a run says, up to a bound.  A disk that is full costs it lines, and nobody else more.

    *file* is opened for appending bytes, unbuffered: what is not written is known at once.
    """

    def __init__(self, file: BinaryIO | io.RawIOBase) -> None:
        self._file = file
        self._room = LARGEST_LOG - file.tell()
        self._missing = False

    def copy(self, chunk: bytes) -> None:
        """Note *chunk* of what the command says, as far as the bound allows."""
        room = self._room
        if room > 0:
            self._room -= self.note(chunk[:room] + (_FULL if len(chunk) > room else b""))

    def note(self, text: bytes) -> int:
        """Note *text* whatever the bound; return how many bytes were written, 0 where none can be.

        Where some could not be written before, that is said first.
        """
        told = (_MISSING if self._missing else b"") + text
        try:
            written = self._file.write(told) or 0
        except OSError:
            written = 0
        self._missing = written < len(told)
        return written


class Supervisor:
    """One command and what becomes of it."""

    def __init__(self, folder: Path, job: Job) -> None:
        self._folder = folder
        self._job = job
        self._asked_to_stop = False
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Run the command to its end and write down how it ended."""
        signal.signal(signal.SIGTERM, self._on_stop)
        number = os.getpid()
        job = replace(self._job, state="running", supervisor=number, born=born_at(number))
        # Before there is a process: where this cannot be written, none is left without a watcher.
        write_job(self._folder, job)
        with contextlib.suppress(OSError):
            write_whole(self._folder / _SPARE_NAME, "x" * _SPARE_BYTES)
        with (self._folder / LOG_NAME).open("ab", buffering=0) as file:
            log = Log(file)
            log.note(f"$ python -m {' '.join(job.command)}\n".encode())
            self._process = subprocess.Popen(
                [sys.executable, "-u", "-m", *job.command], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            )
            if self._asked_to_stop:
                self._stop()
            assert self._process.stdout is not None
            pump = threading.Thread(target=_pump, args=(self._process.stdout, log), daemon=True)
            pump.start()
            code = self._process.wait()
            # What it started, such as helpers that prepare batches, ends with it; else the log
            # would be held open, and the run would never be over.
            self._signal(signal.SIGKILL)
            pump.join(_LAST_WORDS)
            state = _state(code, self._asked_to_stop)
            last = f"[{state}, exit code {code}]\n".encode()
            noted = log.note(last)
            self._write_end(replace(job, state=state, code=code, ended=local_now()))
            if not noted:
                log.note(last)

    def _write_end(self, job: Job) -> None:
        """Note how *job* ended, also on a full disk: in the room that was kept for this."""
        # Where even that is taken the run counts as lost, and can be resumed.
        with contextlib.suppress(OSError):
            (self._folder / _SPARE_NAME).unlink(missing_ok=True)
            write_job(self._folder, job)

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        self._asked_to_stop = True
        self._stop()

    def _stop(self) -> None:
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        killer = threading.Timer(_patience(self._folder), self._signal, (signal.SIGKILL,))
        killer.daemon = True
        killer.start()

    def _signal(self, kind: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, kind)


def _pump(source: IO[bytes], log: Log) -> None:
    """Copy *source* to *log* until it ends: a pipe that nobody reads would stop who writes it."""
    while chunk := os.read(source.fileno(), 65536):
        log.copy(chunk)


def _note_in_mlflow(folder: Path, job: Job) -> None:
    """Record the run that has ended, in a process of its own: what breaks there breaks no run."""
    if job.kind not in RECORDED or VARIABLE not in os.environ or not current_settings().tracking:
        return
    with (folder / LOG_NAME).open("ab") as log:
        try:
            subprocess.run(
                [sys.executable, "-m", "train.studio.tracking", "record", str(folder)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, check=False,
                timeout=_RECORD_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            log.write(f"not recorded in MLflow: {error}\n".encode())


def _state(code: int, asked_to_stop: bool) -> JobState:
    if code == 0:
        return "done"
    return "stopped" if asked_to_stop else "failed"


def _patience(folder: Path) -> float:
    try:
        return float((folder / ".patience").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return _USUAL_PATIENCE


def main() -> int:
    """Supervise the job in the folder that is named on the command line."""
    folder = Path(sys.argv[1])
    job = read_job(folder)
    if job is None:
        return 2
    # Whoever started this waits for nothing, and leaves nothing behind when it ends first.
    if os.fork():
        os._exit(0)
    os.setsid()
    # So that the pages, and the person at the keyboard, stay quick.
    os.nice(_NICE)
    Supervisor(folder, job).run()
    with contextlib.suppress(MaskgateError, OSError):
        _note_in_mlflow(folder, job)
    return 0


if __name__ == "__main__":
    sys.exit(main())
