"""``maskgate config``: is this file right, what does it change, and a file to begin with."""

from __future__ import annotations

import click

from edge.errors import EXIT_OK, EXIT_USAGE


@click.group(short_help="Check a configuration, or print one.")
def config() -> None:
    """Check a configuration file, show what holds, or print one to begin with."""


@config.command(short_help="Say whether a configuration is right.")
@click.argument("file", metavar="FILE")
def check(file: str) -> int:
    """Say whether FILE is right, and each key in which it differs from the defaults.

    Nothing is opened or driven: a camera that is not there is found by maskgate run.  Ends with
    code 0, or with 2 after one line for each mistake.
    """
    from edge.config import examined
    from edge.config_show import differences

    found, problems = examined(file)
    if found is None:
        for problem in problems:
            click.echo(problem, err=True)
        return EXIT_USAGE
    lines = differences(found)
    click.echo(f"{file}: ok" + ("" if lines else ", and as the defaults are"))
    for line in lines:
        click.echo(line)
    return EXIT_OK


@config.command(short_help="Show the settings that hold.")
@click.argument("file", metavar="[FILE]", required=False)
@click.option(
    "--secrets",
    is_flag=True,
    help="Show passwords as well. The default is to hide them, so that what is shown may be "
    "passed on.",
)
def show(file: str | None, secrets: bool) -> None:
    """Show every key with the value that holds by FILE, as TOML.

    Without FILE these are the defaults.
    """
    from edge.config import default_config, read_config
    from edge.config_show import effective_text

    settings = default_config() if file is None else read_config(file)
    click.echo(effective_text(settings, secrets=secrets), nl=False)


@config.command(short_help="Print a commented file to begin with.")
def default() -> None:
    """Print the commented configuration with every key and its default.

    maskgate config default > gate.toml
    """
    from edge.config import config_text

    click.echo(config_text(), nl=False)
