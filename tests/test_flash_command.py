"""scripts/flash as a person runs it: what it refuses, and what is left behind."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge.errors import UsageError
from scripts.flashing import mounts
from scripts.flashing.firstboot import SETUP
from scripts.flashing.partitions import read_layout
from scripts.flashing.tools import need
from tests.cards import BOOKWORM, TRIXIE, image_of, needs_file_systems, system_in

ROOT = Path(__file__).resolve().parents[1]
CONFIG = '[camera]\nsource = "picamera2://0"\n'


def can_mount() -> bool:
    """Whether this process may make mounts of its own and the kernel has loop devices."""
    if os.geteuid() != 0 or not Path("/dev/loop-control").exists():
        return False
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return done.returncode == 0


needs_mounts = pytest.mark.skipif(not can_mount(), reason="needs root and loop devices")


def flash(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "scripts/flash"), *map(str, arguments)], cwd=folder, capture_output=True,
        text=True, timeout=300, env={**os.environ, "PYTHON": sys.executable},
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a configuration and an empty image with its checksum."""
    (tmp_path / "gate.toml").write_text(CONFIG)
    image = tmp_path / "raspios.img"
    image.write_bytes(bytes(4096))
    checksum(image)
    return tmp_path


def checksum(image: Path) -> None:
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    image.with_name(f"{image.name}.sha256").write_text(f"{digest}  {image.name}\n")


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("change", "arguments", "code", "told"),
    [
        ({"gate.toml": "[camera]\nsorce = 1\n"}, [], 2, "did you mean source"),
        ({"gate.toml": "[camera\n"}, [], 2, "is not TOML"),
        ({"gate.toml": ""}, [], 2, "camera.source is demo:, the built-in scene"),
        ({}, ["--config", "gone.toml"], 2, "gone.toml"),
        ({}, ["--image", "gone.img"], 3, "gone.img: cannot be read: No such file"),
        ({}, ["--device", "/dev/null"], 2, "name one of --device DISK and --output FILE"),
        ({"gate.img": ""}, [], 2, "is there already; name a new file"),
        ({}, ["--output", "gone/gate.img"], 2, "its folder is not there"),
        ({}, ["--sha256", "abc"], 2, "is no SHA-256"),
        ({}, ["--ssh-key", "gone.pub"], 2, "--ssh-key gone.pub: cannot be read"),
        ({"key": "PRIVATE\n"}, ["--ssh-key", "key"], 2, "never the private key"),
        ({"p": "\n"}, ["--wifi-password-file", "p"], 2, "its first line is empty"),
        ({}, ["--hostname", "a b"], 2, "--hostname is 'a b'"),
        ({}, ["--wheels", "."], 2, "has no maskgate-*.whl"),
        ({}, ["--work", "."], 2, "--work goes with --device only"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_nothing_is_written(
    place: Path, change: dict[str, str], arguments: list[str], code: int, told: str
) -> None:
    for name, text in change.items():
        (place / name).write_text(text)
    before = files(place)
    wanted = ["--image", "raspios.img", "--config", "gate.toml", "--output", "gate.img"]
    done = flash(place, *wanted, *arguments)
    assert (done.returncode, files(place)) == (code, before), done.stderr
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1 and "Traceback" not in done.stderr


def test_help_names_every_option() -> None:
    done = flash(ROOT, "--help")
    assert done.returncode == 0
    for option in ("--image", "--config", "--device", "--output", "--first-boot", "--wifi-ssid"):
        assert option in done.stdout


@pytest.fixture
def without_qemu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(mounts.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(mounts, "_BINFMT", tmp_path / "gone")


@pytest.mark.usefixtures("without_qemu")
def test_a_workstation_without_qemu_is_told_what_to_install() -> None:
    with pytest.raises(UsageError, match=r"apt install qemu-user-static.*or use --first-boot"):
        mounts.check_can_run_arm64()


def test_a_program_that_is_missing_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match=r"resize2fs is missing; sudo apt install e2fsprogs"):
        need("resize2fs")


def test_without_rights_of_root_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from scripts.flashing import command

    monkeypatch.setattr(command.os, "geteuid", lambda: 1000)
    with pytest.raises(UsageError, match="run it as root: sudo scripts/flash"):
        command._check_workstation(True, False)


def test_no_room_is_told_before_anything_is_written(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge.errors import OutputError
    from scripts.flashing import job
    from scripts.flashing.personal import Personal

    monkeypatch.setattr(job.shutil, "disk_usage", lambda path: SimpleNamespace(free=1_500_000_000))
    wanted = job.Job(
        place / "raspios.img", "0" * 64, place / "gate.toml", Personal(), place / "gate.img", None,
        None, place, True,
    )
    with pytest.raises(OutputError, match=r"1\.5 GB are free, and 2\.1 are needed"):
        job.check_space(wanted)


def test_the_program_of_the_first_boot_is_one_for_a_shell() -> None:
    done = subprocess.run(["sh", "-n"], input=SETUP, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    # The installer is one for bash, which sh is not on Raspberry Pi OS.
    assert 'bash "$here/program/scripts/install-device"' in SETUP


@needs_mounts
@needs_file_systems
class TestImage:
    """With images that have real file systems."""

    @pytest.fixture
    def wheels(self, place: Path) -> Path:
        folder = place / "wheels"
        folder.mkdir()
        (folder / "maskgate-1-py3-none-any.whl").write_bytes(b"wheel")
        return folder

    def made(self, place: Path, release: str, processor: str = "arm64", extra: str = "cloud-init"
             ) -> None:
        image_of(system_in(place / "root", release, processor, extra), place / "raspios.img")
        checksum(place / "raspios.img")

    def flash(self, place: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
        return flash(
            place, "--image", "raspios.img", "--config", "gate.toml", "--output", "gate.img",
            "--first-boot", "--wheels", "wheels", *arguments,
        )

    def test_the_light_variant_puts_all_it_needs_on_the_boot_partition(
        self, place: Path, wheels: Path
    ) -> None:
        self.made(place, TRIXIE)
        done = self.flash(place, "--hostname", "door1", "--wifi-country", "AT")
        assert done.returncode == 0, done.stderr
        image = place / "gate.img"
        start = read_layout(image).boot.start

        def read(name: str) -> str:
            command = ["mtype", "-i", f"{image}@@{start}", f"::/{name}"]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout

        assert "hostname: door1" in read("user-data")
        assert "sh /boot/firmware/maskgate/setup.sh" in read("user-data")
        assert read("maskgate/gate.toml") == CONFIG
        assert read("maskgate/wheels/maskgate-1-py3-none-any.whl") == "wheel"
        assert read("maskgate/program/scripts/install-device").startswith("#!/usr/bin/env bash")
        assert "regdom=AT" in read("cmdline.txt")
        assert image.stat().st_mode & 0o077 == 0

    @pytest.mark.parametrize(
        ("release", "processor", "extra", "code", "told"),
        [
            (TRIXIE, "armhf", "cloud-init", 2, "this image is armhf"),
            (BOOKWORM, "arm64", "", 2, "--first-boot needs cloud-init"),
            (TRIXIE.replace("trixie", "forky"), "arm64", "", 2, "this image is Debian"),
        ],
    )
    def test_an_unfit_image_leaves_nothing_behind(
        self, place: Path, wheels: Path, release: str, processor: str, extra: str, code: int,
        told: str,
    ) -> None:
        self.made(place, release, processor, extra)
        before = files(place)
        done = self.flash(place)
        assert (done.returncode, files(place)) == (code, before), done.stderr
        assert told in done.stderr.splitlines()[-1]

    def test_a_wrong_checksum_ends_it_at_once(self, place: Path, wheels: Path) -> None:
        self.made(place, TRIXIE)
        before = files(place)
        done = self.flash(place, "--sha256", "0" * 64)
        assert (done.returncode, files(place)) == (3, before)
        assert "download it again" in done.stderr

    def test_a_damaged_file_system_leaves_nothing_behind(self, place: Path, wheels: Path) -> None:
        self.made(place, TRIXIE)
        image = place / "raspios.img"
        with image.open("r+b") as file:
            file.seek(read_layout(image).root.start)
            file.write(os.urandom(4 * 1024 * 1024))
        checksum(image)
        before = files(place)
        done = self.flash(place)
        assert (done.returncode, files(place)) == (5, before), done.stderr
        assert "cannot be mounted, the image may be damaged" in done.stderr

    def test_a_mounted_disk_is_refused(self, place: Path, wheels: Path) -> None:
        (root,) = [
            line.split()[0] for line in Path("/proc/mounts").read_text().splitlines()
            if line.split()[1] == "/" and line.startswith("/dev/")
        ] or [None]
        if root is None:
            pytest.skip("the root file system is on no disk")
        self.made(place, TRIXIE)
        done = flash(
            place, "--image", "raspios.img", "--config", "gate.toml", "--device", root,
            "--first-boot", "--wheels", "wheels", "--yes",
        )
        assert done.returncode == 2
        assert "is in use at" in done.stderr or "name the whole disk" in done.stderr
