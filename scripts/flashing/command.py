"""``scripts/flash`` as a person types it."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.errors import UsageError
from edge.rim import Rim

if TYPE_CHECKING:
    from scripts.flashing.job import Job

_EXIT_CODES = """\b
Exit codes:
  0    done, and read back
  1    a bug; MASKGATE_DEBUG=1 shows where
  2    an option, configuration, disk, image or workstation that is not fit; nothing was written
  3    an image that is damaged, not whole, or not the one that was meant
  5    something could not be written; what is there starts no board
  130  stopped by Ctrl-C; the same
"""
_FILE = click.Path(path_type=Path)


@click.group(
    cls=Rim, program="flash", interrupted="stopped; there is no finished card or image",
    invoke_without_command=True, epilog=_EXIT_CODES, subcommand_metavar="",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("--image", type=_FILE, required=True, metavar="FILE",
              help="Raspberry Pi OS Lite (64-bit), Bookworm or Trixie, .img.xz or .img.")
@click.option("--config", type=_FILE, required=True, metavar="FILE",
              help="The gate's configuration; edge/gate.toml is one to begin with.")
@click.option("--device", type=_FILE, metavar="DISK", help="The card, such as /dev/sdX.")
@click.option("--output", type=_FILE, metavar="FILE", help="Write to this new file instead.")
@click.option("--sha256", metavar="HEX",
              help="The image's checksum. The default is in the file IMAGE.sha256 beside it.")
@click.option("--hostname", default="", help="The board's name. The default is the image's.")
@click.option("--user", default="gate", help="Who may log in, by key alone. The default is gate.")
@click.option("--ssh-key", type=_FILE, metavar="FILE",
              help="That user's public key, such as ~/.ssh/id_ed25519.pub. The default: no SSH.")
@click.option("--wifi-ssid", default="", help="The shop's Wi-Fi. The default is none.")
@click.option("--wifi-password-file", type=_FILE, metavar="FILE", help="A file with its password.")
@click.option("--wifi-country", default="", metavar="XX", help="Where the radio is, such as AT.")
@click.option("--timezone", default="", help="Such as Europe/Vienna. The default is the image's.")
@click.option("--first-boot", is_flag=True,
              help="Trixie only: install at the first start, from the network; needs no qemu.")
@click.option("--read-only", is_flag=True,
              help="Trixie only: after the first start the card's system cannot be written to.")
@click.option("--wheels", type=_FILE, metavar="FOLDER",
              help="Wheels by scripts/make-bundle. The default is to download them.")
@click.option("--work", type=_FILE, metavar="FOLDER",
              help="With --device: where the image is made, 6 GB. The default is /var/tmp.")
@click.option("--yes", is_flag=True, help="Do not ask before the disk is overwritten.")
def flash(**options: object) -> None:
    """Make a card that, in a Raspberry Pi with a camera, is a working gate.

    Run it as root.  Everything is checked before anything is written: the configuration, the
    disk, the image's checksum.
    """
    from scripts.flashing.job import carry_out, check_space, room_needed

    job, device = _job(options)
    _check_config(job.config)
    _check_workstation(job.first_boot, job.read_only)
    check_space(job)
    if device is not None:
        from scripts.flashing.card import disk

        found = disk(device, room_needed(job.source, job.read_only))
        if not options["yes"]:
            _ask(found.words)
        job = replace(job, disk=found)
    carry_out(job, lambda text: click.echo(text, err=True))
    click.echo(f"Done: {job.output or device}.")
    click.echo("Put it into the board and switch it on; docs/flashing.md tells what you see.")


def _job(options: dict[str, object]) -> tuple[Job, Path | None]:
    """Return what is to be done, and where the disk is of which nobody has been asked yet."""
    from scripts.flashing.image import expected_digest, unpacked_size
    from scripts.flashing.job import Job
    from scripts.flashing.personal import Personal

    def path(name: str) -> Path | None:
        value = options[name]
        assert value is None or isinstance(value, Path)
        return value

    source, config, output, disk = path("image"), path("config"), path("output"), path("device")
    assert source is not None and config is not None
    if (output is None) == (disk is None):
        raise UsageError("name one of --device DISK and --output FILE, where the gate is put")
    if output is not None and output.exists():
        raise UsageError(f"--output {output} is there already; name a new file")
    if output is not None and not output.absolute().parent.is_dir():
        raise UsageError(f"--output {output}: its folder is not there; make it first")
    unpacked_size(source)
    sha256 = options["sha256"]
    personal = Personal(
        hostname=str(options["hostname"]), user=str(options["user"]),
        ssh_key=_line(path("ssh_key"), "--ssh-key"), wifi_ssid=str(options["wifi_ssid"]),
        wifi_password=_line(path("wifi_password_file"), "--wifi-password-file"),
        wifi_country=str(options["wifi_country"]), timezone=str(options["timezone"]),
    )
    wheels = path("wheels")
    if wheels is not None and not list(wheels.glob("maskgate-*.whl")):
        raise UsageError(f"--wheels {wheels}: has no maskgate-*.whl; make it: scripts/make-bundle")
    beside = output.absolute().parent if output is not None else Path("/var/tmp")
    if path("work") is not None and output is not None:
        raise UsageError("--work goes with --device only; an image is made where --output says")
    keep = path("work") or beside
    if not keep.is_dir():
        raise UsageError(f"--work {keep}: is no folder; make it first")
    digest = expected_digest(source, None if sha256 is None else str(sha256))
    job = Job(
        source=source.absolute(), digest=digest, config=config, personal=personal,
        output=output.absolute() if output is not None else None, disk=None, wheelhouse=wheels,
        keep=keep, first_boot=bool(options["first_boot"]),
        read_only=bool(options["read_only"]),
    )
    return job, disk


def _line(path: Path | None, name: str) -> str:
    """Return the first line of a small file, whose content is for nobody's screen."""
    if path is None:
        return ""
    try:
        with path.open(encoding="utf-8") as file:
            line = file.readline(4096).strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is no text"
        raise UsageError(f"{name} {path}: cannot be read: {why}") from None
    if not line:
        raise UsageError(f"{name} {path}: its first line is empty")
    return line


def _check_config(path: Path) -> None:
    """Raise the first mistake of the configuration, as ``maskgate config check`` would."""
    from edge.config import read_config

    source = read_config(str(path)).camera.source
    # A device has no scikit-image, whose portrait that is, and nobody walks through it.
    if source.startswith("demo:"):
        raise UsageError(
            f"{path}: camera.source is {source}, the built-in scene; a door has a camera: set "
            "picamera2://0, csi://0 or 0 (the first USB camera)"
        )


def _check_workstation(first_boot: bool, read_only: bool) -> None:
    from scripts.flashing.mounts import check_can_run_arm64
    from scripts.flashing.tools import need

    if os.geteuid() != 0:
        raise UsageError("it mounts images and writes to disks; run it as root: sudo scripts/flash")
    need("mount", "losetup", "lsblk", "e2fsck", "resize2fs")
    if read_only:
        need("mke2fs")
    if not first_boot:
        need("chroot", "systemd-sysusers")
        check_can_run_arm64()


def _ask(words: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"{words}: will be overwritten; nobody is here to say yes, use --yes")
    click.confirm(f"All that is on {words} will be lost. Write to it?", abort=True)

