"""Doing checks one after another, so that none of them can hang or end the doctor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from edge.doctor.asking import TookTooLong, within
from edge.doctor.checks import Check
from edge.doctor.context import Context, Unsettled
from edge.doctor.finding import Finding, failure, skipped
from edge.errors import MaskgateError

_MOST_CHARACTERS = 2000


def run_checks(
    checks: Sequence[Check], ctx: Context, shown: Callable[[str], str] = str
) -> Iterator[Finding]:
    """Yield what each of *checks* found, as soon as it did; raises nothing.

    *shown* takes secrets out of a text.
    """
    for check in checks:
        found = replace(run_check(check, ctx), name=check.name)
        yield replace(
            found, found=_line(shown(found.found)), advice=_line(shown(found.advice)),
            mended=_line(shown(found.mended)),
        )


def run_check(check: Check, ctx: Context) -> Finding:
    """Return what *check* found; that it failed or took too long is a finding, too."""
    outputs = tuple(ctx.config.outputs.values()) if ctx.config and ctx.wishes.outputs else ()
    limit = check.limit(outputs)
    try:
        return within(limit, lambda: check.looks(ctx), check.name)
    except TookTooLong:
        return failure(
            f"the check gave up after {limit:g} s: something it asks does not answer",
            "look at 'dmesg', and restart the board",
        )
    except Unsettled as error:
        return skipped(f"{error}, and this goes by it")
    except MaskgateError as error:
        return failure(str(error))
    except (Exception, SystemExit) as error:  # a doctor that falls ill tells of it, and goes on
        return failure(
            f"the check itself failed ({type(error).__name__}: {error})",
            "please report this; --skip leaves it out",
        )


def _line(text: str) -> str:
    one = " ".join(text.split())
    return one if len(one) <= _MOST_CHARACTERS else f"{one[:_MOST_CHARACTERS]}..."
