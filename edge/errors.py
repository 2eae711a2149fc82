"""Every error maskgate raises on purpose, and the exit code each one ends the program with.

All of them share :class:`MaskgateError`, so one ``except`` at the rim of a program
turns any of them into a single line on standard error.  Each leaf also inherits the
builtin that a caller would already catch.  Messages name the thing, the value that was
given, what is allowed, and what to do next.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_UNEXPECTED = 1
EXIT_USAGE = 2
EXIT_SOURCE = 3
EXIT_MODEL = 4
EXIT_OUTPUT = 5
EXIT_DATA = 6
EXIT_PARITY = 7
EXIT_INTERRUPTED = 130


class MaskgateError(Exception):
    """Base of all errors that maskgate raises on purpose."""

    exit_code = EXIT_UNEXPECTED


class UsageError(MaskgateError, ValueError):
    """Error raised when an option or a configuration value is not one that is allowed."""

    exit_code = EXIT_USAGE


class SourceError(MaskgateError, OSError):
    """Error raised when a camera, a video, a folder or a picture cannot be read."""

    exit_code = EXIT_SOURCE


class ModelError(MaskgateError, ValueError):
    """Error raised when a model file is missing, damaged, or not of the kind asked for."""

    exit_code = EXIT_MODEL


class OutputError(MaskgateError, OSError):
    """Error raised when a pin, a recording or an event file cannot be driven or written."""

    exit_code = EXIT_OUTPUT


class DataError(MaskgateError, ValueError):
    """Error raised when a training or evaluation data set breaks its own format."""

    exit_code = EXIT_DATA


class ParityError(MaskgateError, ValueError):
    """Error raised when a quantised network differs from its float original by too much."""

    exit_code = EXIT_PARITY
