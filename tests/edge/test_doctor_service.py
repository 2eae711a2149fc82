"""The doctor's checks of the service and of what it keeps: unit, journal, folders, disk."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from edge.alerts.sound import SoundSettings
from edge.config import Config
from edge.doctor.camera import check_camera
from edge.doctor.context import Wishes
from edge.doctor.disk import Room, check_disk, file_system, judge_room, kernel_troubles
from edge.doctor.fakes import NOW, RUNNING, FakePrograms, fake_context
from edge.doctor.folders import check_folders
from edge.doctor.journal import check_journal, quick_check
from edge.doctor.pins import check_pins
from edge.doctor.service import check_service, check_unit, shipped_unit
from edge.doctor.unit_state import UnitState, read_unit
from edge.journal.rows import incident_row
from edge.journal.store import Store

MEND = Wishes(mend=True)


@pytest.fixture
def programs(tmp_path) -> FakePrograms:
    return FakePrograms(tmp_path / "bin")


@pytest.fixture
def ctx(tmp_path, programs):
    return fake_context(tmp_path, programs)


def unit(**values: str) -> UnitState:
    return UnitState({**RUNNING, **values})


# The service.


@pytest.mark.parametrize(
    ("values", "level", "words"),
    [
        ({}, "ok", "active (running), says: nobody is there"),
        ({"LoadState": "not-found"}, "warning", "not installed"),
        ({"LoadState": "bad-setting"}, "failure", "bad-setting"),
        ({"ActiveState": "failed", "Result": "watchdog"}, "failure", "ended with watchdog"),
        ({"ActiveState": "activating", "SubState": "auto-restart", "Result": "exit-code",
          "ExecMainStatus": "4"}, "failure", "exit-code, status 4"),
        ({"ActiveState": "inactive", "SubState": "dead"}, "warning", "inactive"),
        ({"UnitFileState": "disabled"}, "warning", "disabled"),
        ({"NRestarts": "3"}, "warning", "restarted 3 times"),
        ({"WatchdogUSec": "infinity"}, "warning", "watchdog is off"),
    ],
)
def test_the_service_is_judged_by_what_systemd_says(ctx, values, level, words):
    found = check_service(replace(ctx, service=unit(**values)))
    assert found.level == level
    assert words in found.found


def test_systemds_answer_is_read_from_the_real_command_line(programs):
    programs.unit(NRestarts="2")
    state = read_unit(programs.ask)
    assert state.running
    assert state.values["NRestarts"] == "2"
    assert state.user == "maskgate"


@pytest.mark.parametrize("trouble", ["missing", "failing", "hanging"])
def test_a_systemd_that_does_not_answer_is_unknown_and_says_why(ctx, programs, trouble):
    if trouble == "failing":
        programs.says("systemctl", "Failed to connect to bus: Host is down\n", code=1)
    elif trouble == "hanging":
        programs.hangs("systemctl")
    state = read_unit(programs.ask, 0.3)
    found = check_service(replace(ctx, service=state))
    assert found.level == "skipped"
    words = {"missing": "no systemctl", "failing": "Host is down", "hanging": "within 0.3 s"}
    assert words[trouble] in found.found


@pytest.mark.parametrize(
    ("spoil", "more", "level"),
    [
        ("", {}, "ok"), ("WatchdogSec=0\n", {}, "warning"),
        ("", {"NeedDaemonReload": "yes"}, "warning"), ("", {"DropInPaths": "/etc/x.conf"}, "ok"),
    ],
)
def test_the_unit_is_compared_with_the_shipped_one(ctx, tmp_path, spoil, more, level):
    path = tmp_path / "maskgate.service"
    path.write_text(shipped_unit().read_text() + spoil)
    service = unit(FragmentPath=str(path), **more)
    assert check_unit(replace(ctx, service=service)).level == level


def test_a_unit_that_may_not_be_read_or_is_not_there_is_skipped(ctx):
    assert check_unit(replace(ctx, service=unit(FragmentPath="/none"))).level == "skipped"
    assert check_unit(ctx).level == "skipped"


# The journal.


@pytest.fixture
def journal(tmp_path):
    """Write incidents, (kind, minutes ago, detail), to the service's journal."""

    def write(*incidents: tuple[str, int, str]) -> Path:
        file = tmp_path / "var/lib/maskgate/journal.db"
        file.parent.mkdir(parents=True, exist_ok=True)
        store = Store(file, max_days=3660, max_bytes=2**26, now=NOW)
        store.append(
            [
                incident_row(kind, NOW - timedelta(minutes=ago), session="s", uptime=1.0,
                             detail=detail, fault="unplugged" if "camera" in kind else "")
                for kind, ago, detail in incidents
            ],
            NOW,
        )
        store.close()
        return file

    return write


@pytest.mark.parametrize(
    ("incidents", "level", "words"),
    [
        ([("started", 60, "")], "ok", "events so far: 1"),
        ([("events_lost", 60, "3 events lost")], "warning", "lost 1 times"),
        ([("journal_replaced", 60, "x")], "warning", "begun anew"),
        ([("events_lost", 60 * 24 * 30, "long ago")], "ok", "so far"),
    ],
)
def test_a_journal_is_read_and_its_gaps_are_counted(ctx, journal, incidents, level, words):
    journal(*incidents)
    found = check_journal(ctx)
    assert found.level == level
    assert words in found.found


def test_a_damaged_journal_is_a_failure(ctx, journal):
    file = journal(*[("started", number, "x" * 200) for number in range(200)])
    content = bytearray(file.read_bytes())
    content[8192:20000] = b"\xa5" * (20000 - 8192)
    file.write_bytes(content)
    assert check_journal(ctx).level == "failure"


def test_the_check_of_a_journal_ends_in_time(journal):
    file = journal(*[("started", number, "x" * 200) for number in range(200)])
    ticks = iter(range(10**9))
    found = quick_check(file, 0.0, lambda: next(ticks))
    assert found.level == "ok"
    assert quick_check(file, 60.0).found == "all its pages are sound"


def test_another_programs_database_is_no_journal(ctx, tmp_path):
    file = tmp_path / "var/lib/maskgate/journal.db"
    file.parent.mkdir(parents=True)
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE other (x)")
    assert "not a maskgate journal" in check_journal(ctx).found


@pytest.mark.parametrize(("running", "level"), [(True, "failure"), (False, "skipped")])
def test_a_missing_journal_matters_only_while_the_service_runs(ctx, tmp_path, running, level):
    (tmp_path / "var/lib/maskgate").mkdir(parents=True)
    service = unit() if running else UnitState(why="none")
    assert check_journal(replace(ctx, service=service)).level == level


@pytest.mark.parametrize(
    ("check", "fault", "recovered"),
    [
        (check_camera, "camera_fault", "camera_recovered"),
        (check_pins, "output_fault", "output_recovered"),
    ],
)
def test_while_the_service_runs_its_journal_tells_how_camera_and_outputs_are(
    ctx, journal, check, fault, recovered
):
    running = replace(ctx, service=unit())
    journal(("started", 60, ""))
    assert check(running).level == "ok"
    journal((fault, 30, "the cable is out"))
    found = check(running)
    assert found.level == "failure"
    assert "the cable is out" in found.found
    journal((recovered, 5, ""))
    assert check(running).level == "ok"


# Folders, and what is mended.


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_by_hand_there_are_no_folders_to_look_at(ctx):
    assert check_folders(ctx).level == "skipped"


def test_missing_folders_are_told_and_made_only_when_asked(ctx, tmp_path):
    state = tmp_path / "var/lib/maskgate"
    (state / "models").mkdir(parents=True)
    found = check_folders(ctx)
    assert found.level == "warning"
    assert "--mend" in found.advice
    assert names(state / "models") == set()
    mended = check_folders(replace(ctx, wishes=MEND))
    assert mended.level == "ok"
    assert str(state / "models/incoming") in mended.mended
    assert names(state / "models") == {"incoming"}
    assert check_folders(ctx).level == "ok"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
def test_a_folder_that_is_made_belongs_to_who_has_the_one_above(ctx, tmp_path):
    models = tmp_path / "var/lib/maskgate/models"
    models.mkdir(parents=True)
    os.chown(models, 4321, 4321)
    models.chmod(0o750)
    check_folders(replace(ctx, wishes=MEND))
    made = (models / "incoming").stat()
    assert (made.st_uid, made.st_gid, made.st_mode & 0o777) == (4321, 4321, 0o750)


def test_a_wrong_path_is_not_made_from_further_up(ctx, tmp_path):
    sounds = SoundSettings(enabled=True, folder=str(tmp_path / "musik/sounds"))
    found = check_folders(replace(ctx, config=Config(sound=sounds), wishes=MEND))
    assert found.level == "warning"
    assert not (tmp_path / "musik").exists()


def test_a_file_in_the_place_of_a_folder_is_a_failure_and_stays(ctx, tmp_path):
    (tmp_path / "sounds").write_text("mine")
    sounds = SoundSettings(enabled=True, folder=str(tmp_path / "sounds"))
    found = check_folders(replace(ctx, config=Config(sound=sounds), wishes=MEND))
    assert found.level == "failure"
    assert (tmp_path / "sounds").read_text() == "mine"


def test_only_old_temporaries_of_ended_programs_are_deleted(ctx, tmp_path):
    state = tmp_path / "var/lib/maskgate"
    (state / "models/incoming").mkdir(parents=True)
    (tmp_path / "proc/77").mkdir(parents=True)
    old = NOW.timestamp() - 7200
    kept = {
        ".state.json.77.tmp", "journal.db", ".hidden", "picture.jpg", ".new.12.tmp", ".link.5.tmp",
    }
    for name in kept | {".state.json.4.tmp"}:
        (state / name).write_text("x")
        os.utime(state / name, (old, old))
    os.utime(state / ".new.12.tmp", (NOW.timestamp(), NOW.timestamp()))
    (state / ".link.5.tmp").unlink()
    (state / ".link.5.tmp").symlink_to(state / "journal.db")
    assert check_folders(ctx).level == "warning"
    assert ".state.json.4.tmp" in names(state)
    mended = check_folders(replace(ctx, wishes=MEND))
    assert mended.mended.startswith("deleted 1 unfinished")
    assert names(state) == kept | {"models"}


def test_a_store_that_is_not_the_services_own_is_a_failure(ctx, tmp_path):
    (tmp_path / "var/lib/maskgate/models/incoming").mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    other = os.geteuid() + 1
    (tmp_path / "etc/passwd").write_text(f"maskgate:x:{other}:{other}::/var/lib/maskgate:/x\n")
    found = check_folders(replace(ctx, service=unit()))
    assert found.level == "failure"
    assert "chown -R maskgate:" in found.advice


# The disk.


@pytest.mark.parametrize(
    ("room", "level"),
    [
        (Room(5000, 30000, 100_000, True), "ok"),
        (Room(5000, 30000, None, True), "ok"),
        (Room(120, 30000, 100_000, True), "warning"),
        (Room(3, 30000, 100_000, True), "failure"),
        (Room(5000, 30000, 12, True), "failure"),
        (Room(5000, 30000, 100_000, False), "failure"),
        (None, "skipped"),
    ],
)
def test_room_and_file_names_and_the_right_to_write_are_wanted(room, level):
    assert judge_room("/var", room, 200.0).level == level


MOUNTS = """/dev/root / ext4 rw 0 0
tmpfs /var/lib tmpfs rw 0 0
/dev/sda1 /var/lib/maskgate/my\\040models vfat rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home", "ext4"), ("/var/lib/maskgate", "tmpfs"), ("/var/library", "ext4"),
        ("/var/lib/maskgate/my models/x", "vfat"),
    ],
)
def test_the_file_system_of_a_folder_is_that_of_the_nearest_mount(folder, kind):
    assert file_system(MOUNTS, Path(folder)) == kind


def test_what_the_kernel_says_of_a_failing_card_is_found():
    log = (
        "mmc0: new ultra high speed SDR104 SDHC card at address aaaa\n"
        "mmc0: Timeout waiting for hardware interrupt.\n"
        "usb 1-1: device descriptor read/64, error -71\n"
        "blk_update_request: I/O error, dev mmcblk0, sector 1234\n"
        "EXT4-fs error (device mmcblk0p2): ext4_find_entry\n"
    )
    assert len(kernel_troubles(log)) == 3


def test_errors_of_file_system_and_kernel_are_warnings(ctx, programs, tmp_path):
    assert check_disk(ctx).level == "ok"
    (tmp_path / "sys/fs/ext4/mmcblk0p2").mkdir(parents=True)
    (tmp_path / "sys/fs/ext4/mmcblk0p2/errors_count").write_text("4\n")
    programs.says("dmesg", "mmc0: error -110 whilst initialising SD card\n")
    found = check_disk(ctx)
    assert found.level == "warning"
    assert "mmcblk0p2 has had 4 errors" in found.found
    assert "error -110" in found.found


def test_a_state_folder_that_does_not_outlast_a_restart_is_a_warning(ctx, tmp_path):
    state = tmp_path / "var/lib/maskgate"
    state.mkdir(parents=True)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/mounts").write_text(f"tmpfs {state} tmpfs rw 0 0\n")
    found = check_disk(ctx)
    assert found.level == "warning"
    assert "gone at the next start" in found.found
