"""``maskgate events``: what is typed; what it does is in events.py."""

from __future__ import annotations

from typing import Any

import click

# What SQLite counts with.
_MOST = 2**63 - 1
_EXIT_CODES = """\b
Exit codes:
  0    done, also when nothing was found
  2    an option or value that is not allowed
  5    a journal that is missing or cannot be read, or a file that cannot be written
  130  stopped by Ctrl-C
"""


@click.command("events", epilog=_EXIT_CODES, short_help="Show what happened at the gate.")
@click.option(
    "--config",
    metavar="FILE",
    envvar="MASKGATE_CONFIG",
    help="The gate's configuration, which names its journal. The default is MASKGATE_CONFIG, and "
    "without that none.",
)
@click.option(
    "--journal",
    metavar="FILE",
    help="The journal's file. The default is journal.db in $STATE_DIRECTORY, or else the "
    "service's, /var/lib/maskgate/journal.db.",
)
@click.option(
    "--since",
    metavar="WHEN",
    help="From then on: a date such as 2024-01-31, today, yesterday, a time such as 10:30 or "
    "'2024-01-31 10:30', or how long ago: 90s, 30min, 2h, 7d. Local time. "
    "The default is the beginning.",
)
@click.option(
    "--until",
    metavar="WHEN",
    help="Until then, written alike; a date means its end. The default is now.",
)
@click.option(
    "--day",
    metavar="DATE",
    help="On this day: a date, today or yesterday. The default is every day; of --plot, today.",
)
@click.option(
    "--kind",
    "kinds",
    metavar="KIND",
    multiple=True,
    help="Only events of this kind, such as camera_fault; may be given several times. "
    "The default is all.",
)
@click.option(
    "--verdict",
    "verdicts",
    type=click.Choice(["mask", "no_mask", "incorrect", "unsure"]),
    multiple=True,
    help="Only people judged so; may be given several times. The default is all.",
)
@click.option(
    "--person",
    type=click.IntRange(1, _MOST),
    metavar="N",
    help="Only this person; numbers begin anew with each start and reload. "
    "The default is everyone.",
)
@click.option(
    "--last",
    type=click.IntRange(1, _MOST),
    metavar="N",
    help="Only the newest N. The default is 50, and all with --since, --until, --day, --csv or "
    "--json.",
)
@click.option(
    "--follow", is_flag=True, help="Go on showing what happens. The default is to end."
)
@click.option(
    "--csv",
    "csv_file",
    metavar="FILE",
    help="Write CSV to this file, - being standard output. The default is a table.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON lines. The default is a table."
)
@click.option(
    "--plot",
    metavar="[FILE]",
    is_flag=False,
    flag_value="-",
    help="Draw one day: people by verdict and hour, alarms and faults. With a FILE that ends in "
    ".svg or .png into that, else in the terminal. The default is a table.",
)
def events(**options: Any) -> None:
    """Show what happened at the gate, newest last, in local time.

    The service is never disturbed: its journal is only read, also while it writes.
    """
    # Loaded only now, so that --help answers at once.
    from edge.journal.events import show_events

    show_events(options)
