"""The doctor's check of the status page: off, served, taken, and the token that guards it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from edge.config import Config, examined
from edge.doctor.context import Context
from edge.doctor.fakes import RUNNING, FakePrograms, fake_context
from edge.doctor.finding import Finding
from edge.doctor.masking import Mask, known_secrets
from edge.doctor.page import check_page
from edge.doctor.unit_state import UnitState
from edge.status.page import StatusPage
from edge.status.settings import StatusSettings
from tests.edge.status_pages import TOKEN, Served
from tests.edge.test_doctor_broker import free_port
from tests.edge.test_status_server import FRAME

SERVICE = UnitState(RUNNING)
STOPPED = UnitState({**RUNNING, "ActiveState": "inactive"})


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    """A machine on which the user ``maskgate`` has no rights but those of everybody."""
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/passwd").write_text("maskgate:x:64001:64001::/:/usr/sbin/nologin\n")
    (root / "etc/group").write_text(f"maskgate:x:64001:\nvideo:x:{os.getegid()}:\n")
    return fake_context(root, FakePrograms(tmp_path / "bin"))


@pytest.fixture
def looked(ctx: Context) -> Callable[..., Finding]:
    """What the doctor finds with these settings of the page, and the service so."""

    def check(service: UnitState = STOPPED, **settings: object) -> Finding:
        page = StatusSettings(**{"enabled": True, "port": free_port(), **settings})
        return check_page(replace(ctx, config=Config(status=page), service=service))

    return check


@pytest.fixture
def served() -> Iterator[Served]:
    pytest.importorskip("prometheus_client")
    one = Served(token=TOKEN)
    one.see(FRAME)
    yield one
    one.server.close()


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o640)
    return file


def test_a_page_that_is_off_is_skipped(looked):
    assert looked(enabled=False).level == "skipped"


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_an_address_that_is_free_is_well_and_given_back(looked, token, address):
    pytest.importorskip("prometheus_client")
    port = free_port()
    for _ in range(2):
        found = looked(address=address, port=port, token_file=str(token))
        assert (found.level, "is free" in found.found) == ("ok", True)
    reached = "this device alone" if address == "127.0.0.1" else "who has the token"
    assert f"http://{address}:{port}/ is free, for {reached}" in found.found


def test_a_port_that_another_program_has_is_a_failure(looked):
    pytest.importorskip("prometheus_client")
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        found = looked(port=other.getsockname()[1])
    assert found.level == "failure" and "another program answers" in found.found
    assert "[status] port" in found.advice


def test_a_page_of_a_gate_that_is_well_is_well(looked, served):
    found = looked(SERVICE, port=served.port)
    assert (found.level, "answers, and all is well" in found.found) == ("ok", True)


@pytest.mark.parametrize("service", [SERVICE, STOPPED])
def test_a_gate_that_serves_its_page_says_how_it_is(looked, service):
    pytest.importorskip("prometheus_client")
    settings = StatusSettings(enabled=True, port=free_port())
    with closing(StatusPage(settings, print)):
        found = looked(service, port=settings.port)
    # No picture has come to this page yet, which it says itself.
    assert found.level == "warning" and "answers, and says: " in found.found


def test_a_service_whose_page_nobody_serves_is_a_failure(looked):
    pytest.importorskip("prometheus_client")
    found = looked(SERVICE)
    assert found.level == "failure" and "nobody answers" in found.found
    assert "restart maskgate" in found.advice


def test_an_address_of_another_device_is_a_failure(looked, token):
    pytest.importorskip("prometheus_client")
    # Of a network that is kept for examples.
    found = looked(address="192.0.2.1", token_file=str(token))
    assert found.level == "failure" and "none of this device's addresses" in found.found


@pytest.mark.parametrize(
    ("text", "words"), [(None, "is not there"), ("short\n", "has no token in its first line")]
)
def test_a_token_that_is_none_is_a_failure_that_says_how_to_make_one(looked, token, text, words):
    pytest.importorskip("prometheus_client")
    token.unlink() if text is None else token.write_text(text)
    found = looked(address="0.0.0.0", token_file=str(token))
    assert found.level == "failure" and words in found.found
    assert f"openssl rand -hex 24 | sudo install -m 640 -o root -g maskgate /dev/stdin {token}" in (
        found.advice
    )


@pytest.mark.parametrize(
    ("mode", "level", "words"),
    [
        (0o600, "failure", "cannot be read by maskgate"),
        (0o640, "ok", "its token can be read"),
        (0o644, "warning", "everybody on this device may read"),
    ],
)
def test_the_token_is_for_the_service_and_for_nobody_else(looked, token, mode, level, words):
    pytest.importorskip("prometheus_client")
    # The unit puts the service into the group video, whose file this is.
    token.chmod(mode)
    found = looked(address="0.0.0.0", token_file=str(token))
    assert (found.level, words in found.found) == (level, True), found


def test_a_page_for_everybody_without_a_token_is_a_mistake_in_the_file(ctx, tmp_path):
    file = tmp_path / "gate.toml"
    file.write_text('[status]\nenabled = true\naddress = "0.0.0.0"\n')
    config, problems = examined(file)
    assert config is None and "name a token_file" in " ".join(problems)


def test_the_token_is_taken_out_of_all_that_the_doctor_says(ctx, token):
    config = Config(status=StatusSettings(token_file=str(token)))
    said = Mask(known_secrets(ctx.root, config))(f"a visitor sent {TOKEN} to the page")
    assert TOKEN not in said and "(hidden)" in said
