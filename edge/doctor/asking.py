"""Asking the system's own programs, each for a bounded time, and calling what may hang."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

_MOST_BYTES = 1024 * 1024
_MOST_WORDS = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program said: its exit *code*, and what it printed, at most 1 MiB of it.

    *code* is None when it is not there or did not end in time; *why* says so, or is the last
    line of its standard error.
    """

    code: int | None
    text: str = ""
    why: str = ""

    @property
    def good(self) -> bool:
        return self.code == 0


Ask = Callable[[Sequence[str], float], Answer]
"""Runs a command for so many seconds at most; raises nothing."""


def ask(
    command: Sequence[str], seconds: float = 5.0, environ: Mapping[str, str] = os.environ
) -> Answer:
    """Return what *command* says, in English; it is killed after *seconds*."""
    name = command[0]
    program = shutil.which(name, path=environ.get("PATH"))
    if program is None:
        return Answer(None, why=f"there is no {name}")
    try:
        done = subprocess.run(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            env={**environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""},
            # Ctrl-C is for the doctor, which then leaves all in order.
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return Answer(None, why=f"{name} gave no answer within {seconds:g} s")
    except OSError as error:
        return Answer(None, why=f"{name} cannot be run ({error.strerror or error})")
    said = done.stderr[-_MOST_BYTES:].decode("utf-8", "replace").strip().splitlines()
    why = " ".join(said[-1].split())[:_MOST_WORDS].rstrip(".") if said else ""
    return Answer(done.returncode, done.stdout[:_MOST_BYTES].decode("utf-8", "replace"), why)


class TookTooLong(Exception):
    """Error raised when something did not end in time."""


def within(seconds: float, call: Callable[[], T], name: str = "doctor") -> T:
    """Return what *call* returns, or raise what it raises; TookTooLong after *seconds*.

    What took too long goes on in a thread that nobody waits for: a read that hangs in the
    kernel cannot be ended.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:  # handed on to who waits
            errors.append(error)

    thread = threading.Thread(target=work, name=f"{name} check", daemon=True)
    thread.start()
    thread.join(seconds)
    if results:
        return results[0]
    if errors:
        raise errors[0]
    raise TookTooLong(f"no answer within {seconds:g} s")
