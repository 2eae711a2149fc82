"""Work on what a visitor brought, in a child process with limits of time and memory.

Decoders are large, old and written in C; a file that breaks one ends the child, and that is the
answer.  The child reads its request from a file in memory and writes its answer to another, so
that neither side can block the other and no picture touches a disk.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import train
from edge.errors import SourceError

LARGEST_ANSWER = 256 * 1024 * 1024
MOST_CHILDREN = 2
"""At once, for all visitors together; others wait."""

_LONGEST_WAIT = 60.0
_LONGEST_WORDS = 400
_FINE, _REFUSED = b"\x01", b"\x00"
_AT_ONCE = threading.BoundedSemaphore(MOST_CHILDREN)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may take: *seconds* by the clock and of processor time, *megabytes*."""

    seconds: float = 20.0
    megabytes: int = 1500


def ask(task: str, request: bytes, limits: Limits = Limits()) -> bytes:
    """Return what the child answers to *request* of *task*, a name in ``sandbox.TASKS``.

    Raises SourceError in words when it refused, crashed, or took too much time or memory.
    """
    with _turn(), _memory(request) as asked, _memory(b"") as answered:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "train.studio.sandbox", task,
                str(limits.seconds), str(limits.megabytes),
            ],
            stdin=asked, stdout=answered, stderr=subprocess.DEVNULL, env=_environment(),
            cwd="/", start_new_session=True,
        )
        try:
            code = process.wait(limits.seconds)
        except subprocess.TimeoutExpired:
            raise SourceError(f"it takes longer than {limits.seconds:g} s; bring less") from None
        finally:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
        if code != 0:
            raise SourceError(_how_it_ended(code, limits))
        size = os.fstat(answered).st_size
        if not 0 < size <= LARGEST_ANSWER:
            raise SourceError("the child process gave no answer; bring another file")
        answer = os.pread(answered, size, 0)
    if answer[:1] == _REFUSED:
        raise SourceError(answer[1:].decode("utf-8", "replace")[:_LONGEST_WORDS])
    return answer[1:]


def fine(answer: bytes) -> bytes:
    """Return what a child writes when *answer* is its answer."""
    return _FINE + answer


def refused(words: str) -> bytes:
    """Return what a child writes when it refuses for the reason in *words*."""
    return _REFUSED + " ".join(words.split()).encode("utf-8", "replace")


@contextmanager
def _turn() -> Iterator[None]:
    if not _AT_ONCE.acquire(timeout=_LONGEST_WAIT):
        raise SourceError("the studio is busy with other visitors; try again in a minute")
    try:
        yield
    finally:
        _AT_ONCE.release()


@contextmanager
def _memory(content: bytes) -> Iterator[int]:
    """Open a file that is nowhere but in memory, at its start."""
    number = os.memfd_create("maskgate-studio", os.MFD_CLOEXEC)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(number, left) :]
        os.lseek(number, 0, os.SEEK_SET)
        yield number
    finally:
        os.close(number)


def _environment() -> dict[str, str]:
    kept = {n: os.environ[n] for n in ("PATH", "HOME", "LANG", "VIRTUAL_ENV") if n in os.environ}
    # Threads take address space by the gigabyte, and the limits count it.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    root = str(Path(train.__file__).resolve().parents[1])
    return {**kept, **threads, "PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"}


def _how_it_ended(code: int, limits: Limits) -> str:
    if code == -signal.SIGXCPU:
        return f"it takes more than {limits.seconds:g} s of processor time; bring less"
    if code < 0:
        name = signal.Signals(-code).name
        return f"it crashed the decoder ({name}); the file is damaged, or made to do harm"
    return f"its decoder ended with code {code}; the file is damaged, or made to do harm"
