"""The unit as systemd reads it, and a gate under its rules."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SERVICE = ROOT / "scripts" / "service"
UNIT = SERVICE / "maskgate.service"
MOST_EXPOSED = 2.0

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


class Values(dict):  # type: ignore[type-arg]
    """Keeps every line of a key that is given more than once."""

    def __setitem__(self, key: str, value: object) -> None:
        if isinstance(value, list) and isinstance(self.get(key), list):
            self[key].extend(value)
        else:
            super().__setitem__(key, value)


def service() -> configparser.SectionProxy:
    """The section [Service]; the lines of a key that comes more than once are lines of it."""
    parser = configparser.RawConfigParser(strict=False, dict_type=Values, delimiters="=")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return parser["Service"]


@pytest.fixture(params=["maskgate.service", "with jetson.conf"])
def installed(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The unit in a folder, its program one that is there; on a Jetson with its drop-in."""
    unit = tmp_path / "maskgate.service"
    unit.write_text(UNIT.read_text().replace("/opt/maskgate/bin/maskgate", shutil.which("true")))
    if "jetson" in request.param:
        folder = tmp_path / "maskgate.service.d"
        folder.mkdir()
        shutil.copy(SERVICE / "jetson.conf", folder)
    return unit


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *map(str, arguments)],
        capture_output=True, text=True, timeout=60,
    )


@needs_systemd
def test_systemd_finds_no_fault_with_the_unit(installed: Path) -> None:
    done = analyze("verify", installed)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
def test_systemd_does_find_a_misspelled_line(installed: Path) -> None:
    installed.write_text(installed.read_text().replace("ProtectHome=", "ProtectHouse="))
    assert "ProtectHouse" in analyze("verify", installed).stderr


@needs_systemd
def test_little_is_exposed(installed: Path) -> None:
    done = analyze("security", "--offline=true", installed)
    found = re.search(r"Overall exposure level for maskgate.service: (\d+\.\d)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= MOST_EXPOSED


@needs_systemd
def test_the_users_are_what_sysusers_makes(tmp_path: Path) -> None:
    if shutil.which("systemd-sysusers") is None:
        pytest.skip("systemd-sysusers is not installed")
    (tmp_path / "etc").mkdir()
    for name in ("passwd", "group"):
        (tmp_path / "etc" / name).write_text("")
    done = subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", str(SERVICE / "maskgate.sysusers")],
        capture_output=True, text=True, timeout=20,
    )
    assert done.returncode == 0, done.stderr
    user = (tmp_path / "etc/passwd").read_text().split(":")
    assert user[0] == service()["User"] and user[5:] == ["/var/lib/maskgate", "/usr/sbin/nologin\n"]
    groups = {line.split(":")[0] for line in (tmp_path / "etc/group").read_text().splitlines()}
    # A group that does not exist keeps a service from starting.
    assert groups >= {service()["Group"], *service()["SupplementaryGroups"].split()}


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("systemd-tmpfiles") is None, reason="needs root and systemd"
)
def test_who_may_become_root_copies_models_in_and_sees_nothing_else() -> None:
    with tempfile.TemporaryDirectory(dir="/") as root:
        Path(root).chmod(0o755)
        Path(root, "etc").mkdir()
        for name in ("passwd", "group"):
            Path(root, "etc", name).write_text("")
        for program, rules in (("sysusers", []), ("tmpfiles", ["--create"])):
            given = [f"systemd-{program}", f"--root={root}", *rules]
            subprocess.run([*given, SERVICE / f"maskgate.{program}"], check=True, timeout=60)
        groups = dict(
            line.split(":")[::2] for line in Path(root, "etc/group").read_text().splitlines()
        )

        def exit_code(command: str, *names: str) -> int:
            return subprocess.run(
                ["sh", "-c", command], cwd=f"{root}/var/lib/maskgate", timeout=60,
                user=12345, group=12345, extra_groups=[int(groups[name]) for name in names],
            ).returncode

        assert exit_code("echo x > models/incoming/new.tflite", "sudo") == 0
        assert exit_code("echo x > models/incoming/other.tflite") != 0
        assert exit_code("ls models || ls .", "sudo") != 0


def test_only_a_mistake_in_the_configuration_is_final() -> None:
    from edge.errors import EXIT_USAGE

    assert service()["Restart"] == "always"
    assert service()["RestartPreventExitStatus"] == str(EXIT_USAGE)


def test_the_watchdog_leaves_time_for_the_gates_own_notice() -> None:
    from edge.heartbeat import HeartbeatSettings

    assert float(service()["WatchdogSec"]) >= 3 * HeartbeatSettings().hang_seconds


@pytest.mark.parametrize("key", ["ExecStart", "ExecStopPost"])
def test_the_commands_are_ones_that_maskgate_has(key: str) -> None:
    from edge.cli import main

    program, command, *options = shlex.split(service()[key])
    assert program == "/opt/maskgate/bin/maskgate"
    known = {option for parameter in main.commands[command].params for option in parameter.opts}
    assert {option for option in options if option.startswith("-")} <= known


# What a gate does in its life, but for cameras and pins, which are files to these rules.
GATE = """
import ctypes, json, socket, sqlite3, subprocess, sys, tempfile
from pathlib import Path
import numpy as np
from edge.files import write_whole
from edge.heartbeat import Guard
from edge.modelfile import read_model, released_model
from edge.systemd import ServiceManager
from edge.vision.classifier import MaskClassifier
from edge.vision.detector import FaceDetector

said = {}
image = np.random.default_rng(7).integers(0, 256, (480, 640, 3), np.uint8)
boxes = np.array([[200, 100, 360, 300], [40, 40, 90, 100]], np.float32)
detector = FaceDetector(read_model(released_model("face-detector"), "face-detector"), 2)
classifier = MaskClassifier(read_model(released_model("mask-classifier"), "mask-classifier"), 2)
for _ in range(3):
    detector.detect(image)
    said["answers"] = classifier.probabilities(image, boxes).shape
with Guard(lambda: None, lambda: None) as guard:
    guard.alive()
with tempfile.TemporaryDirectory() as folder:
    write_whole(Path(folder) / "state", "x")
    base = sqlite3.connect(Path(folder) / "journal")
    said["journal"] = base.execute("pragma journal_mode=wal").fetchone()[0]
    base.execute("create table t (x)")
    base.commit()
    base.close()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"{folder}/notify")
        said["notified"] = ServiceManager(f"{folder}/notify").ready()
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(("localhost", server.getsockname()[1]), 5).close()
socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15).close()  # of kernel uevents, for libudev
said["child"] = subprocess.run(["sh", "-c", "echo sound"], capture_output=True, text=True).stdout
"""
# What shows that the rules were in force all the while.
REFUSED = """
import mmap, os
def refused(what):
    try:
        what()
    except OSError as error:
        return error.errno
    return 0
both = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
said["refused"] = [
    refused(lambda: mmap.mmap(-1, 4096, prot=both)),
    refused(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
    refused(lambda: os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))),
    refused(lambda: os.chroot("/")),
]
# What the trial of a new model does.
said["yields"] = refused(lambda: os.setpriority(os.PRIO_PROCESS, 0, 5)) == 0
print(json.dumps(said))
"""


def allowed_calls() -> set[str]:
    """Return the system calls that the unit's SystemCallFilter= lines leave."""
    allowed: set[str] = set()
    for line in service()["SystemCallFilter"].splitlines():
        named = {call for word in line.lstrip("~").split() for call in calls_of(word)}
        allowed = allowed - named if line.startswith("~") else allowed | named
    return allowed


def calls_of(name: str) -> set[str]:
    """Return the calls of one name or @set, as the systemd here knows them."""
    if not name.startswith("@"):
        return {name}
    lines = analyze("syscall-filter", name).stdout.splitlines()[1:]
    words = [line.strip() for line in lines if line.strip() and "#" not in line]
    return {call for word in words for call in calls_of(word)}


@needs_systemd
@pytest.mark.parametrize("write_execute", ["seccomp", "prctl"])
def test_both_networks_and_all_around_them_work_under_the_units_rules(
    write_execute: str, tmp_path: Path
) -> None:
    import ctypes

    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        pytest.skip("libseccomp.so.2 is not installed")
    if write_execute == "prctl" and ctypes.CDLL(None).prctl(66, 0, 0, 0, 0) < 0:
        pytest.skip("this kernel has no PR_SET_MDWE (Linux 6.3)")
    families = [getattr(socket, name) for name in service()["RestrictAddressFamilies"].split()]
    rules = {"calls": sorted(allowed_calls()), "families": families, "write_execute": write_execute}
    assert len(rules["calls"]) > 200
    program = tmp_path / "gate.py"
    program.write_text(GATE + REFUSED)
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "sandboxed.py"), str(program)],
        input=json.dumps(rules), cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=120,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    memory = 1 if write_execute == "seccomp" else 13
    assert said.pop("refused") == [memory, 97, 1, 1]
    assert said == {
        "answers": [2, 3], "journal": "wal", "notified": True, "child": "sound\n", "yields": True,
    }


def explained() -> list[str]:
    """Return the lines of the unit that docs/service.md quotes in its table about them."""
    text = (ROOT / "docs" / "service.md").read_text()
    table = text.partition("## The unit, line by line")[2].partition("`systemd-analyze")[0]
    cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    return [quoted for cell in cells for quoted in re.findall(r"`(.+?)`", cell)]


@pytest.mark.parametrize("quoted", explained())
def test_what_is_explained_is_in_the_unit(quoted: str) -> None:
    lines = UNIT.read_text().splitlines()
    if quoted.endswith("="):
        assert any(line.startswith(quoted) for line in lines)
    else:
        assert any(quoted in line.split() or quoted == line for line in lines) or any(
            line.startswith("Environment=") and quoted in line for line in lines
        )
