"""``maskgate bench``: how fast is this board, and how does that compare."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from edge.rim import Number

if TYPE_CHECKING:
    from edge.bench.session import Session
    from edge.errors import MaskgateError


_EXIT_CODES = """\b
Exit codes:
  0    measured, or compared
  1    a bug in maskgate; MASKGATE_DEBUG=1 shows where
  2    an option that is not allowed, or a file that is no benchmark or of another schema
  3    a camera that cannot be opened or gives no picture
  4    a model file that cannot be used
  5    a pin that is taken, or a file that cannot be written
  130  stopped by Ctrl-C, with what was measured until then
"""


@click.command(epilog=_EXIT_CODES, short_help="Measure how fast this board is.")
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    help="Write everything measured to this file as well, to compare it later. "
    "The default is not to.",
)
@click.option(
    "--quick",
    is_flag=True,
    help="Take few samples: seconds in place of a minute, good only to see that it works. "
    "The default is to measure properly.",
)
@click.option(
    "--minutes",
    type=Number(0, 24 * 60),
    default=0,
    metavar="N",
    help="Then run the loop for so many minutes, 0 to 1440, to see whether heat slows the board "
    "down. The default is 0.",
)
@click.option(
    "--camera",
    metavar="URI",
    help="Measure this camera alone, too; a URI as for maskgate run --source. "
    "The default is no camera.",
)
@click.option(
    "--pin",
    type=click.IntRange(2, 27),
    metavar="N",
    help="Switch this GPIO for real, by its BCM number, 2 to 27, to time it. What is connected "
    "to it goes on and off. The default is gpiozero's mock pin.",
)
@click.option(
    "--detector",
    metavar="FILE",
    help="The face detector's model file. The default is the released one.",
)
@click.option(
    "--classifier",
    metavar="FILE",
    help="The mask classifier's model file. The default is the released one.",
)
@click.option(
    "--detail",
    type=Number(1, 4),
    default=1,
    metavar="N",
    help="Let the detector look at so many times the pixels, 1 to 4, as detail in the "
    "configuration's [models] does. The default is 1.",
)
@click.option(
    "--note", default="", metavar="TEXT",
    help="Words to keep with the figures, such as the cooler. The default is none.",
)
@click.option(
    "--write-config",
    metavar="FILE",
    help="Write the best thread count into this configuration, and leave all else in it as it "
    "is. The default is only to show it.",
)
@click.option(
    "--compare",
    nargs=2,
    metavar="A.json B.json",
    help="Measure nothing: show how B differs from A, two files from --json.",
)
def bench(**options: Any) -> int:
    """Measure this board: the networks, each stage of a frame, the whole loop, a pin.

    Takes about a minute and needs no camera. The table is made to be pasted into an issue.
    Ctrl-C ends it with what was measured until then, and code 130.
    """
    from pathlib import Path

    from edge.bench.session import Session, Wishes

    if options["compare"]:
        return _compare(*map(Path, options["compare"]))
    _check_targets(options)
    wishes = Wishes(
        quick=options["quick"],
        minutes=options["minutes"],
        pin=options["pin"],
        camera=options["camera"],
        detector=options["detector"] or "",
        classifier=options["classifier"] or "",
        note=options["note"],
        detail=options["detail"],
    )
    return _measure(Session(wishes), options)


def _measure(session: Session, options: dict[str, Any]) -> int:
    from pathlib import Path

    from edge.bench.configure import write_threads
    from edge.bench.report_file import machine_key, reference_for, write_report
    from edge.bench.text import result_text
    from edge.errors import EXIT_INTERRUPTED, EXIT_OK

    whole, error = run_steps(session)
    if error is not None and not session.result.networks:
        raise error
    result = session.finish(whole=whole)
    try:
        click.echo(result_text(result, reference_for(machine_key(result.board))))
    finally:
        # Neither is lost with the other: a minute went into them.
        if options["json_file"]:
            write_report(Path(options["json_file"]), result)
    if error is not None:
        raise error
    if options["write_config"] and whole and result.advice is not None:
        path = Path(options["write_config"])
        changed = write_threads(path, result.advice.threads)
        told = "" if changed else ", as it was"
        click.echo(f"{path}: threads = {result.advice.threads}{told}")
    return EXIT_OK if whole else EXIT_INTERRUPTED


def run_steps(session: Session) -> tuple[bool, MaskgateError | None]:
    """Run the steps of *session* with a bar on standard error; return whether all were done.

    Ctrl-C and errors end them early; an error comes back, so that what was measured before it
    is not lost.
    """
    from edge.errors import MaskgateError

    tenths = round(10 * session.estimate)
    try:
        progress: Any = click.progressbar(
            length=tenths,
            file=sys.stderr,
            label="measuring",
            show_eta=False,
            show_percent=False,
            item_show_func=lambda name: str(name or ""),
        )
        with progress as bar:
            for step in session.steps():
                bar.current_item = step.name
                bar.render_progress()
                step.work()
                session.watch_board()
                bar.update(max(0, min(round(10 * step.seconds), tenths - bar.pos)))
            bar.update(tenths - bar.pos)
    except KeyboardInterrupt:
        return False, None
    except MaskgateError as error:
        return False, error
    return True, None


def _check_targets(options: dict[str, Any]) -> None:
    """Raise UsageError or OutputError now for what would fail only after a minute."""
    from pathlib import Path

    from edge.bench.configure import with_threads
    from edge.errors import OutputError
    from edge.files import check_writable, told_as
    from edge.targets import check_targets

    check_targets(
        options["camera"] or "demo:",
        {"--json": options["json_file"]},
        {f"--{name}": options[name] for name in ("detector", "classifier")}
        | {"--write-config": options["write_config"]},
    )
    if options["json_file"]:
        file = Path(options["json_file"])
        with told_as("--json", file):
            file.parent.mkdir(parents=True, exist_ok=True)
        check_writable("--json", file)
    if options["write_config"]:
        path = Path(options["write_config"])
        try:
            text = path.read_text()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise OutputError(
                f"--write-config: {path} cannot be read: {reason}; make it with "
                "maskgate config default"
            ) from None
        with_threads(text, 1, str(path))
        check_writable("--write-config", path.resolve())


def _compare(old: Any, new: Any) -> int:
    from edge.bench.comparison import comparison_text
    from edge.bench.report_file import read_report
    from edge.errors import EXIT_OK

    click.echo(comparison_text(read_report(old), read_report(new)))
    return EXIT_OK
