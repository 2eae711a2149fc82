"""Starts the trial's child process, waits for its answer, and turns every end into a reason."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edge
from edge.cardfields import printable
from edge.errors import ModelError
from edge.modelfile import Kind
from edge.modelstore.settings import UpdateSettings

_LOOK_AGAIN = 0.2  # seconds
_LONGEST_ANSWER = 65536
_LONGEST_REASON = 400


@dataclass(frozen=True, slots=True)
class Passed:
    """What a model that passed its trial did: its self-test was off by *error* steps of int8.

    *milliseconds* is its time for one picture here, beside *running*, that of the model that
    runs; None where none was given.
    """

    error: int
    runtime: str
    milliseconds: float | None = None
    running: float | None = None

    def words(self) -> str:
        """Return the speed in words."""
        if not self.milliseconds or not self.running:
            return f"self-test off by {self.error} steps"
        ratio = self.milliseconds / self.running
        return (
            f"self-test off by {self.error} steps, {self.milliseconds:.2f} ms a picture, "
            f"{ratio:.2f} times the running one's"
        )


Trial = Callable[[Path, Kind, "Path | None", str], Passed]


class Child:
    """One child process that tries models one after another until one of them ends it.

    *cancelled* is asked while waiting.  Use it as a context manager: it never outlives the block.
    """

    def __init__(
        self, settings: UpdateSettings, cancelled: Callable[[], bool] = lambda: False
    ) -> None:
        self._settings = settings
        self._cancelled = cancelled
        self._errors = os.memfd_create("maskgate-trial")
        folder = str(Path(edge.__file__).resolve().parents[1])
        # QEMU_CPU says what processor an emulated program sees, and so which kernels run.
        names = ("PATH", "HOME", "LANG", "VIRTUAL_ENV", "QEMU_CPU")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        # Threads would be given to every library, for a process that lives a second.
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edge.modelstore.trial"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env={**kept, **threads, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"},
                cwd="/",
                start_new_session=True,
            )
        except OSError:
            os.close(self._errors)
            raise
        self._pending = b""

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, path: Path, kind: Kind, running: Path | None, shown: str) -> Passed:
        """Return how the model file *path* did; *shown* is its name in messages.

        Raises ModelError with the reason when it failed, or ended the child, which is then gone.
        """
        request = {
            "path": str(path.absolute()),
            "kind": kind,
            "running": str(running.absolute()) if running else "",
            "megabytes": self._settings.trial_megabytes,
            "seconds": self._settings.trial_seconds,
        }
        try:
            answer = self._exchange(json.dumps(request).encode() + b"\n")
        except _Ended as end:
            raise ModelError(f"{shown} failed its trial: {end}") from None
        refused = str(answer.pop("refused", "no answer"))
        if refused:
            words = refused.replace(str(path.absolute()), shown)
            raise ModelError(printable(words, _LONGEST_REASON))
        return Passed(**answer)

    @property
    def alive(self) -> bool:
        """Whether the child can be asked again."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the child and everything it may have started."""
        if self._process.poll() is None:
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._process.wait(10)
        with contextlib.suppress(OSError):
            os.close(self._errors)
        self._errors = -1

    def _exchange(self, request: bytes) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        limit = self._settings.trial_seconds
        give_up = time.monotonic() + limit
        try:
            self._process.stdin.write(request)
            self._process.stdin.flush()
        except OSError:
            raise _Ended(self._how_it_ended()) from None
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                if self._cancelled():
                    self.close()
                    raise _Ended("the gate stopped")
                if time.monotonic() > give_up:
                    self.close()
                    raise _Ended(f"it took longer than {limit:g} s")
                if not waiting.select(_LOOK_AGAIN):
                    continue
                chunk = os.read(self._process.stdout.fileno(), 4096)
                self._pending += chunk
                if not chunk or len(self._pending) > _LONGEST_ANSWER:
                    raise _Ended(self._how_it_ended())
        line, _, self._pending = self._pending.partition(b"\n")
        answer = json.loads(line)
        return answer if isinstance(answer, dict) else {}

    def _how_it_ended(self) -> str:
        """Return how the child ended and the last line that it printed."""
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:
            code = 0
        last = ""
        if self._errors >= 0:
            size = os.fstat(self._errors).st_size
            text = os.pread(self._errors, 4096, max(0, size - 4096)).decode("utf-8", "replace")
            told = (" ".join(line.split()) for line in text.splitlines())
            lines = [line for line in told if line and not line.startswith("INFO:")]
            last = f" ({lines[-1][:200]})" if lines else ""
        self.close()
        if code == -signal.SIGXCPU:
            return f"it took more than {self._settings.trial_seconds:g} s of processor time"
        if code < 0:
            name = signal.Signals(-code).name
            return f"it crashed the interpreter with {name}{last}"
        return f"the trial ended with code {code}{last}"


class _Ended(Exception):
    """How a child ended, in words."""


def run_trial(
    path: Path,
    kind: Kind,
    running: Path | None,
    shown: str,
    settings: UpdateSettings,
    cancelled: Callable[[], bool] = lambda: False,
) -> Passed:
    """Try the model file *path* in a fresh child process; return how it did.

    *running* is the model that it would replace, *shown* its name in messages.  Raises
    ModelError with the reason if it fails, crashes, takes too long or too much memory, or is
    ``settings.slow_factor`` times slower than *running*.
    """
    try:
        with Child(settings, cancelled) as child:
            passed = child.ask(path, kind, running, shown)
    except OSError as error:
        raise ModelError(
            f"{shown} cannot be tried: {error.strerror or error}; free some memory and copy it "
            "again"
        ) from error
    slow = too_slow(passed, settings.slow_factor)
    if slow:
        raise ModelError(f"{shown} is too slow: {slow}; train a smaller network")
    return passed


def too_slow(passed: Passed, factor: float) -> str:
    """Return why a model that *passed* is too slow by *factor*, "" if it is not."""
    if passed.milliseconds is None or passed.running is None:
        return ""
    if passed.milliseconds < passed.running * factor:
        return ""
    return (
        f"{passed.milliseconds:.1f} ms a picture, {passed.milliseconds / passed.running:.1f} times "
        f"the running model's {passed.running:.2f} ms; below {factor:g} times is allowed"
    )
