"""The rim of every program here: what goes wrong inside becomes one line and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from edge.errors import (
    EXIT_INTERRUPTED,
    EXIT_OUTPUT,
    EXIT_UNEXPECTED,
    EXIT_USAGE,
    MaskgateError,
    OutputError,
)
from edge.quiet import debugging, quiet_libraries

_LOST = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EIO)


class Rim(click.Group):
    """A group of commands that ends with one line and a documented exit code, never a traceback.

    *program* is the name a line begins with, *interrupted* what Ctrl-C says.  With
    ``MASKGATE_DEBUG=1`` errors are raised as they are.
    """

    def __init__(
        self,
        *args: Any,
        program: str = "maskgate",
        interrupted: str = "stopped",
        **extra: Any,
    ) -> None:
        super().__init__(*args, **extra)
        self._program = program
        self._interrupted = interrupted

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command line and exit."""
        extra = {"prog_name": self._program, **extra, "standalone_mode": False}
        _replace_closed_streams()
        with quiet_libraries():
            code = self._guarded(lambda: super(Rim, self).main(*args, **extra))
            fault = _output_fault()
            if fault is not None:
                _drop_output()
                if code == 0:
                    code = self._complain(_output_words(fault), EXIT_OUTPUT)
            sys.exit(code)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse the command line, which is where --help and --version print."""
        with _output_loss_told():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command of *ctx*."""
        with _output_loss_told():
            return super().invoke(ctx)

    def _guarded(self, program: Callable[[], Any]) -> int:
        """Run *program*; return its exit code, after one line for what went wrong."""
        try:
            code = program()
            return code if isinstance(code, int) else 0
        except MaskgateError as error:
            if debugging():
                raise
            return self._complain(str(error), error.exit_code)
        except click.ClickException as error:
            # click 8.2 made "no command was given" an error, whose message is the whole help.
            if type(error).__name__ == "NoArgsIsHelpError":
                click.echo(error.format_message(), err=True)
                return EXIT_USAGE
            advice = f"See {self._program}{_command(error)} --help."
            return self._complain(f"{error.format_message()} {advice}", EXIT_USAGE)
        except (KeyboardInterrupt, click.Abort):
            return self._complain(self._interrupted, EXIT_INTERRUPTED)
        except Exception as error:
            if debugging():
                raise
            return self._complain(
                f"unexpected {type(error).__name__}: {error}. This is a bug: please report it with "
                "the traceback that MASKGATE_DEBUG=1 shows",
                EXIT_UNEXPECTED,
            )

    def _complain(self, line: str, code: int) -> int:
        # Where even standard error is full or gone the exit code is all that is left to say it.
        with contextlib.suppress(OSError, ValueError):
            click.echo(f"{self._program}: " + " ".join(line.split()), err=True)
        return code


class Number(click.FloatRange):
    """A number in a range; not NaN either, which no comparison finds outside of one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if number != number:
            self.fail(f"{value} is no number.", param, ctx)
        return number


def _command(error: click.ClickException) -> str:
    """Return the command that was typed wrong, such as `` run``; nothing for the program itself."""
    asked = getattr(error, "ctx", None)
    if not isinstance(asked, click.Context):
        return ""
    return asked.command_path.removeprefix(asked.find_root().command_path)


def _replace_closed_streams() -> None:
    # Python has None for a stream that was closed before it started, as by `>&-`.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115


@contextlib.contextmanager
def _output_loss_told() -> Iterator[None]:
    """Turn output that nobody takes into OutputError; click would leave in silence for a pipe."""
    try:
        yield
    except OSError as error:
        if error.errno not in _LOST:
            raise
        raise OutputError(_output_words(error)) from error


def _output_fault() -> OSError | None:
    try:
        sys.stdout.flush()
    except OSError as error:
        return error
    except ValueError:
        return None
    return None


def _output_words(error: OSError) -> str:
    if error.errno == errno.EPIPE:
        return "standard output was closed by its reader"
    reason = error.strerror or error
    return f"cannot write: {reason}; make room, or send standard output elsewhere"


def _drop_output() -> None:
    # Python would fail again, with a traceback, when it flushes at exit.
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
