"""scripts/install-device on a device of files: environment and pip are real, the system is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.devices import Device, copied, device_in, write

CONFIG = "etc/maskgate/gate.toml"
UNIT = "usr/local/lib/systemd/system/maskgate.service"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Device, str]:
    """A device with version 1 on it, and what the installer said; not to be changed."""
    device = device_in(tmp_path_factory.mktemp("made") / "device")
    done = device.install("--wheel", device.wheel("1"))
    assert done.returncode == 0, done.stderr
    return device, done.stdout


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing but pip."""
    place = tmp_path_factory.mktemp("blank") / "environment"
    command = [sys.executable, "-m", "venv", "--system-site-packages", str(place)]
    subprocess.run(command, check=True, timeout=120)
    return place


@pytest.fixture
def installed(made: tuple[Device, str], blank: Path, tmp_path: Path) -> Device:
    device = copied(made[0], tmp_path / "device", blank)
    device.forget()
    return device


@pytest.fixture
def bare(blank: Path, tmp_path: Path) -> Device:
    return device_in(tmp_path / "device", blank)


def files(device: Device) -> dict[str, bytes]:
    """Everything on the device outside the environments, links by where they lead to."""
    found = {}
    for path in sorted(device.root.rglob("*")):
        name = str(path.relative_to(device.root))
        if path.is_symlink():
            found[name] = bytes(path.readlink())
        elif path.is_file() and not name.startswith("opt/"):
            found[name] = path.read_bytes()
    return found


def test_the_first_call_puts_everything_in_place(made: tuple[Device, str]) -> None:
    device, _ = made
    program = device.environment() / "bin" / "maskgate"
    assert os.access(program, os.X_OK)
    assert device.environment().stat().st_mode & 0o777 == 0o755
    assert (device.root / UNIT).read_text().count("/opt/maskgate/bin/maskgate") == 2
    assert (device.root / "etc/sysusers.d/maskgate.conf").is_file()
    assert "include-system-site-packages = true" in (
        device.environment() / "pyvenv.cfg"
    ).read_text()


def test_maskgate_is_a_command_of_the_device_until_it_is_removed(installed: Device) -> None:
    command = installed.root / "usr/local/bin/maskgate"
    assert str(command.readlink()) == "/opt/maskgate/bin/maskgate"
    installed.install("--uninstall")
    assert not command.is_symlink()


def test_a_command_of_somebody_else_is_left_and_told(bare: Device) -> None:
    command = bare.root / "usr/local/bin/maskgate"
    command.parent.mkdir(parents=True)
    command.write_text("mine")
    assert "/usr/local/bin/maskgate is not from this program" in bare.install().stdout
    bare.install("--uninstall")
    assert command.read_text() == "mine"


def test_the_settings_name_the_boards_camera_and_are_not_for_everyone(
    made: tuple[Device, str],
) -> None:
    config = made[0].root / CONFIG
    assert 'source = "kept"\n[camera]\nsource = "picamera2://0"\n' in config.read_text()
    assert config.stat().st_mode & 0o777 == 0o640
    assert made[0].called("systemd-tmpfiles")


def test_it_tells_what_it_did_and_how_to_watch(made: tuple[Device, str]) -> None:
    for told in ("/opt/maskgate", "picamera2://0", "journalctl -u maskgate -f", "--uninstall"):
        assert told in made[1]


def test_system_packages_user_and_service_are_asked_for_in_this_order(
    made: tuple[Device, str],
) -> None:
    device, _ = made
    wanted = ["apt-get -q update", "apt-get -q install", "systemd-sysusers", "systemctl"]
    calls = [call for call in device.calls if call.startswith(tuple(wanted))]
    assert [call.startswith(word) for call, word in zip(calls, wanted, strict=True)] == [True] * 4
    for package in ("python3-venv", "python3-picamera2", "python3-lgpio", "alsa-utils"):
        assert package in calls[1]
    assert calls[3] == f"systemctl --root={device.root} enable --quiet maskgate.service"


def test_nothing_is_left_of_the_work(made: tuple[Device, str]) -> None:
    device, _ = made
    assert list((device.root / "var/tmp").iterdir()) == []
    assert device.environments() == [device.environment()]
    assert not [name for name in files(device) if name.endswith((".tmp", ".next"))]


def test_a_second_call_changes_nothing(installed: Device) -> None:
    installed.says("dpkg-query", "install ok installed")
    before = files(installed)
    done = installed.install("--wheel", installed.wheel("1"))
    assert done.returncode == 0, done.stderr
    assert "up to date" in done.stdout
    assert files(installed) == before
    assert not installed.called("apt-get") and not installed.called("systemctl")


def test_an_update_replaces_the_environment_and_settings_nobody_touched(
    installed: Device,
) -> None:
    before = installed.environment()
    done = installed.install("--wheel", installed.wheel("2"))
    assert done.returncode == 0, done.stderr
    assert installed.environments() == [installed.environment()] != [before]
    assert "# version 2" in (installed.root / CONFIG).read_text()
    assert not (installed.root / f"{CONFIG}.new").exists()


@pytest.mark.parametrize("line", [
    'source = "rtsp://10.0.0.5/door"', "source = 'rtsp://u:p#w@h/x'  # the back door",
])
def test_an_update_keeps_the_camera(installed: Device, line: str) -> None:
    stored, config = installed.environment() / "share/gate.toml", installed.root / CONFIG
    text = config.read_text().replace('source = "picamera2://0"', line)
    stored.write_text(text)
    config.write_text(text)
    done = installed.install("--wheel", installed.wheel("2"))
    assert done.returncode == 0, done.stderr
    assert config.read_text().startswith("# version 2\n")
    assert config.read_text().endswith(f"[camera]\n{line}\n")
    new = installed.environment() / "share/gate.toml"
    assert new.read_text() == config.read_text() and new.stat().st_mode & 0o777 == 0o600


def test_a_camera_that_is_named_anew_takes_the_place_of_the_one_before(installed: Device) -> None:
    done = installed.install("--wheel", installed.wheel("2"), "--camera", "csi://1")
    assert done.returncode == 0, done.stderr
    assert 'source = "csi://1"' in (installed.root / CONFIG).read_text()


def test_settings_of_the_owner_are_kept_and_new_ones_put_beside(installed: Device) -> None:
    config = installed.root / CONFIG
    config.write_text("# mine\n")
    done = installed.install("--wheel", installed.wheel("2"))
    assert done.returncode == 0, done.stderr
    assert config.read_text() == "# mine\n"
    assert "# version 2" in (installed.root / f"{CONFIG}.new").read_text()
    assert "is yours and was kept" in done.stdout


def test_what_is_new_is_put_beside_once(installed: Device) -> None:
    (installed.root / CONFIG).write_text("# mine\n")
    done = installed.install("--wheel", installed.wheel("1"))
    assert done.returncode == 0 and "up to date" in done.stdout
    assert not (installed.root / f"{CONFIG}.new").exists()


def test_settings_that_were_deleted_are_written_again(installed: Device) -> None:
    (installed.root / CONFIG).unlink()
    assert installed.install("--wheel", installed.wheel("1")).returncode == 0
    assert "picamera2://0" in (installed.root / CONFIG).read_text()


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        ({"broken": True}, "pip could not install"),
        ({"strict": True}, "does not take /etc/maskgate/gate.toml"),
    ],
)
def test_an_update_that_fails_leaves_the_gate_as_it_was(
    installed: Device, trouble: dict[str, bool], told: str
) -> None:
    (installed.root / CONFIG).write_text("wrong\n")
    before = files(installed), installed.environments()
    done = installed.install("--wheel", installed.wheel("2", **trouble))
    assert done.returncode == 1
    assert told in done.stderr and "the gate is as it was" in done.stderr.lower()
    assert (files(installed), installed.environments()) == before
    assert not installed.called("systemctl")


def test_an_update_that_ends_before_the_new_version_is_in_use_takes_its_files_back(
    installed: Device,
) -> None:
    (installed.root / UNIT).write_text("# an older unit\n")
    before = files(installed), installed.environments()
    installed.fails("systemd-tmpfiles")
    done = installed.install("--wheel", installed.wheel("2"))
    assert done.returncode == 1 and "cannot give /etc/maskgate/gate.toml" in done.stderr
    assert (files(installed), installed.environments()) == before


def test_an_unfinished_environment_is_removed_by_the_next_update(installed: Device) -> None:
    left = installed.root / "opt" / "maskgate-abc123"
    left.mkdir()
    assert installed.install("--wheel", installed.wheel("2")).returncode == 0
    assert not left.exists()


def test_apt_that_fails_ends_it_before_anything_is_changed(bare: Device) -> None:
    bare.fails("apt-get", "install")
    before = files(bare)
    done = bare.install("--wheel", bare.wheel("1"))
    assert (done.returncode, files(bare)) == (1, before)
    assert "could not install python3-venv alsa-utils python3-picamera2" in done.stderr


@pytest.mark.parametrize(
    ("system", "python", "told"),
    [
        ("armhf", "3.11 1", "this system is armhf"),
        ("i386", "3.11 1", "this system is i386"),
        ("arm64", "3.9 1", "this Python is 3.9;"),
        ("arm64", "3.14 1", "this Python is 3.14;"),
        ("arm64", "3.6 1", "this Python is 3.6;"),
        ("arm64", "3.11 0", "this Python is 32-bit"),
    ],
)
def test_a_machine_that_cannot_run_it_is_refused_in_one_sentence(
    bare: Device, system: str, python: str, told: str
) -> None:
    bare.says("dpkg", f"{system}\n")
    write(bare.folder / "bin" / "python3", f"#!/bin/sh\necho '{python}'\n")
    before = files(bare)
    done = bare.install("--wheel", bare.wheel("1"))
    assert (done.returncode, files(bare)) == (3, before)
    assert told in done.stderr and len(done.stderr.splitlines()) == 1
    assert not bare.called("apt-get")


def test_a_machine_without_python_is_refused(bare: Device) -> None:
    write(bare.folder / "bin" / "python3", "#!/bin/sh\nexit 127\n")
    done = bare.install("--wheel", bare.wheel("1"))
    assert done.returncode == 3 and "apt install python3" in done.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--camrea", "0"], "unknown option --camrea"),
        (["--camera"], "--camera needs a value"),
        (["--board", "arduino"], "allowed: raspberry, jetson, other"),
        (["--purge"], "with --uninstall only"),
        (["--wheel", "/nowhere"], "no maskgate-*.whl in /nowhere"),
        (["--root", "/nowhere"], "--root /nowhere is no folder"),
        (["--camera", 'a"b'], "no quotes"),
    ],
)
def test_a_wrong_option_is_one_line_and_code_2(
    bare: Device, options: list[str], told: str
) -> None:
    done = bare.install(*options)
    assert done.returncode == 2
    assert told in done.stderr and len(done.stderr.splitlines()) == 1


def test_it_wants_to_be_root(bare: Device) -> None:
    bare.says("id", "1000\n")
    done = bare.install()
    assert done.returncode == 2 and "sudo scripts/install-device" in done.stderr


def test_help_names_every_option(bare: Device) -> None:
    done = bare.install("--help")
    assert done.returncode == 0
    for option in ("--camera", "--board", "--wheel", "--root", "--no-start", "--uninstall",
                   "--purge", "--dry-run"):
        assert option in done.stdout


def test_a_dry_run_says_each_step_and_does_none(bare: Device) -> None:
    bare.says("id", "1000\n")
    before = files(bare)
    done = bare.install("--dry-run")
    assert done.returncode == 0, done.stderr
    assert files(bare) == before
    assert {call.split()[0] for call in bare.calls} <= {"dpkg", "dpkg-query", "id"}
    for told in ("apt-get -q install", "an environment in /opt/maskgate-", CONFIG, "sysusers",
                 UNIT, "enable --quiet maskgate.service"):
        assert told in done.stdout
    lines = done.stdout.splitlines()
    assert all(line.startswith(("would ", "Installing system packages")) for line in lines)


@pytest.mark.parametrize(
    ("files_", "options", "camera", "packages"),
    [
        (["etc/nv_tegra_release"], [], "csi://0", "python3-venv alsa-utils"),
        ([], [], "0", "python3-venv alsa-utils"),
        ([], ["--camera", "rtsp://u:p&w@host/x"], "rtsp://u:p&w@host/x", "python3-venv"),
    ],
)
def test_boards_differ_in_camera_and_packages(
    bare: Device, files_: list[str], options: list[str], camera: str, packages: str
) -> None:
    (bare.root / "etc/rpi-issue").unlink()
    for name in files_:
        (bare.root / name).write_text("")
    done = bare.install("--wheel", bare.wheel("1"), *options)
    assert done.returncode == 0, done.stderr
    assert f'[camera]\nsource = "{camera}"\n' in (bare.root / CONFIG).read_text()
    (asked,) = bare.called("apt-get -q install")
    assert packages in asked and "picamera2" not in asked
    jetson = bare.root / f"{UNIT}.d/jetson.conf"
    assert jetson.exists() == bool(files_)
    assert "u:p" not in done.stdout


def test_where_the_system_has_numpy_that_version_stays(bare: Device) -> None:
    # picamera2 from apt is built for apt's numpy and does not import with another.
    write(
        bare.folder / "bin" / "python3",
        '#!/usr/bin/env bash\nhere="$(dirname "$0")/.."\ncase "$*" in\n'
        '*"import numpy"*) echo 1.24.2 ;;\n'
        '*maxsize*) echo "3.11 1" ;;\n'
        '*"-m venv"*) cp "$here"/root/var/tmp/*/constraints.txt "$here"; exit 1 ;;\nesac\n',
    )
    assert bare.install("--wheel", bare.wheel("1")).returncode == 1
    pins = (bare.folder / "constraints.txt").read_text().splitlines()
    assert [pin for pin in pins if pin.startswith("numpy")] == ["numpy==1.24.2"]
    assert any(pin.startswith("ai-edge-litert==") for pin in pins)
    assert not [pin for pin in pins if pin.startswith(("opencv", "ml-dtypes"))]


def test_uninstalling_keeps_settings_and_journal(installed: Device) -> None:
    state = installed.root / "var/lib/maskgate/journal.sqlite"
    state.parent.mkdir(parents=True)
    state.write_text("x")
    done = installed.install("--uninstall")
    assert done.returncode == 0, done.stderr
    assert set(files(installed)) == {"etc/rpi-issue", CONFIG, "var/lib/maskgate/journal.sqlite"}
    assert installed.environments() == [] and "--purge" in done.stdout


def test_purging_leaves_nothing_and_may_be_done_twice(installed: Device) -> None:
    for _ in range(2):
        done = installed.install("--uninstall", "--purge")
        assert done.returncode == 0, done.stderr
    assert set(files(installed)) == {"etc/rpi-issue"}
    assert installed.called("userdel maskgate")


def in_a_namespace(script: str) -> tuple[str, ...]:
    """Words that run a command after *script*, whose mounts nobody else sees; skips if it can't."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    words = ("unshare", "--mount", "bash", "-c", f'set -e; {script}; exec "$@"', "bash")
    done = subprocess.run([*words, "true"], capture_output=True, text=True, timeout=60)
    if done.returncode:
        pytest.skip(f"no mounts here: {done.stderr.strip()}")
    return words


def test_a_full_disk_leaves_the_gate_as_it_was(installed: Device) -> None:
    before = files(installed), installed.environments()
    wheel = installed.wheel("2")
    opt = installed.root / "opt"
    # The old environment is on the full disk too, as it would be.
    full = in_a_namespace(
        f"cp -a {opt} {installed.folder}/opt; mount -t tmpfs -o size=64m tmpfs {opt}; "
        f"cp -a {installed.folder}/opt/. {opt}; rm -r {installed.folder}/opt; "
        f"dd if=/dev/zero of={opt}/other bs=1M status=none 2>/dev/null || true"
    )
    done = installed.install("--wheel", wheel, before=full)
    assert done.returncode == 1
    assert "df -h /opt" in done.stderr or "No space left" in done.stderr
    assert (files(installed), installed.environments()) == before


@pytest.fixture
def machine(installed: Device) -> tuple[str, ...]:
    """Words that run a command as on the device itself, over a copy of this machine's files."""
    top = installed.folder / "top"
    top.mkdir()
    return in_a_namespace(
        f"mount -t tmpfs tmpfs {top}; cd {top}; mkdir up work all; "
        f"mount -t overlay overlay -o lowerdir=/,upperdir=up,workdir=work all; "
        f"mount --rbind /proc all/proc; mount --rbind /dev all/dev; "
        f"mount --bind {installed.folder} all{installed.folder}; "
        f"cp -a {installed.root}/. all/; mkdir -p all/run/systemd/system; "
        'cd all; set -- chroot . "$@"'
    )


def after(device: Device, machine: tuple[str, ...], *options: object) -> tuple[str, str, str]:
    """Install on the machine itself; return what it said, and where /opt/maskgate leads to then."""
    (device.folder / "bin" / "chroot").unlink(missing_ok=True)
    script = device.folder / "bin" / "then_look"
    write(script, '#!/usr/bin/env bash\n"$@"; code=$?\necho "code $code"\nreadlink /opt/maskgate\n')
    done = device.install(*options, before=(*machine, str(script)), root=False)
    out, _, link = done.stdout.rpartition("code ")
    return out, done.stderr, link


def test_on_the_device_itself_the_service_is_started_and_the_old_version_removed(
    installed: Device, machine: tuple[str, ...]
) -> None:
    out, errors, link = after(installed, machine, "--wheel", installed.wheel("2"))
    old = str((installed.root / "opt/maskgate").readlink())
    assert link.split()[0] == "0", out + errors
    assert link.split()[1] not in (old, "")
    assert installed.called("systemctl") == [
        "systemctl daemon-reload", "systemctl restart maskgate.service",
    ]


def test_a_version_that_does_not_start_gives_way_to_the_old_one(
    installed: Device, machine: tuple[str, ...]
) -> None:
    installed.fails("systemctl", "restart")
    _, errors, link = after(installed, machine, "--wheel", installed.wheel("2"))
    assert link.split() == ["1", str((installed.root / "opt/maskgate").readlink())]
    assert "old one, which is back" in errors
    assert len(installed.called("systemctl restart")) == 2


# Notes what systemctl restart would go by, and fails the first time.
FAILS_ONCE = """#!/usr/bin/env bash
here="$(dirname "$0")/.."
echo "systemctl $*" >> "$here/calls"
[ "$1" = restart ] || exit 0
cd /
for file in {unit} {jetson} {config} etc/sysusers.d/maskgate.conf etc/tmpfiles.d/maskgate.conf; do
    echo "$file $(stat -c '%a %u:%g' "$file" 2> /dev/null) $(head -n 1 "$file" 2> /dev/null)"
done > "$here/seen"
[ -e "$here/once" ] && exit 0
touch "$here/once"
exit 1
"""


def test_a_version_that_does_not_start_leaves_no_file_to_the_old_one(
    installed: Device, machine: tuple[str, ...]
) -> None:
    jetson = f"{UNIT}.d/jetson.conf"
    for name in (UNIT, "etc/sysusers.d/maskgate.conf", "etc/tmpfiles.d/maskgate.conf"):
        (installed.root / name).write_text(f"# old {name}\n")
    os.chown(installed.root / CONFIG, 0, 65534)
    write(installed.folder / "bin" / "systemctl",
          FAILS_ONCE.format(unit=UNIT, jetson=jetson, config=CONFIG))
    _, errors, link = after(
        installed, machine, "--wheel", installed.wheel("2"), "--board", "jetson"
    )
    assert link.split() == ["1", str((installed.root / "opt/maskgate").readlink())]
    assert "the old one is back" in errors
    assert installed.called("systemctl")[-2:] == [
        "systemctl daemon-reload", "systemctl restart maskgate.service",
    ]
    assert (installed.folder / "seen").read_text().splitlines() == [
        f"{UNIT} 644 0:0 # old {UNIT}", f"{jetson}  ", f"{CONFIG} 640 0:65534 # version 1",
        "etc/sysusers.d/maskgate.conf 644 0:0 # old etc/sysusers.d/maskgate.conf",
        "etc/tmpfiles.d/maskgate.conf 644 0:0 # old etc/tmpfiles.d/maskgate.conf",
    ]


def test_a_unit_that_does_not_start_gives_way_to_the_one_before(
    installed: Device, machine: tuple[str, ...]
) -> None:
    (installed.root / UNIT).write_text("# old unit\n")
    write(installed.folder / "bin" / "systemctl",
          FAILS_ONCE.format(unit=UNIT, jetson=f"{UNIT}.d/jetson.conf", config=CONFIG))
    _, errors, _ = after(installed, machine, "--wheel", installed.wheel("1"))
    assert "the gate with these files does not start; that with the ones before is back" in errors
    assert (installed.folder / "seen").read_text().startswith(f"{UNIT} 644 0:0 # old unit\n")


def test_a_gate_that_is_up_to_date_is_not_disturbed(
    installed: Device, machine: tuple[str, ...]
) -> None:
    out, errors, link = after(installed, machine, "--wheel", installed.wheel("1"))
    assert link.split()[0] == "0", out + errors
    assert "up to date" in out
    assert installed.called("systemctl") == [
        "systemctl daemon-reload", "systemctl start maskgate.service",
    ]
