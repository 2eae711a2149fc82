"""``maskgate doctor``: what is typed; what it does is in session.py."""

from __future__ import annotations

from typing import Any

import click

_EXIT_CODES = """\b
Exit codes:
  0    nothing keeps the gate from its work
  1    a bug in maskgate; MASKGATE_DEBUG=1 shows where
  2    an option or value that is not allowed
  5    a bundle or picture that cannot be written, or a service that cannot be stopped
  10   with --strict: a warning, and no failure
  11   a failure
  130  stopped by Ctrl-C; a stopped service was started again
"""


@click.command("doctor", epilog=_EXIT_CODES, short_help="Say what is wrong, and what to do.")
@click.option(
    "--config", metavar="FILE",
    help="The gate's configuration. The default is /etc/maskgate/gate.toml where there is one, "
    "otherwise the defaults.",
)
@click.option(
    "--outputs", is_flag=True,
    help="Switch each output on for a second, after saying which, to be seen and heard. A relay "
    "opens what it opens. The default is to set pins for less than a thousandth of a second, and "
    "relays not at all.",
)
@click.option(
    "--picture", metavar="FILE",
    help="Save one picture of the camera to this .jpg or .png file. The default is to save none.",
)
@click.option(
    "--stop-service", is_flag=True,
    help="Stop the service, which has the camera and the pins, and start it again afterwards. "
    "The default is to take its word for both.",
)
@click.option(
    "--mend", is_flag=True,
    help="Make missing folders, and delete what ended programs left unfinished. The default is to "
    "say what would be mended.",
)
@click.option(
    "--only", metavar="NAME", multiple=True,
    help="Do only this check; may be given several times. The default is all.",
)
@click.option(
    "--skip", metavar="NAME", multiple=True,
    help="Leave this check out; may be given several times. The default is none.",
)
@click.option("--list", "list_them", is_flag=True, help="List the checks, and do none.")
@click.option(
    "--strict", is_flag=True,
    help="End with code 10 if there are warnings. The default is to end with 0 then.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON. The default is a text.")
@click.option(
    "--bundle", metavar="FILE",
    help="Write everything that helps to help into this .tar.gz file: texts only, no picture, no "
    "password. The default is to write none.",
)
def doctor(**options: Any) -> int:
    """Look at the board, the camera, the outputs and the service, and say what is wrong.

    One line for each check: ok, warning, FAILURE or skipped, what was found, and behind an
    arrow what to do. Nothing is changed but with --mend.
    """
    import json
    import os
    import sys
    from pathlib import Path

    from edge.doctor.checks import CHECKS
    from edge.doctor.context import Wishes
    from edge.doctor.finding import Finding
    from edge.doctor.report import finding_line, summary_line
    from edge.doctor.session import Visit, visit

    if options["list_them"]:
        for check in CHECKS:
            click.echo(f"{check.name:<19}{check.what}")
        return 0
    as_json = options["as_json"]
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def tell(finding: Finding) -> None:
        if not as_json:
            click.echo(finding_line(finding, colour))

    def path(name: str) -> Path | None:
        return Path(options[name]) if options[name] is not None else None

    wanted = Visit(
        config=path("config"), only=options["only"], skip=options["skip"],
        wishes=Wishes(options["mend"], options["outputs"], path("picture")),
        strict=options["strict"], stop_service=options["stop_service"], bundle=path("bundle"),
    )
    outcome = visit(wanted, tell, lambda line: click.echo(line, err=True))
    if as_json:
        click.echo(json.dumps(outcome.report, indent=1, ensure_ascii=False))
    else:
        click.echo(summary_line(outcome.findings))
    return outcome.code
