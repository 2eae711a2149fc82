"""A card whose system cannot be written to: its third partition, and how it seals itself."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge.errors import OutputError, UsageError
from scripts.flashing import job
from scripts.flashing.mounts import mounted
from scripts.flashing.partitions import BLOCK, add_data, read_layout
from scripts.flashing.personal import Personal
from scripts.flashing.readonly import DATA_SIZE, KEPT, LABEL, SEAL, fstab, log_folders
from tests.cards import BOOKWORM, FSTAB, MIB, TRIXIE, image_of, needs_file_systems, system_in, table
from tests.test_flash_command import CONFIG, ROOT, checksum, files, flash, needs_mounts

ROOT_LINE = FSTAB.splitlines()[-1]


def mounts(text: str) -> dict[str, list[str]]:
    """Place -> the fields of its line in an fstab."""
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    assert len({line[1] for line in lines}) == len(lines), text
    return {line[1]: line for line in lines}


def test_what_the_gate_keeps_is_on_the_third_partition_and_what_is_passing_in_memory() -> None:
    found = mounts(fstab(FSTAB))
    assert found["/data"][:3] == [f"LABEL={LABEL}", "/data", "ext4"]
    assert found["/data"][-1] == "2"  # is checked at the start
    for name in KEPT:
        assert found[f"/{name}"][:3] == [f"/data/{name}", f"/{name}", "none"]
    assert {found[f"/{name}"][2] for name in ("tmp", "var/tmp", "var/log")} == {"tmpfs"}
    assert ROOT_LINE in fstab(FSTAB)


def test_a_line_for_the_same_place_is_replaced_and_everything_else_stays() -> None:
    text = f"# mine\n{FSTAB}tmpfs /tmp tmpfs size=1G 0 0\n/dev/sda1 /stick vfat nofail 0 0\n"
    found = fstab(text)
    assert "size=25%" in mounts(found)["/tmp"][3]
    assert found.startswith("# mine\n") and "/stick" in mounts(found)
    assert fstab(found) == found


@pytest.mark.parametrize("text", ["", "# / ext4\n", "proc /proc proc defaults 0 0\n"])
def test_an_fstab_without_a_root_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"/etc/fstab has no line for /,.*Trixie"):
        fstab(text)


def test_folders_of_logs_are_made_anew_but_for_the_one_that_would_wear_the_card_out(
    tmp_path: Path
) -> None:
    for name in ("apt", "journal", "private"):
        (tmp_path / name).mkdir(mode=0o700)
    (tmp_path / "wtmp").write_bytes(b"")
    (tmp_path / "apt").chmod(0o755)
    about = tmp_path.stat()
    owner = f"{about.st_uid} {about.st_gid}"
    assert log_folders(tmp_path) == (
        f"d /var/log/apt 0755 {owner} -\nd /var/log/private 0700 {owner} -\n"
    )


def test_the_third_partition_is_where_the_table_says(tmp_path: Path) -> None:
    image = tmp_path / "x.img"
    image.write_bytes(table((0x0C, 2048, 2048), (0x83, 4096, 2049)) + bytes(4 * MIB - 512))
    layout = add_data(image, read_layout(image), 5 * MIB)
    assert layout == read_layout(image)
    assert layout.data is not None
    assert (layout.data.start % BLOCK, layout.data.size) == (0, 5 * MIB)
    assert image.stat().st_size == layout.data.start + 5 * MIB
    if shutil.which("sfdisk") is not None:
        said = subprocess.run(["sfdisk", "-J", image], capture_output=True, text=True, check=True)
        third = json.loads(said.stdout)["partitiontable"]["partitions"][2]
        assert (third["start"] * 512, third["type"]) == (layout.data.start, "83")


def test_no_room_for_the_third_partition_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "raspios.img").write_bytes(bytes(4096))
    monkeypatch.setattr(job.shutil, "disk_usage", lambda path: SimpleNamespace(free=2_500_000_000))
    wanted = job.Job(
        tmp_path / "raspios.img", "0" * 64, tmp_path / "gate.toml", Personal(),
        tmp_path / "gate.img", None, None, tmp_path, True,
    )
    job.check_space(wanted)
    wanted = job.Job(
        tmp_path / "raspios.img", "0" * 64, tmp_path / "gate.toml", Personal(),
        tmp_path / "gate.img", None, None, tmp_path, True, read_only=True,
    )
    with pytest.raises(OutputError, match=r"2\.5 GB are free, and 3\.2 are needed"):
        job.check_space(wanted)


@needs_mounts
class TestSealing:
    """The card's own program, with /etc in a folder and a systemd that says what it is told."""

    @pytest.fixture
    def etc(self, tmp_path: Path) -> Path:
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc/fstab").write_text(fstab(FSTAB))
        (tmp_path / "bin").mkdir()
        return tmp_path / "etc"

    def run(self, etc: Path, state: int) -> subprocess.CompletedProcess[str]:
        told = etc.parent / "told"
        for name, text in {
            "systemctl": f'echo "$*" >> {told}; [ "$1" != is-active ] || exit {state}',
            "cloud-init": "exit 2",
            "sleep": "exit 0",
        }.items():
            (etc.parent / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
            (etc.parent / "bin" / name).chmod(0o755)
        (etc.parent / "seal").write_text(SEAL)
        return subprocess.run(
            ["unshare", "-m", "sh", "-c",
             f'mount --bind {etc} /etc && PATH="{etc.parent}/bin:$PATH" sh {etc.parent}/seal'],
            capture_output=True, text=True, timeout=60, check=False,
        )

    def test_once_the_gate_is_up_root_and_boot_are_read_only_from_the_next_start(
        self, etc: Path
    ) -> None:
        done = self.run(etc, 0)
        assert done.returncode == 0, done.stderr
        found, before = mounts((etc / "fstab").read_text()), mounts(fstab(FSTAB))
        changed = {name for name, line in found.items() if line != before[name]}
        assert changed == {"/", "/boot/firmware"}
        assert found["/"][3] == "defaults,noatime,ro"
        assert found["/boot/firmware"][3] == "defaults,ro"
        assert (etc / "cloud/cloud-init.disabled").exists()
        assert (etc.parent / "told").read_text().splitlines()[-1] == "reboot"

    def test_a_gate_that_does_not_come_up_leaves_the_card_writable(self, etc: Path) -> None:
        done = self.run(etc, 3)
        assert done.returncode == 1 and "the card stays writable" in done.stdout
        assert (etc / "fstab").read_text() == fstab(FSTAB)
        assert "reboot" not in (etc.parent / "told").read_text()


@needs_mounts
def test_the_installer_says_how_a_sealed_card_is_opened(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "opt").mkdir(parents=True)
    # What it asks of a system before it looks at where it may write.
    command = (
        f"mount --rbind / {root} && mount -t tmpfs -o ro none {root}/opt && "
        f"exec {ROOT}/scripts/install-device --root {root} --board other"
    )
    done = subprocess.run(
        ["unshare", "-m", "bash", "-c", command], capture_output=True, text=True, timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "/opt cannot be written to" in done.stderr and "remount,rw $p" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@needs_mounts
@needs_file_systems
class TestImage:
    """With images that have real file systems."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Iterator[Path]:
        (tmp_path / "gate.toml").write_text(CONFIG)
        (tmp_path / "wheels").mkdir()
        (tmp_path / "wheels/maskgate-1-py3-none-any.whl").write_bytes(b"wheel")
        return tmp_path

    def made(self, place: Path, release: str = TRIXIE) -> Path:
        root = system_in(place / "root", release)
        for name in ("var/lib/systemd/timesync", "var/log/apt", "tmp"):
            (root / name).mkdir(parents=True)
        (root / "var/lib/systemd/timesync/clock").write_text("")
        return root

    def flash(self, place: Path, image: str = "raspios.img") -> subprocess.CompletedProcess[str]:
        checksum(place / image)
        return flash(
            place, "--image", image, "--config", "gate.toml", "--output", "gate.img",
            "--first-boot", "--wheels", "wheels", "--read-only",
        )

    def test_the_card_has_what_it_keeps_on_its_third_partition(self, place: Path) -> None:
        image_of(self.made(place), place / "raspios.img")
        done = self.flash(place)
        assert done.returncode == 0, done.stderr
        image = place / "gate.img"
        layout = read_layout(image)
        assert layout.data is not None and layout.data.size == DATA_SIZE
        unit = "etc/systemd/system/multi-user.target.wants/maskgate-seal.service"
        with mounted(image, layout) as root:
            assert (root / "data/var/lib/systemd/timesync/clock").exists()
            assert all((root / "data" / name).is_dir() for name in KEPT)
            assert "/data" in mounts((root / "etc/fstab").read_text())
            assert (root / "usr/local/sbin/maskgate-seal").stat().st_mode & 0o777 == 0o755
            assert (root / unit).is_symlink()
            assert "var/log/apt" in (root / "etc/tmpfiles.d/maskgate-log.conf").read_text()
        line = subprocess.run(
            ["mtype", "-i", f"{image}@@{layout.boot.start}", "::/cmdline.txt"],
            capture_output=True, text=True, check=True,
        ).stdout
        # Else the first start lets the root grow into the third partition.
        assert line.split() == ["console=tty1", "root=/dev/mmcblk0p2", "rootwait"]

    def test_a_card_that_has_a_third_partition_is_no_image_to_begin_with(self, place: Path) -> None:
        image_of(self.made(place), place / "raspios.img")
        image = place / "raspios.img"
        add_data(image, read_layout(image), MIB)
        before = files(place) | {"raspios.img.sha256"}
        done = self.flash(place)
        assert (done.returncode, files(place)) == (3, before), done.stderr
        assert "has three partitions" in done.stderr.splitlines()[-1]

    @pytest.mark.parametrize(
        ("release", "gone", "told"),
        [
            (BOOKWORM, "", "--read-only is for Trixie, this image is bookworm"),
            (TRIXIE, "etc/fstab", "/etc/fstab has no line for /"),
        ],
    )
    def test_an_unfit_image_leaves_nothing_behind(
        self, place: Path, release: str, gone: str, told: str
    ) -> None:
        root = self.made(place, release)
        if gone:
            (root / gone).unlink()
        image_of(root, place / "raspios.img")
        before = files(place) | {"raspios.img.sha256"}
        done = self.flash(place)
        assert (done.returncode, files(place)) == (2, before), done.stderr
        assert told in done.stderr.splitlines()[-1]
