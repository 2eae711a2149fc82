"""A Raspberry Pi 3B of QEMU, and what can be seen of it from outside."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType

from tests.device.cache import Unprepared, folder

# A 3B of 2016; the firmware, which QEMU does not run, would put it there, and gpiozero asks.
_REVISION = "a02082"
# GPLEV0 of the BCM2837, at QEMU's address: the level of GPIO 0 to 31, a bit each.
_LEVELS = 0x3F200034
_COMMAND_LINE = (
    "root=/dev/mmcblk0p2 rootfstype=ext4 fsck.repair=yes rootwait console=ttyS1,115200 "
    "net.ifnames=0 quiet module_blacklist=vc4,vchiq,snd_bcm2835 systemd.show_status=0"
)


# Seconds.  At least five times what was measured on a busy workstation: a wait that ends tells
# that what was waited for does not come, not that it is late.
PATIENCE = 600.0


class Silent(AssertionError):
    """What was waited for did not come in time."""


class Gone(Unprepared):
    """QEMU ended by itself."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A pin that changed: *at* in seconds of the host's clock, *pin* by its BCM number."""

    at: float
    pin: int
    high: bool


def take_kernel(root: Path, target: Path) -> None:
    """Copy kernel, initrd and device tree of the system in *root* to *target*, fit for QEMU."""
    target.mkdir(parents=True, exist_ok=True)
    for name in ("vmlinuz", "initrd.img"):
        (found,) = (root / "boot").glob(f"{name}-*")
        shutil.copyfile(found, target / name)
    tree = target / "board.dtb"
    (source,) = (root / "usr/lib").glob("linux-image-*/broadcom/bcm2837-rpi-3-b.dtb")
    shutil.copyfile(source, tree)
    subprocess.run(["fdtput", "-c", str(tree), "/system"], check=False, capture_output=True)
    subprocess.run(
        ["fdtput", "-t", "x", str(tree), "/system", "linux,revision", _REVISION], check=True
    )


class Machine:
    """The board with the card *image* in it; leaving the block pulls the plug.

    *kernel* is what :func:`take_kernel` filled.  *log* is where the serial line is written to;
    *heard* is all that was said on it.
    """

    def __init__(self, image: Path, kernel: Path, log: Path) -> None:
        self._sockets = folder() / f"run-{time.monotonic_ns()}"
        self._sockets.mkdir()
        self._log = log
        self._seen = ""
        self.heard = ""
        self._edges: list[Edge] = []
        self._answers: list[bytes] = []
        self._changed = threading.Condition()
        self.began = time.monotonic()
        self._process = subprocess.Popen(
            [
                "qemu-system-aarch64", "-M", "raspi3b", "-m", "1024",
                "-display", "none", "-no-reboot", "-accel", "tcg,thread=multi",
                "-serial", "null", "-serial", f"unix:{self._sockets}/serial,server=on,wait=off",
                "-qtest", f"unix:{self._sockets}/qtest,server=on,wait=off",
                "-qtest-log", "/dev/null",
                "-kernel", str(kernel / "vmlinuz"), "-initrd", str(kernel / "initrd.img"),
                "-dtb", str(kernel / "board.dtb"), "-append", _COMMAND_LINE,
                # Written through: what the board has synced is in the file when the plug is pulled.
                "-drive", f"file={image},format=raw,if=sd,cache=writethrough",
                "-netdev", "user,id=net", "-device", "usb-net,netdev=net",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        self._lines: list[socket.socket] = []
        try:
            self._serial = self._connect("serial")
            self._qtest = self._connect("qtest")
            threading.Thread(target=self._listen, daemon=True).start()
            threading.Thread(target=self._watch_pins, daemon=True).start()
            said = self._ask("irq_intercept_out /machine/soc/peripherals/gpio")
            if said != b"OK":
                raise Gone(f"this QEMU tells nothing of the pins: {said.decode()}")
        except BaseException:
            self.pull_the_plug()
            raise

    def __enter__(self) -> Machine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.pull_the_plug()

    @property
    def seconds(self) -> float:
        """Seconds since the power was switched on."""
        return time.monotonic() - self.began

    def wait_for_restart(self, timeout: float) -> None:
        """Wait until the board starts anew by itself, which is where this emulation of it ends."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Silent(f"the board did not start anew within {timeout:.0f} s") from None

    def pull_the_plug(self) -> None:
        """End the emulation as a power cut ends a board."""
        self._process.kill()
        self._process.wait()
        for line in self._lines:
            line.close()
        shutil.rmtree(self._sockets, ignore_errors=True)

    def expect(self, pattern: str, timeout: float) -> re.Match[str]:
        """Wait for *pattern* on the serial line; what came before it is forgotten."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                found = re.search(pattern, self._seen)
                if found is not None:
                    self._seen = self._seen[found.end() :]
                    return found
                left = deadline - time.monotonic()
                end = self._seen[-1500:]
                if self._process.poll() is not None:
                    raise Gone(f"the emulation ended while {pattern!r} was waited for: {end}")
                if left <= 0:
                    raise Silent(f"no {pattern!r} within {timeout:.0f} s; the line said: {end}")
                self._changed.wait(min(left, 1.0))

    def shell(self, command: str, timeout: float = PATIENCE) -> str:
        """Return what *command* prints at the root shell of the board.

        Other programs write to the line too, so its end is told again where that was torn, and
        the answer is fetched until it is whole.
        """
        done = f"done{time.monotonic_ns()}"
        end = f"echo {done[:4]}''{done[4:]}\n"
        self._serial.sendall(f"{{ {command}\n}} > /run/answer 2>&1 < /dev/null; {end}".encode())
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.expect(rf"{done}\r?\n", min(60.0, max(1.0, deadline - time.monotonic())))
                break
            except Silent:
                if time.monotonic() >= deadline:
                    raise Silent(f"{command[:80]!r} did not end within {timeout:.0f} s") from None
                self._serial.sendall(end.encode())
        for _ in range(20):
            self._serial.sendall(
                b"printf 'answer(%s,%s)\\n' $(sha256sum < /run/answer | cut -c1-64) "
                b"$(base64 -w0 < /run/answer)\n"
            )
            try:
                found = self.expect(r"answer\(([0-9a-f]{64}),([A-Za-z0-9+/=]*)\)", 30)
                content = base64.b64decode(found[2], validate=True)
            except (Silent, ValueError):
                continue
            if hashlib.sha256(content).hexdigest() == found[1]:
                return content.decode("utf-8", errors="replace").strip()
        raise Silent(f"the answer to {command[:80]!r} never came whole")

    def wait_for_shell(self, timeout: float) -> None:
        """Wait until the serial line answers as a shell."""
        deadline = time.monotonic() + timeout
        while True:
            self._serial.sendall(
                b"bind 'set enable-bracketed-paste off'; PS1=; stty -echo; dmesg -n 1; "
                b"echo hello''board\n"
            )
            try:
                self.expect(r"helloboard\r?\n", min(15.0, max(1.0, deadline - time.monotonic())))
            except Silent:
                if time.monotonic() >= deadline:
                    raise
            else:
                return

    def edges(self, *pins: int, since: float = 0.0) -> list[Edge]:
        """Return the changes of *pins* (all where none are named) from *since* on."""
        with self._changed:
            every = list(self._edges)
        return [edge for edge in every if edge.at >= since and (not pins or edge.pin in pins)]

    def wait_for_edges(
        self, pin: int, count: int, since: float, timeout: float = PATIENCE
    ) -> list[Edge]:
        """Wait until *pin* has changed *count* times after *since*; return the first *count*."""
        deadline = time.monotonic() + timeout
        while len(found := self.edges(pin, since=since)) < count:
            if time.monotonic() >= deadline:
                raise Silent(f"pin {pin} changed {len(found)} of {count} times in {timeout:.0f} s")
            time.sleep(0.1)
        return found[:count]

    def high(self, pin: int) -> bool:
        """Return the level that *pin* has now.

        Not by its last edge: QEMU tells none of a pin that is let go and then driven low, as by
        another program after the one that drove it was killed.
        """
        _, level = self._ask(f"readl {_LEVELS:#x}").split()
        return bool(int(level, 16) >> pin & 1)

    def _ask(self, question: str) -> bytes:
        """Return QEMU's answer to a line of the qtest protocol."""
        with self._changed:
            self._answers.clear()
        self._qtest.sendall(f"{question}\n".encode())
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._answers), 120):
                raise Gone(f"QEMU does not answer to {question!r}")
            return self._answers[-1]

    def _connect(self, name: str) -> socket.socket:
        path = str(self._sockets / name)
        line = socket.socket(socket.AF_UNIX)
        self._lines.append(line)
        for _ in range(1200):
            try:
                line.connect(path)
                return line
            except OSError:
                if self._process.poll() is not None:
                    assert self._process.stderr is not None
                    raise Gone(self._process.stderr.read().decode()) from None
                time.sleep(0.1)
        raise Gone(f"QEMU opens no {name}")

    def _listen(self) -> None:
        with self._log.open("ab") as log:
            for piece in _pieces(self._serial):
                log.write(piece)
                log.flush()
                with self._changed:
                    text = piece.decode("utf-8", errors="replace")
                    self._seen += text
                    self.heard += text
                    self._changed.notify_all()

    def _watch_pins(self) -> None:
        rest = b""
        for piece in _pieces(self._qtest):
            now = time.monotonic()
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if line.startswith((b"OK", b"FAIL", b"ERR")):
                    with self._changed:
                        self._answers.append(line.strip())
                        self._changed.notify_all()
                found = re.fullmatch(rb"IRQ (raise|lower) (\d+)\s*", line)
                if found is not None:
                    with self._changed:
                        self._edges.append(Edge(now, int(found[2]), found[1] == b"raise"))


def beats(edges: Sequence[Edge]) -> list[float]:
    """Return the seconds between each change and the next."""
    return [after.at - before.at for before, after in pairwise(edges)]


def _pieces(line: socket.socket) -> Iterator[bytes]:
    """Yield what comes over *line* until it is closed."""
    while True:
        try:
            piece = line.recv(65536)
        except OSError:
            return
        if not piece:
            return
        yield piece
