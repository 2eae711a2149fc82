"""One sound through ``aplay``, watched: it never outlasts its wish, its length, or its limit."""

from __future__ import annotations

import contextlib
import math
import os
import stat
import subprocess
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edge.errors import OutputError

# How often a playing child is looked at.
_LOOK_SECONDS = 0.05
# A card may take its time to start and to play what it has buffered.
_SLACK_SECONDS = 5.0
# A child that is told to end does so at once, unless it hangs; then it is killed.
_GRACE_SECONDS = 0.3
_KILL_SECONDS = 1.0
_MOST_WORDS = 200
_KINDS = ((b"OggS", "Ogg"), (b"ID3", "MP3"), (b"\xff\xfb", "MP3"), (b"fLaC", "FLAC"))


@dataclass(frozen=True, slots=True)
class Sound:
    """Something to play: a WAV file's *content*, or its path; *name* is what to call it.

    *seconds* is how long it lasts, None where that is not known.
    """

    name: str
    content: bytes | Path
    seconds: float | None


def file_sound(path: Path) -> Sound | None:
    """Return the WAV file at *path*, None where there is none.

    Raises OutputError when what is there cannot be read, or is no WAV file or a damaged one.
    """
    try:
        # A pipe or a device of that name could keep the reader waiting for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise OutputError(f"{path} is no file")
        with path.open("rb") as file:
            head = file.read(12)
    except FileNotFoundError:
        return None
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"{path} cannot be read ({error.strerror or error})") from None
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        kind = next((f" but {name}" for magic, name in _KINDS if head.startswith(magic)), "")
        raise OutputError(
            f"{path} is no WAV file{kind}; only WAV is played, and ffmpeg -i IN OUT.wav makes it"
        )
    return Sound(path.name, path, _seconds(path))


class Aplay:
    """Plays sounds on ALSA's *device*, none for longer than *max_seconds*."""

    def __init__(self, device: str, max_seconds: float, clock: Callable[[], float]) -> None:
        self._device = device
        self._limit = max_seconds
        self._clock = clock

    def play(self, sound: Sound, meant: Callable[[float], bool]) -> None:
        """Play *sound* to its end, or until it is *meant* no more.

        *meant* waits the seconds it is given, or less, and says whether to go on.  Raises
        OutputError, with aplay's own reason, when it cannot be played, or hangs.
        """
        began = self._clock()
        child = self._start(sound)
        try:
            while child.poll() is None:
                took = self._clock() - began
                if sound.seconds is not None and took > sound.seconds + _SLACK_SECONDS:
                    raise OutputError(
                        f"aplay still plays {sound.name}, {sound.seconds:.1f} s long, after "
                        f"{took:.0f} s; is the card {self._device} taken, or away?"
                    )
                if took > self._limit:
                    raise OutputError(
                        f"aplay still plays {sound.name} after {took:.0f} s; give a shorter file, "
                        f"or look whether the card {self._device} works"
                    )
                if not meant(_LOOK_SECONDS):
                    return
            if child.returncode != 0:
                raise OutputError(self._reason(sound, child))
        finally:
            _end(child)

    def _start(self, sound: Sound) -> subprocess.Popen[bytes]:
        # The duration is for the case that nobody is left to end it.
        arguments = [
            "aplay",
            "--quiet",
            f"--device={self._device}",
            f"--duration={math.ceil(self._limit)}",
            str(sound.content) if isinstance(sound.content, Path) else "-",
        ]
        with contextlib.ExitStack() as stack:
            stdin: BinaryIO | int = subprocess.DEVNULL
            try:
                if isinstance(sound.content, bytes):
                    # A pipe would have to be fed; a file in memory the child reads by itself.
                    stdin = stack.enter_context(os.fdopen(os.memfd_create("tone"), "w+b"))
                    stdin.write(sound.content)
                    stdin.seek(0)
                return subprocess.Popen(
                    arguments,
                    stdin=stdin,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    env={**os.environ, "LC_ALL": "C"},
                    # Ctrl-C at a terminal is for the gate, which then ends the sound in order.
                    start_new_session=True,
                )
            except FileNotFoundError:
                raise OutputError(
                    "there is no aplay; install it with: sudo apt install alsa-utils"
                ) from None
            except OSError as error:
                raise OutputError(f"aplay cannot be started ({error.strerror or error})") from None

    def _reason(self, sound: Sound, child: subprocess.Popen[bytes]) -> str:
        lines = [line for line in _said(child).splitlines() if line.strip()]
        # ALSA's library tells its whole way to the error; aplay sums it up.
        own = [line for line in lines if line.startswith("aplay:")] or lines
        words = own[-1].strip()[:_MOST_WORDS] if own else f"exit code {child.returncode}"
        return (
            f"{sound.name} cannot be played on the card {self._device} ({words}); "
            "aplay -L lists the cards"
        )


def _end(child: subprocess.Popen[bytes]) -> None:
    """End *child*, which may hang, and give back what belongs to it.

    Raises OutputError when even that cannot be done: the driver holds it.
    """
    try:
        if child.poll() is None:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_GRACE_SECONDS)
        if child.poll() is None:
            child.kill()
            child.wait(_KILL_SECONDS)
    except subprocess.TimeoutExpired:
        raise OutputError("aplay hangs in the sound driver and cannot be ended") from None
    finally:
        if child.stderr is not None:
            child.stderr.close()


def _said(child: subprocess.Popen[bytes]) -> str:
    """Return what *child*, which has ended, wrote to standard error, as far as it is there."""
    assert child.stderr is not None
    # Whoever inherited the other end may still hold it open.
    os.set_blocking(child.stderr.fileno(), False)
    try:
        text = os.read(child.stderr.fileno(), 8192)
    except BlockingIOError:
        return ""
    words = text.decode("utf-8", "replace")
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in words)


def _seconds(path: Path) -> float | None:
    """Return how long the WAV file at *path* is; None for a kind that Python does not know.

    Raises OutputError when a part of it is longer than the whole.
    """
    try:
        with wave.open(str(path), "rb") as wav:
            return wav.getnframes() / wav.getframerate()
    except RuntimeError:
        raise OutputError(
            f"{path} is a damaged WAV file; ffmpeg -i IN OUT.wav makes it anew"
        ) from None
    except (wave.Error, EOFError, OSError, ZeroDivisionError):
        return None
