"""The rim of every program here: what goes wrong inside becomes one line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import click

from edge.errors import EXIT_INTERRUPTED, EXIT_OUTPUT, EXIT_UNEXPECTED, EXIT_USAGE, MaskgateError
from edge.quiet import debugging, quiet_libraries


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
        with quiet_libraries():
            code = self._guarded(lambda: super(Rim, self).main(*args, **extra))
            _flush_output()
            sys.exit(code)

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
            advice = f"See {self._program} --help."
            return self._complain(f"{error.format_message()} {advice}", EXIT_USAGE)
        except (KeyboardInterrupt, click.Abort):
            return self._complain(self._interrupted, EXIT_INTERRUPTED)
        except BrokenPipeError:
            return self._complain("standard output was closed by its reader", EXIT_OUTPUT)
        except Exception as error:
            if debugging():
                raise
            return self._complain(
                f"unexpected {type(error).__name__}: {error}. This is a bug: please report it with "
                "the traceback that MASKGATE_DEBUG=1 shows",
                EXIT_UNEXPECTED,
            )

    def _complain(self, line: str, code: int) -> int:
        click.echo(f"{self._program}: " + " ".join(line.split()), err=True)
        return code


def _flush_output() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader is gone; Python would fail again, with a traceback, when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
