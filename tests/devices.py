"""A device to install on: a folder that is its root, and a PATH of programs that note their use.

What belongs to the installer is real: bash, the virtual environment, pip, the files.  What would
change this machine is played: apt, dpkg, systemctl, chroot, the users.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Each notes its call; the file NAME.fails makes it fail, NAME.says is what it answers.
PLAYED = """#!/usr/bin/env bash
name="$(basename "$0")" here="$(dirname "$0")"
echo "$name $*" >> "$here/../calls"
if [ -e "$here/$name.says" ]; then cat "$here/$name.says"; fi
if [ -e "$here/$name.fails" ] && grep -q -- "$(cat "$here/$name.fails")" <<< "$*"; then exit 1; fi
"""
# Runs what it is given with the paths of the device's root in front.
CHROOT = """#!/usr/bin/env bash
root="$1" given=()
shift
for word in "$@"; do
    case "$word" in
        /opt/* | /var/* | /etc/*) given+=("$root$word") ;;
        *) given+=("$word") ;;
    esac
done
exec "${given[@]}"
"""
PROGRAM = """
import sys
def main():
    arguments = sys.argv[1:]
    if arguments == ["config", "default"]:
        print('# version {version}\\n[other]\\nsource = "kept"\\n[camera]\\nsource = "demo:"')
    elif arguments[:2] == ["config", "check"]:
        text = open(arguments[2]).read()
        if "wrong" in text and {strict}:
            sys.exit("wrong is not allowed")
"""


@dataclass
class Device:
    """A device in *folder*: ``root`` is its file system, ``bin`` its played programs."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def forget(self) -> None:
        (self.folder / "calls").unlink(missing_ok=True)

    def called(self, what: str) -> list[str]:
        return [call for call in self.calls if call.startswith(what)]

    def says(self, program: str, text: str) -> None:
        (self.folder / "bin" / f"{program}.says").write_text(text)

    def fails(self, program: str, at: str = "") -> None:
        (self.folder / "bin" / f"{program}.fails").write_text(at)

    def environ(self) -> dict[str, str]:
        return {**os.environ, "PATH": f"{self.folder / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin"}

    def install(
        self, *options: object, before: tuple[str, ...] = (), root: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run scripts/install-device on the device; *before* are words in front of the command."""
        where = ["--root", str(self.root)] if root else []
        return subprocess.run(
            [*before, str(ROOT / "scripts" / "install-device"), *where, *map(str, options)],
            env=self.environ(), cwd=self.folder, capture_output=True, text=True, timeout=180,
        )

    def wheel(self, version: str, *, strict: bool = False, broken: bool = False) -> Path:
        """Return a folder with a wheel of a maskgate that only knows ``config``."""
        folder = self.folder / f"wheels-{version}"
        folder.mkdir(exist_ok=True)
        info = f"maskgate-{version}.dist-info"
        needs = "Requires-Dist: not-in-the-folder\n" if broken else ""
        with zipfile.ZipFile(folder / f"maskgate-{version}-py3-none-any.whl", "w") as wheel:
            for name, text in {
                "played.py": PROGRAM.format(version=version, strict=strict),
                f"{info}/METADATA": f"Metadata-Version: 2.1\nName: maskgate\nVersion: {version}\n"
                + needs,
                f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                f"{info}/entry_points.txt": "[console_scripts]\nmaskgate = played:main\n",
                f"{info}/RECORD": "",
            }.items():
                # The same bytes each time: another file is another version to the installer.
                wheel.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), text)
        return folder

    def environment(self) -> Path:
        """Return the environment that /opt/maskgate leads to."""
        return self.root / (self.root / "opt" / "maskgate").readlink().relative_to("/")

    def environments(self) -> list[Path]:
        return sorted((self.root / "opt").glob("maskgate-*"))


# Makes a virtual environment by copying one that was made before; pip takes seconds to unpack.
PYTHON = """#!/usr/bin/env bash
case "$*" in
    "-m venv --system-site-packages "*) [ -z "{blank}" ] || exec cp -a "{blank}/." "${{!#}}" ;;
esac
exec "{python}" "$@"
"""


def device_in(folder: Path, blank: Path | None = None) -> Device:
    """Return a bare Raspberry Pi without a maskgate.

    *blank* is an environment to copy in place of making one.
    """
    for name in ("root/etc", "root/opt", "root/var/tmp", "bin"):
        (folder / name).mkdir(parents=True)
    (folder / "root/etc/rpi-issue").write_text("Raspberry Pi reference 2026-10-01\n")
    device = Device(folder)
    programs = (
        "apt-get", "dpkg", "dpkg-query", "systemctl", "systemd-sysusers", "systemd-tmpfiles",
        "userdel", "id",
    )
    for name in programs:
        write(folder / "bin" / name, PLAYED)
    write(folder / "bin" / "chroot", CHROOT)
    use_python(device, blank)
    device.says("dpkg", "arm64\n")
    device.says("id", "0\n")
    return device


def use_python(device: Device, blank: Path | None) -> None:
    """Let the device's python3 be this one, which copies *blank* in place of an environment."""
    text = PYTHON.format(python=sys.executable, blank=blank or "")
    write(device.folder / "bin" / "python3", text)


def copied(device: Device, folder: Path, blank: Path) -> Device:
    """Return a copy of *device*; its environment runs with the interpreter of the first."""
    shutil.copytree(device.folder, folder, symlinks=True)
    use_python(Device(folder), blank)
    return Device(folder)


def write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
