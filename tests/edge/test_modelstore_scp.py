"""A model sent over the network, by the real scp to a real sshd of the test's own."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.edge.model_files import DETECTOR, make
from tests.edge.test_modelstore_feed import feed_of, work

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin")


@dataclass(frozen=True)
class Server:
    """An sshd on *port* of this machine that lets the owner of *key* in."""

    port: int
    key: Path

    def send(self, source: Path, target: Path, *options: str) -> None:
        """Copy *source* to *target* over the network; fails after a minute."""
        command = ["scp", *options, "-P", str(self.port), "-i", str(self.key)]
        for setting in ("BatchMode=yes", "StrictHostKeyChecking=no", "IdentitiesOnly=yes",
                        "UserKnownHostsFile=/dev/null"):
            command += ["-o", setting]
        address = f"{getpass.getuser()}@127.0.0.1:{target}"
        subprocess.run([*command, str(source), address], check=True, timeout=60)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    if SSHD is None or shutil.which("scp") is None:
        pytest.skip("openssh-server is not installed")
    for name in ("host", "key"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)],
            check=True, timeout=60,
        )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "Port": port, "ListenAddress": "127.0.0.1", "HostKey": tmp_path / "host",
        "AuthorizedKeysFile": tmp_path / "key.pub", "PidFile": tmp_path / "pid",
        "StrictModes": "no", "UsePAM": "no", "PasswordAuthentication": "no",
        "Subsystem": "sftp internal-sftp",
    }
    config = tmp_path / "sshd_config"
    config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # what the service would make
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=subprocess.PIPE)
    try:
        _wait_for(port, process)
        yield Server(port, tmp_path / "key")
    finally:
        process.terminate()
        process.communicate(timeout=20)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    process.kill()
    pytest.fail(f"sshd did not start: {process.communicate(timeout=20)[1].decode()}")


@pytest.mark.parametrize("options", [(), ("-p",), ("-O",), ("-l", "20000")], ids=" ".join)
def test_a_model_arrives_by_scp(tmp_path: Path, server: Server, options: tuple[str, ...]) -> None:
    feed = feed_of(tmp_path)
    feed.start()
    (tmp_path / "a new one.tflite").write_bytes(make(DETECTOR))
    server.send(tmp_path / "a new one.tflite", tmp_path / "incoming", *options)
    (swap,) = work(feed)
    assert swap.model.card.version == 100
    feed.close()
