"""The emulated gate: a flashed card, the board it is in, and the door before its camera."""

from __future__ import annotations

import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scripts.flashing.mounts import mounted
from scripts.flashing.partitions import read_layout
from tests.device.cache import Unprepared, call, emulated, folder, preparing
from tests.device.door import Door, pictures
from tests.device.machine import PATIENCE, Gone, Machine, Silent, take_kernel

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "/opt/maskgate/bin/python"
STATE = "/var/lib/maskgate"
BUZZER, LIGHT = 17, 27
# An idle workstation needs a fifth of it.
BOOT_SECONDS = 600
_PORT = 8123
# A shell that answers later tells that the workstation has no processor to spare; so does a gate
# that looks at fewer of the 2 pictures a second: it follows nobody by one in two seconds.
_SLOW_ANSWER, _SLOW_PICTURES = 20.0, 1.0
# QEMU's adapter is there a minute before the shell, or never.
_ADAPTER_SECONDS = 120
_ADAPTER = (
    f"for _ in $(seq {_ADAPTER_SECONDS}); do ls -d /sys/class/net/*/device > /dev/null 2>&1 && "
    "echo there && break; sleep 1; done"
)
# More pictures than wait on the way to the gate.
_ON_THE_WAY = 12

# What the emulation cannot do, or not in time; the card as it is flashed has none of these.
# QEMU 7.2 resets the board in the moment in which the hardware watchdog is set.
ONLY_HERE = {
    "etc/systemd/system.conf.d/90-emulated.conf":
        "[Manager]\nRuntimeWatchdogSec=off\nRebootWatchdogSec=off\nDefaultDeviceTimeoutSec=600\n"
        "DefaultTimeoutStartSec=600\n",
    "etc/systemd/system/maskgate.service.d/emulated.conf":
        "[Service]\nTimeoutStartSec=900\nTimeoutStopSec=300\nWatchdogSec=600\n",
    # Else seconds of old pictures wait in the board's memory, as it takes them slowly.
    "etc/sysctl.d/90-emulated.conf": "net.ipv4.tcp_rmem = 4096 65536 131072\n",
}


class Board:
    """A Raspberry Pi that is switched on and off.

    *figures* collects what is measured, *heard* is what the board said before it went off.
    """

    def __init__(self, card: Path, kernel: Path, door: Door, shared: Path, log: Path) -> None:
        self.card = card
        self.door = door
        self.figures: dict[str, float | str] = {}
        self._kernel = kernel
        self._shared = shared
        self._log = log
        self._machine: Machine | None = None
        self.heard = ""
        serve = functools.partial(_Handler, directory=str(shared))
        self._files = http.server.ThreadingHTTPServer(("127.0.0.1", _PORT), serve)
        threading.Thread(target=self._files.serve_forever, daemon=True).start()

    @property
    def machine(self) -> Machine:
        """The board under power."""
        if self._machine is None:
            raise RuntimeError("the board is off; switch it on first")
        return self._machine

    def on(self) -> Machine:
        """Switch the power on and wait for a shell.

        A boot that hangs is tried once more, and so is one at which QEMU's USB connects nothing
        ("dwc2: Not connected"): the board then has no network adapter, whatever is on the card.
        """
        for last in (False, True):
            try:
                self._machine = Machine(self.card, self._kernel, self._log)
                self._machine.wait_for_shell(BOOT_SECONDS)
                if self._machine.shell(_ADAPTER) != "there":
                    raise Silent(f"no network adapter within {_ADAPTER_SECONDS} s of the shell")
            except (Silent, Gone) as error:
                self.off()
                if last:
                    raise Unprepared(f"the board did not start, twice: {error}") from error
            else:
                return self._machine
        raise AssertionError("never here")

    def off(self) -> None:
        """Pull the plug."""
        if self._machine is not None:
            self._machine.pull_the_plug()
            self.heard = self._machine.heard
            self._machine = None

    def wait_for_service(self, restarts: int = 0, timeout: float = PATIENCE) -> float:
        """Wait until systemd says that the gate is ready; return seconds since power-on.

        A gate that ended more often than *restarts* times is not waited for.
        """
        deadline = time.monotonic() + timeout
        while True:
            said = self.machine.shell("systemctl show -p ActiveState -p NRestarts maskgate")
            told = dict(re.findall(r"^(\w+)=(\w+)$", said, re.M))
            state, ended = told.get("ActiveState"), int(told.get("NRestarts", 0))
            if state == "active" and ended == restarts:
                return self.machine.seconds
            late = time.monotonic() > deadline
            if late or state == "failed" or ended > restarts:
                log = self.machine.shell("journalctl -b -u maskgate -n 30 --no-pager")
                text = f"the gate does not come up, it is {state}, {ended} restarts: {log}"
                raise Silent(text) if late else AssertionError(text)
            time.sleep(2)

    def wait_for_camera(self, timeout: float = PATIENCE) -> None:
        """Wait until the gate takes pictures off the camera."""
        before, deadline = self.door.sent, time.monotonic() + timeout
        while self.door.sent < before + 10:
            if time.monotonic() > deadline:
                raise Silent(f"the gate took {self.door.sent - before} pictures of the camera")
            time.sleep(0.5)

    def python(self, program: Path, *arguments: str) -> str:
        """Send *program* over the network and return what it prints on the board."""
        self.send(program, f"/root/{program.name}")
        words = " ".join(arguments)
        return self.machine.shell(f"cd /root && {PYTHON} /root/{program.name} {words}")

    def send(self, file: Path, place: str) -> None:
        """Copy *file* to *place* on the board, over the emulated network."""
        content = file.read_bytes()
        (self._shared / file.name).write_bytes(content)
        url = f"http://10.0.2.2:{_PORT}/{file.name}"
        fetch = (
            "import sys, urllib.request as r; "
            f"open(sys.argv[1], 'wb').write(r.urlopen('{url}', timeout=300).read())"
        )
        said = self.machine.shell(f'python3 -c "{fetch}" {place}')
        size = self.machine.shell(f"stat -c %s {place}")
        if size != str(len(content)):
            raise Unprepared(f"{place} did not come over the emulated network: {said} {size}")

    def update(self) -> dict[str, Any]:
        """Return the line that the gate keeps for machines about its models."""
        return _object_in(self.machine.shell(f"cat {STATE}/models/status.json"))

    def model(self, kind: str) -> dict[str, Any]:
        """Return what the gate says of its model of *kind*."""
        found: dict[str, Any] = self.update().get("models", {}).get(kind, {})
        return found

    def until(self, reached: Callable[[], object], timeout: float = PATIENCE) -> None:
        """Wait until *reached* says so."""
        deadline = time.monotonic() + timeout
        while not reached():
            if time.monotonic() > deadline:
                raise Silent(f"after {timeout:.0f} s: {self.update()}\n{self.condition()}")
            time.sleep(2)

    def hung(self) -> str:
        """Return how the emulation itself hangs or crawls, or "" where it does not."""
        words = "blocked for more than|hardware interrupt|soft lockup|detected stalls?"
        began = time.monotonic()
        try:
            said = self.machine.shell(f"dmesg | grep -m1 -iE '{words}'", 60)
            took = time.monotonic() - began
            if said or took > _SLOW_ANSWER:
                return said or f"its shell took {took:.0f} s to answer"
            rate = self.pace()
        except (Silent, Unprepared, RuntimeError, OSError):
            return "its shell does not answer"
        # None at all is not slow: then it is the gate that looks at none.
        return f"it looks at {rate:.1f} pictures a second" if 0 < rate < _SLOW_PICTURES else ""

    def pace(self, seconds: float = 10.0) -> float:
        """Return how many pictures a second the gate looks at, 0 where its page does not tell."""
        before, began = self.page().get("frames", 0), time.monotonic()
        time.sleep(seconds)
        looked_at: int = self.page().get("frames", 0) - before
        return max(0, looked_at) / (time.monotonic() - began)

    def page(self) -> dict[str, Any]:
        """Return what the gate's status page tells, without the card; {} where it does not."""
        ask = r"GET /state.json HTTP/1.0\r\nHost: 127.0.0.1:8070\r\n\r\n"
        return _object_in(self.machine.shell(
            f"exec 3<>/dev/tcp/127.0.0.1/8070 && printf '{ask}' >&3 && timeout 60 cat <&3; "
            "exec 3>&-"
        ))

    def condition(self) -> str:
        """Return what tells a fault of the emulation, as a card that hangs, from the gate's."""
        return self.machine.shell(
            "journalctl -b -n 25 --no-pager -o short-monotonic; cat /proc/pressure/io; "
            "ps -eo state,wchan:32,args | grep '^D'"
        )

    def settle(self) -> None:
        """Wait until the gate has seen what is shown now, and both pins are low for 3 seconds."""
        deadline, before = time.monotonic() + PATIENCE, self.door.sent
        while time.monotonic() < deadline:
            recent = self.machine.edges(BUZZER, LIGHT, since=time.monotonic() - 3)
            seen = self.door.sent >= before + _ON_THE_WAY
            if seen and not recent and not any(map(self.machine.high, (BUZZER, LIGHT))):
                return
            time.sleep(0.2)
        raise Silent("the pins do not come to rest")

    def copy_in(self, file: Path) -> None:
        """Copy a model *file* into the folder that the gate watches."""
        self.send(file, f"/tmp/{file.name}")
        self.take_in(file.name)

    def take_in(self, name: str) -> None:
        """Copy the model *name*, which is in the board's /tmp, into the folder that it watches."""
        self.machine.shell(
            f"install -o maskgate -g maskgate -m 600 /tmp/{name} {STATE}/models/incoming/"
        )

    def close(self) -> None:
        """Switch everything off."""
        self.off()
        self._files.shutdown()
        self._files.server_close()
        self.door.close()


def flashed(image: Path, config: Path, wheels: Path, output: Path, *options: str) -> float:
    """Make *output* of *image* by ``scripts/flash``; return the seconds it took."""
    began = time.monotonic()
    key, password = output.with_suffix(".key"), output.with_suffix(".password")
    key.write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== test\n", encoding="ascii")
    password.write_text("correct horse\n", encoding="ascii")
    digest = call("sha256sum", str(image)).split()[0]
    emulated(
        str(ROOT / "scripts/flash"), "--image", str(image), "--sha256", digest,
        "--config", str(config), "--output", str(output), "--hostname", "door1",
        "--timezone", "Europe/Vienna", "--ssh-key", str(key), "--wifi-ssid", "Shop",
        "--wifi-password-file", str(password), "--wifi-country", "AT",
        "--wheels", str(wheels), *options,
    )
    return time.monotonic() - began


def prepared(image: Path, card: Path, kernel: Path) -> None:
    """Copy the flashed *image* to a *card* for the emulation; its kernel goes to *kernel*."""
    shutil.rmtree(kernel, ignore_errors=True)
    call("cp", "--sparse=always", str(image), str(card))
    # QEMU takes cards of a power of two only.
    os.truncate(card, 1 << (image.stat().st_size - 1).bit_length())
    with mounted(card, read_layout(card)) as root:
        for name, text in ONLY_HERE.items():
            place = root / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="ascii")
        take_kernel(root, kernel)


@contextmanager
def powered(image: Path, shared: Path, name: str) -> Iterator[Board]:
    """Yield a board with a card of the flashed *image* in it, switched off, before its door.

    What it measured is printed at the end and written to *name* in the cache.
    """
    card, kernel = folder() / "card.img", folder() / "kernel"
    with preparing("the card for the emulation"):
        prepared(image, card, kernel)
    log = folder() / "serial.log"
    log.unlink(missing_ok=True)
    shown = pictures()
    with preparing("the network camera"):
        # Its port may be somebody else's.
        board = Board(card, kernel, Door(shown, fps=2.0), shared, log)
    try:
        yield board
    finally:
        board.close()
        report = folder() / name
        report.write_text(json.dumps(board.figures, indent=2) + "\n", encoding="utf-8")
        print(f"\n{report.read_text()}")


def answers_of(text: str) -> dict[str, Any]:
    """Return what outputs.py printed in *text*."""
    line = next(line for line in text.splitlines() if line.startswith("ANSWERS "))
    found: dict[str, Any] = json.loads(line.removeprefix("ANSWERS "))
    return found


def _object_in(text: str) -> dict[str, Any]:
    """Return the JSON object at the end of *text*, {} where there is none."""
    try:
        found: dict[str, Any] = json.loads(text[text.index("{") :])
    except ValueError:
        return {}
    return found


def here(program: Path, *arguments: str) -> str:
    """Run *program* on the workstation."""
    done = subprocess.run(
        [sys.executable, str(program), *arguments], capture_output=True, text=True, check=True,
        timeout=900, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return done.stdout


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        """Say nothing."""
