"""The status page as a part of the gate, and in a real browser."""

from __future__ import annotations

import socket
import threading
from types import SimpleNamespace

import pytest

from edge.alerts.outputs import Outputs
from edge.camera.fault import Fault
from edge.camera.frame import Frame
from edge.errors import OutputError
from edge.gate.policy import GateState
from edge.report.events import Event
from edge.service import Limits, run
from edge.status.page import StatusPage
from edge.status.settings import StatusSettings
from edge.watch import Settings
from tests.edge.browser import browser, missing
from tests.edge.status_pages import JUDGES, TOKEN, Served

in_a_browser = pytest.mark.skipif(bool(missing()), reason=missing())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_port_that_is_taken_is_told_in_one_line():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(OutputError, match=rf"^port {port} at 127\.0\.0\.1 .*in use") as error:
            StatusPage(StatusSettings(enabled=True, port=port), print)
    assert "\n" not in str(error.value)


def test_an_address_that_is_not_the_devices_is_told():
    settings = StatusSettings(enabled=True, address="203.0.113.7", token_file=__file__)
    with pytest.raises(OutputError, match=r"^(port 8070 at 203|token_file)"):
        StatusPage(settings, print)


def test_a_token_file_that_is_missing_opens_nothing(tmp_path):
    port = free_port()
    settings = StatusSettings(enabled=True, port=port, token_file=str(tmp_path / "none"))
    with pytest.raises(OutputError, match="token_file"):
        StatusPage(settings, print)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_gate_at_work_shows_itself(detector, classifier, source_of, painted):
    page = StatusPage(StatusSettings(enabled=True, port=free_port()), print, title="Main door")
    try:
        page.use(JUDGES, 5.0)
        pictures = [painted(("no_mask", 100, 80, 60))] * 90
        with Outputs([page.poster]) as outputs:
            run(source_of(pictures), detector, classifier, outputs, Settings(),
                observer=page.poster, limits=Limits())
        status = page.poster.status()
        assert status.turn.frames == 90 and status.turn.people["no_mask"] == 1
        assert status.standing.totals == {"alarms": 1, "no_mask": 1}
        assert status.standing.board.state is GateState.SHUTDOWN
    finally:
        page.close()
        page.close()


@pytest.fixture(scope="module")
def window():
    with browser() as window:
        yield window


class Loop:
    """A gate's loop that turns in a thread of its own, until it is closed."""

    def __init__(self, page: Served, image) -> None:
        self._over = threading.Event()
        self._page = page
        self._frame = Frame(image, 0.0, 0)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Loop:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.02):
            self._page.see(self._frame, GateState.PASS)


LIVE = "document.querySelector('#live').textContent === 'live'"
WORD = "document.querySelector('#word').textContent"


@in_a_browser
@pytest.mark.parametrize(("width", "height"), [(360, 740), (1280, 860)])
def test_a_phone_and_a_laptop_show_all_of_it_and_nothing_is_blocked(
    window, painted, width, height
):
    page = Served()
    try:
        page.see(Frame(painted(), 0.0, 0), GateState.PASS)
        window.complaints()
        window.size(width, height)
        window.open(f"http://127.0.0.1:{page.port}/")
        window.until(LIVE)
        assert window.text("#word") == "Pass" and window.text("#title") == "Main door"
        assert window.text("#classifier") == "classifier 4 (def)"
        assert window.script("return document.documentElement.scrollWidth") <= width
        assert window.complaints() == []
    finally:
        page.server.close()


@in_a_browser
def test_what_happens_is_seen_without_loading_the_page_again(window, painted):
    page = Served()
    try:
        frame = Frame(painted(), 0.0, 0)
        window.open(f"http://127.0.0.1:{page.port}/")
        window.until(f"{WORD} === 'Starting'")
        page.see(frame, GateState.ALARM)
        page.poster.event(Event(1.0, "person_left", 1, "no_mask"))
        window.until(f"{WORD} === 'Alarm'")
        assert window.text("[data-today=no_mask]") == "1"
        assert window.script("return document.title") == "Alarm · Main door"
        page.poster.show(GateState.CAMERA_FAULT)
        page.poster.blind(Fault("unplugged", "<b>the cable</b>", 0.0, 1.0), 1.0)
        window.until(f"{WORD} === 'Camera fault'")
        assert window.text("#sentence") == "Unplugged: <b>the cable</b>."
    finally:
        page.server.close()
    window.until(f"{WORD} === 'No answer'")


@in_a_browser
def test_a_loop_that_hangs_is_not_shown_as_a_pass(window, painted):
    page = Served()
    try:
        page.see(Frame(painted(), 0.0, 0), GateState.PASS)
        page.poster.use(SimpleNamespace(words=("a", "b"), settings=Settings()), -1.0)
        window.open(f"http://127.0.0.1:{page.port}/")
        window.until(f"{WORD} === 'Not responding'")
        assert "main loop" in window.text("#sentence")
    finally:
        page.server.close()


@in_a_browser
def test_a_person_logs_in_with_the_token_and_out_again(window, painted):
    page = Served(token=TOKEN)
    try:
        page.see(Frame(painted(), 0.0, 0))
        window.open(f"http://127.0.0.1:{page.port}/")
        window.type("#token", "wrong")
        window.click("button")
        window.until("document.querySelector('.wrong').textContent.includes('not the token')")
        window.type("#token", TOKEN)
        window.click("button")
        window.until(f"location.pathname === '/' && document.querySelector('#live') && {LIVE}")
        assert window.script("return document.cookie") == ""
        window.click("#logout button")
        window.until("document.querySelector('#token') !== null")
    finally:
        page.server.close()


@in_a_browser
def test_the_picture_is_fetched_only_between_watch_and_stop(window, painted):
    page = Served(preview=True)
    with Loop(page, painted(("mask", 100, 80, 60))):
        try:
            window.complaints()
            window.open(f"http://127.0.0.1:{page.port}/")
            window.until(LIVE)
            assert page.preview._asked is None
            window.click("#watch")
            window.until("document.querySelector('#picture').naturalWidth === 320")
            window.click("#watch")
            assert window.text("#nothing") == "Nobody watches."
            assert window.script("return document.querySelector('#picture').src") == ""
            assert window.complaints() == []
        finally:
            page.server.close()
