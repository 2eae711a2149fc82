"""``maskgate-studio``: start the web page."""

from __future__ import annotations

import importlib
import ipaddress
import os
from dataclasses import replace
from importlib import util
from pathlib import Path

import click

from edge import __version__
from edge.errors import UsageError
from edge.rim import Rim
from train.studio.settings import VARIABLE, StudioSettings, settings_text

HERE = Path(__file__).parent
_EXIT_CODES = """\b
Exit codes:
  0    stopped
  1    a bug in maskgate; MASKGATE_DEBUG=1 shows where
  2    an option that is not allowed, or Streamlit is missing
"""


class _Studio(Rim):
    """A rim around one command, which needs no name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        asked = args and args[0] in ("--help", "--version", *self.commands)
        return super().parse_args(ctx, args if asked else ["start", *args])


@click.group(cls=_Studio, program="maskgate-studio", epilog=_EXIT_CODES)
@click.version_option(__version__, package_name="maskgate")
def main() -> None:
    """Try, train, convert, compare and watch, on a web page.

    maskgate-studio start --help lists the options; "start" may be left out.
    """


@main.command(epilog=_EXIT_CODES)
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), metavar="DIR",
              show_default=True, help="Folder of the runs, one folder each.")
@click.option("--data", type=click.Path(path_type=Path), multiple=True, metavar="DIR",
              help="Folder below which data sets may be chosen; may be given several times.")
@click.option("--corrections", type=click.Path(path_type=Path), metavar="FILE",
              help="CSV that re-labelling writes. Default: corrections.csv in --runs.")
@click.option("--gates", type=click.Path(path_type=Path), metavar="FILE",
              help="TOML that names the gates.")
@click.option("--signing-key", type=click.Path(path_type=Path), metavar="FILE",
              help="Sign what is promoted with this private key, as `maskgate model keygen` "
              "writes it. Default: releases are not signed.")
@click.option("--tracking", default="local", show_default=True, metavar="URI",
              help="Record runs with MLflow, where it is installed, in this store; local is "
              "mlflow/mlflow.db in --runs, none is nowhere.")
@click.option("--address", default="127.0.0.1", show_default=True,
              help="Address to listen on; another than this machine's own needs --password-file.")
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True)
@click.option("--password-file", type=click.Path(path_type=Path), metavar="FILE",
              help="Ask visitors for the password in its first line.")
@click.option("--certificate", type=click.Path(path_type=Path), metavar="FILE",
              help="PEM for HTTPS; needs --certificate-key.")
@click.option("--certificate-key", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--host", "hosts", multiple=True, metavar="NAME",
              help="Name that visitors may reach the studio by, besides its address.")
def start(
    runs: Path, data: tuple[Path, ...], corrections: Path | None, gates: Path | None,
    signing_key: Path | None, tracking: str, address: str, port: int,
    password_file: Path | None, certificate: Path | None, certificate_key: Path | None,
    hosts: tuple[str, ...],
) -> None:
    """Start the studio and stay until Ctrl-C."""
    settings = replace(
        checked_settings(runs, data, corrections, gates, address, password_file),
        signing_key=checked_key(signing_key), tracking=chosen_tracking(tracking, runs),
    )
    if (certificate is None) != (certificate_key is None):
        raise UsageError("--certificate and --certificate-key belong together; give both")
    if util.find_spec("streamlit") is None:
        raise UsageError("the studio needs Streamlit; install it with: pip install "
                         "'maskgate[studio]'")
    os.environ[VARIABLE] = settings_text(settings)
    options = server_options(address, port, certificate, certificate_key, hosts)
    _serve(options)


def checked_settings(
    runs: Path, data: tuple[Path, ...], corrections: Path | None, gates: Path | None,
    address: str, password_file: Path | None,
) -> StudioSettings:
    """Return the settings of what was given; raises UsageError for what is not allowed."""
    if password_file is None and not is_own(address):
        raise UsageError(
            f"--address {address}: others could reach the studio, and start programs with it; "
            "give --password-file too, or leave --address out"
        )
    if password_file is not None:
        from train.studio.password import SHORTEST, first_line

        if len(first_line(str(password_file))) < SHORTEST:
            raise UsageError(f"--password-file {password_file}: use {SHORTEST} letters or more")
    from train.studio.datasets import is_text

    for folder in data:
        if not folder.is_dir():
            raise UsageError(f"--data {folder}: no such folder")
        if not is_text(str(folder.resolve())):
            raise UsageError(f"--data {str(folder)!a}: its path is no UTF-8; rename the folder")
    if gates is not None:
        from train.studio.gates import read_fleet

        read_fleet(gates)
    runs.mkdir(parents=True, exist_ok=True)
    return StudioSettings(
        runs=str(runs.resolve()),
        data=tuple(str(folder.resolve()) for folder in data),
        corrections=str((corrections or runs / "corrections.csv").resolve()),
        gates=str(gates.resolve()) if gates else "",
        password_file=str(password_file.resolve()) if password_file else "",
    )


def checked_key(path: Path | None) -> str:
    """Return the place of the signing key; raises UsageError where no file can be read there.

    What is in it only the job reads that signs.
    """
    if path is None:
        return ""
    if not path.is_file() or not os.access(path, os.R_OK):
        raise UsageError(
            f"--signing-key {path}: no file that can be read; `maskgate model keygen` makes one"
        )
    return str(path.resolve())


def chosen_tracking(given: str, runs: Path) -> str:
    """Return the URI that runs are recorded in, "" for none; tell where MLflow is missing."""
    from train.studio.tracking import checked_uri, local_uri, missing

    if given == "none":
        return ""
    uri = local_uri(runs) if given == "local" else checked_uri(given)
    trouble = missing(uri)
    if trouble:
        click.echo(f"runs are not recorded: {trouble}, or give --tracking none", err=True)
        return ""
    return uri


def is_own(address: str) -> bool:
    """Return whether only this machine reaches *address*."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def server_options(
    address: str, port: int, certificate: Path | None = None, key: Path | None = None,
    hosts: tuple[str, ...] = (),
) -> dict[str, object]:
    """Return Streamlit's options by name, as ``server.port``."""
    from train.studio.trying import MOST_MEGABYTES

    names = ["localhost", "127.0.0.1", "[::1]"] if is_own(address) else []
    return {
        "server.address": address,
        "server.port": port,
        "server.headless": True,
        "server.enableCORS": True,
        "server.enableXsrfProtection": True,
        "server.xsrfCookieSameSite": "strict",
        # Another site's name that leads here must not get a visitor's browser to do its will.
        "server.allowedHosts": [*names, *hosts],
        "server.maxUploadSize": MOST_MEGABYTES,
        "server.maxMessageSize": 2 * MOST_MEGABYTES,
        "server.enableStaticServing": False,
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        "server.sslCertFile": str(certificate) if certificate else None,
        "server.sslKeyFile": str(key) if key else None,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        # A traceback would tell visitors of the machine; it stands on the terminal.
        "client.showErrorDetails": "none",
        "runner.magicEnabled": False,
        "theme.primaryColor": "#0072B2",
        "theme.baseRadius": "medium",
    }


def _serve(options: dict[str, object]) -> None:
    from streamlit import config
    from streamlit.web import bootstrap

    # Older versions know fewer options, and say so of each one that they do not.
    there = config._config_options_template
    known = {name: value for name, value in options.items() if name in there}
    flags = {name.replace(".", "_"): value for name, value in known.items() if value is not None}
    bootstrap.load_config_options(flags)
    # What the pages rest on takes seconds to import; better now than for the first visitor.
    importlib.import_module("train.studio.app")
    bootstrap.run(str(HERE / "app.py"), False, [], flags)
