"""The product itself on an emulated Raspberry Pi 3: flashed, booted, watched from outside.

The tests go by their order: one board is switched on once and used by several of them.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from scripts.flashing.mounts import mounted
from scripts.flashing.partitions import read_layout
from scripts.flashing.system import examine
from tests.device import outputs, ribbon
from tests.device.board import (
    BUZZER,
    LIGHT,
    PYTHON,
    STATE,
    Board,
    answers_of,
    flashed,
    here,
    powered,
)
from tests.device.cache import folder
from tests.device.door import BARE, MASKED, NOBODY
from tests.device.machine import PATIENCE, Edge, Silent, beats
from tests.device.standin import inside
from tests.edge.model_files import CLASSIFIER, make

HERE = Path(__file__).resolve().parent
CUTS = int(os.environ.get("MASKGATE_DEVICE_CUTS", "3"))
# The buzzer's alarm is 0.25 s on and off; an emulated processor is late, never early.
BEEP = 0.25


@pytest.fixture(scope="module")
def image(stand_in: Path, wheels: Path) -> tuple[Path, float]:
    """The stand-in for Raspberry Pi OS with a gate on it, as scripts/flash makes it."""
    output = folder() / "gate.img"
    if os.environ.get("MASKGATE_DEVICE_REUSE") == "1" and output.exists():
        return output, 0.0
    output.unlink(missing_ok=True)
    return output, flashed(stand_in, HERE / "gate.toml", wheels, output)


@pytest.fixture(scope="module")
def board(
    image: tuple[Path, float], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Board]:
    with powered(image[0], tmp_path_factory.mktemp("shared"), "figures.json") as made:
        made.figures["flashing, s"] = round(image[1])
        yield made


@pytest.mark.quick
def test_the_flashed_image_keeps_its_secrets(image: tuple[Path, float]) -> None:
    with mounted(image[0], read_layout(image[0])) as root:
        config = (root / "etc/maskgate/gate.toml").stat()
        wifi = root / "etc/NetworkManager/system-connections/maskgate-wifi.nmconnection"
        assert (config.st_mode & 0o777, config.st_uid) == (0o640, 0)
        assert (wifi.stat().st_mode & 0o777, wifi.stat().st_uid) == (0o600, 0)
        key = re.search("psk=([0-9a-f]{64})", wifi.read_text())
        assert key is not None
        for path in (root / "boot/firmware").glob("*"):
            if path.is_file():
                assert key[1].encode() not in path.read_bytes(), path.name
    assert image[0].stat().st_mode & 0o077 == 0


@pytest.mark.quick
def test_networks_answer_bit_for_bit_the_same_on_x86_and_under_qemu_user(
    image: tuple[Path, float]
) -> None:
    found = answers_of(here(HERE / "outputs.py"))
    assert all(one["different"] == outputs.PICTURES for one in found.values())
    with mounted(image[0], read_layout(image[0])) as root:
        program = root / "root/outputs.py"
        program.write_bytes((HERE / "outputs.py").read_bytes())
        try:
            assert answers_of(inside(root, f"cd /root && {PYTHON} outputs.py")) == found
        finally:
            program.unlink()


@pytest.mark.quick
def test_the_environment_has_the_systems_camera_and_pins_with_the_systems_numpy(
    image: tuple[Path, float]
) -> None:
    program = "import lgpio, picamera2, numpy; print(numpy.__version__, numpy.__file__)"
    with mounted(image[0], read_layout(image[0])) as root:
        said = inside(root, f'cd /root && {PYTHON} -c "{program}"').split()
        system = examine(root)
    assert said[-2:] == [system.numpy, "/usr/lib/python3/dist-packages/numpy/__init__.py"]


@pytest.mark.quick
def test_cloud_init_finds_what_is_on_the_card_valid(image: tuple[Path, float]) -> None:
    with mounted(image[0], read_layout(image[0])) as root:
        check = "cloud-init schema --config-file /boot/firmware/user-data 2>&1"
        assert "Valid schema" in inside(root, check)


@pytest.mark.quick
def test_the_gate_comes_up_by_itself(board: Board) -> None:
    board.on()
    board.figures["power-on to shell, s"] = round(board.machine.seconds)
    board.figures["power-on to READY, s"] = round(board.wait_for_service())
    log = board.machine.shell("journalctl -b -u maskgate --no-pager -o short-monotonic")
    started = re.search(r"\[\s*(\d+)\.\d+\].*Started maskgate", log)
    if started is not None:
        board.figures["kernel start to READY by the board's clock, s"] = int(started[1])
    assert board.machine.shell("systemctl show -P NRestarts maskgate") == "0"
    board.wait_for_camera()
    board.figures["pictures looked at a second"] = round(board.pace(), 2)


@pytest.mark.quick
def test_the_card_took_its_name_and_time_zone(board: Board) -> None:
    assert board.machine.shell("cloud-init status --wait > /dev/null; hostname") == "door1"
    assert board.machine.shell("cat /etc/timezone").endswith("Europe/Vienna")
    assert "gate" in board.machine.shell("id gate")
    assert "ssh-ed25519" in board.machine.shell("cat /home/gate/.ssh/authorized_keys")


@pytest.mark.quick
def test_networks_answer_bit_for_bit_the_same_on_x86_and_on_the_board(board: Board) -> None:
    assert answers_of(board.python(HERE / "outputs.py")) == answers_of(here(HERE / "outputs.py"))


def test_the_board_can_be_measured_and_looked_over(board: Board) -> None:
    maskgate = "/opt/maskgate/bin/maskgate"
    board.machine.shell(f"{maskgate} bench --quick --json /tmp/bench.json > /tmp/bench.txt", 900)
    measured = json.loads(board.machine.shell("cat /tmp/bench.json"))
    assert "Raspberry Pi 3" in str(measured["board"]) and "aarch64" in str(measured["board"])
    board.machine.shell(f"{maskgate} doctor --json > /tmp/doctor.json", 900)
    findings = json.loads(board.machine.shell("cat /tmp/doctor.json"))["findings"]
    levels = {finding["name"]: finding["level"] for finding in findings}
    assert {levels[name] for name in ("system", "python", "configuration", "models")} == {"ok"}
    assert levels["service"] != "failure", findings


@pytest.mark.parametrize("turn", [pytest.param(1, marks=pytest.mark.quick), 2])
def test_it_beeps_for_a_bare_face_and_is_silent_for_a_masked_one_and_for_nobody(
    board: Board, turn: int
) -> None:
    machine, door = board.machine, board.door
    door.scene = NOBODY
    board.settle()
    assert _while_nobody_is_there(board) == []

    door.scene, came = BARE, time.monotonic()
    beeps = machine.wait_for_edges(BUZZER, 16, came)
    light = machine.edges(LIGHT, since=came)
    board.figures[f"bare face to first beep, s (turn {turn})"] = round(beeps[0].at - came, 1)
    assert [edge.high for edge in beeps] == [True, False] * 8
    assert light and light[0].high
    _is_the_pattern(beeps)

    door.scene = NOBODY
    board.settle()
    quiet = time.monotonic()

    def seen() -> bool:
        door.scene = MASKED
        time.sleep(20)
        newest = board.page().get("newest") or {}
        door.scene = NOBODY
        board.settle()
        return newest.get("verdict") == "mask" or machine.edges(BUZZER, since=quiet) != []

    # It is silent because it sees a mask, not because it sees nothing.
    board.until(seen)
    assert machine.edges(BUZZER, since=quiet) == []


def test_a_killed_gate_leaves_its_pins_off_and_is_back(board: Board) -> None:
    machine = board.machine
    board.settle()
    board.door.scene, came = BARE, time.monotonic()
    machine.wait_for_edges(BUZZER, 4, came)
    killed = time.monotonic()
    machine.shell("systemctl kill -s KILL --kill-whom=main maskgate")
    board.until(lambda: "(crash)" in _log(board))
    assert "code=killed, status=9/KILL" in _log(board)
    assert "buzzer: off (crash)" in _log(board) and "led: off (crash)" in _log(board)
    assert not machine.high(BUZZER) and not machine.high(LIGHT)
    board.door.scene = NOBODY
    board.wait_for_service(restarts=1)
    board.figures["SIGKILL to READY again, s"] = round(time.monotonic() - killed)
    assert machine.shell("systemctl show -P NRestarts maskgate") == "1"


def test_a_camera_that_dies_is_shown_and_seen_again_when_it_is_back(board: Board) -> None:
    machine, door = board.machine, board.door
    board.wait_for_camera()
    board.settle()
    died = time.monotonic()
    door.alive = False
    blinks = machine.wait_for_edges(LIGHT, 10, died)
    board.figures["camera dead to light, s"] = round(blinks[0].at - died, 1)
    # 0.1 s each 2 s.
    rises = [edge for edge in blinks if edge.high]
    assert all(1.0 < period < 4.0 for period in beats(rises)[-3:])
    assert machine.edges(BUZZER, since=died) == []
    door.alive = True
    board.wait_for_camera()
    door.scene, came = BARE, time.monotonic()
    machine.wait_for_edges(BUZZER, 4, came)
    door.scene = NOBODY
    board.settle()


def test_a_full_disk_does_not_stop_the_gate(board: Board) -> None:
    machine = board.machine
    machine.shell("fallocate -l $(df --output=avail -B1 / | tail -1) /var/full; sync")
    try:
        assert machine.shell("df --output=avail / | tail -1").strip() == "0"
        board.door.scene = BARE
        machine.wait_for_edges(BUZZER, 6, time.monotonic())
        board.door.scene = NOBODY
        board.settle()
        assert machine.shell("systemctl is-active maskgate") == "active"
    finally:
        machine.shell("rm -f /var/full")


def test_a_model_that_is_copied_in_is_tried_swapped_in_and_trusted(
    board: Board, tmp_path: Path
) -> None:
    new = tmp_path / "new.tflite"
    new.write_bytes(make(CLASSIFIER, 100))
    copied = time.monotonic()
    board.copy_in(new)
    board.until(
        lambda: board.model(CLASSIFIER).get("running") is True and _version(board) == 100
    )
    board.figures["new model copied to at work, s"] = round(time.monotonic() - copied)
    board.door.scene = BARE
    board.machine.wait_for_edges(BUZZER, 4, time.monotonic())
    board.door.scene = NOBODY
    board.until(lambda: board.model(CLASSIFIER)["standing"] == "good")


def test_a_broken_model_is_refused(board: Board, tmp_path: Path) -> None:
    content = bytearray(make(CLASSIFIER, 101))
    content[len(content) // 2] ^= 0xFF
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(content)
    board.copy_in(broken)
    board.until(lambda: board.update()["last"]["event"] == "model_refused")
    assert (_version(board), board.model(CLASSIFIER)["running"]) == (100, True)


def test_the_new_model_survives_a_power_cut(board: Board) -> None:
    board.off()
    board.on()
    board.wait_for_service()
    board.wait_for_camera()
    board.until(lambda: board.model(CLASSIFIER).get("running") is True)
    assert (_version(board), board.model(CLASSIFIER)["standing"]) == (100, "good")


def test_no_acknowledged_event_is_lost_when_the_power_goes_in_the_middle_of_an_update(
    board: Board, tmp_path: Path
) -> None:
    chance = random.Random(20240131)
    version, rows = 110, 0
    offered = {_version(board)}
    for cut in range(CUTS):
        file = tmp_path / f"update{cut}.tflite"
        file.write_bytes(make(CLASSIFIER, version + cut))
        start = _checked(board, "journal.db", rows)
        # Before the card is busy: the moment of the cut is to be by chance, not by the network.
        board.send(file, f"/tmp/{file.name}")
        _writer(board, "journal.db", start)
        board.take_in(file.name)
        time.sleep(chance.uniform(0.0, 25.0))
        own = _newest(board)
        board.off()
        rows = _acknowledged(board, start)
        board.on()
        board.wait_for_service()
        board.wait_for_camera()
        board.until(lambda: board.model(CLASSIFIER).get("running") is True)
        # One that was offered, whole: a cut on probation goes back to the one before, and what
        # was still to be tried is tried after the next start.
        offered.add(version + cut)
        assert _version(board) in offered
        rows = _checked(board, "journal.db", rows)
        assert _newest(board) >= own
        assert board.machine.shell(
            f"sqlite3 {STATE}/journal.db 'PRAGMA integrity_check'"
        ).splitlines()[-1] == "ok"
    board.figures["power cuts"] = CUTS
    board.figures["acknowledged rows, none lost"] = rows


def test_a_careless_journal_does_lose_events(board: Board) -> None:
    # Without this the test above might pass because nothing is ever lost here.
    _writer(board, "careless.db", 0, "careless")
    time.sleep(10)
    board.off()
    acknowledged = _acknowledged(board, 0)
    assert acknowledged > 0
    board.on()
    found = board.python(HERE / "writer.py", "/root/careless.db")
    last, verdict = _journal(found)
    board.figures["careless journal, rows acknowledged and found"] = f"{acknowledged}, {last}"
    assert last < acknowledged or verdict != "ok"


def test_a_camera_by_picamera2_beeps_for_a_bare_face_and_not_for_a_masked_one(
    board: Board, tmp_path: Path
) -> None:
    machine = board.machine
    ribbon.fit(board, tmp_path)
    came = time.monotonic()
    ribbon.show(board, BARE, tmp_path)
    assert "Watching picamera2://0" in _log(board)
    _is_the_pattern(machine.wait_for_edges(BUZZER, 8, came))
    board.figures["pictures by picamera2 looked at a second"] = round(board.pace(), 2)

    ribbon.show(board, MASKED, tmp_path)
    quiet = time.monotonic()
    board.until(lambda: (board.page().get("newest") or {}).get("verdict") == "mask")
    assert machine.edges(BUZZER, since=quiet) == []


def _while_nobody_is_there(board: Board) -> list[Edge]:
    """Return what the pins did in 15 seconds in which the gate had pictures all the time."""
    for _ in range(5):
        faults, quiet = _log(board).lower().count("camera"), time.monotonic()
        time.sleep(15)
        found = board.machine.edges(since=quiet)
        # An emulation that stands still for seconds gives no pictures, and the light says so.
        if not found or _log(board).lower().count("camera") == faults:
            break
        board.settle()
    return found


def _is_the_pattern(beeps: list[Edge]) -> None:
    """See that it is 0.25 s on and 0.25 s off most of the time.

    One beep may be torn where a processor is taken away, and one silence be the end of an alarm.
    """
    pauses = beats(beeps)
    for part in (pauses[0::2], pauses[1::2]):
        if not BEEP * 0.5 < median(part) < BEEP * 4:
            raise Silent(f"the seconds on and off in turn, 0.25 wanted: {pauses}")


def _log(board: Board) -> str:
    """Return what the service said since the board was switched on."""
    return board.machine.shell("journalctl -b -u maskgate --no-pager -o cat")


def _version(board: Board) -> object:
    return board.model(CLASSIFIER).get("version")


def _writer(board: Board, name: str, start: int, *words: str) -> None:
    """Start the writer on the board; its numbers come over the serial line."""
    board.send(HERE / "writer.py", "/root/writer.py")
    line = " ".join(str(word) for word in (f"/root/{name}", start, *words))
    board.machine.shell("pkill -f /root/writer.py; sleep 1")
    board.machine.shell(f"{PYTHON} /root/writer.py {line} > /dev/ttyS1 2>&1 &")
    board.machine.expect(r"ROW \d+", PATIENCE)


def _acknowledged(board: Board, last: int) -> int:
    """Return the last number that the writer said before the power went; *last* for none."""
    return max([last, *(int(number) for number in re.findall(r"ROW (\d+)\r?\n", board.heard))])


def _newest(board: Board) -> int:
    """Return the number of the newest event in the gate's own journal."""
    return int(board.machine.shell(f"sqlite3 {STATE}/journal.db 'SELECT max(id) FROM event'"))


def _journal(text: str) -> tuple[int, str]:
    found = re.search(r"JOURNAL (\d+) (.*)", text)
    assert found is not None, text
    return int(found[1]), found[2].strip()


def _checked(board: Board, name: str, acknowledged: int) -> int:
    """Return how many rows the journal has; none that was acknowledged may be missing."""
    last, verdict = _journal(board.python(HERE / "writer.py", f"/root/{name}"))
    if acknowledged or last:
        assert verdict == "ok"
    assert last >= acknowledged
    return last
