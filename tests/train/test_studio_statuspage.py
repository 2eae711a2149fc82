"""A gate by its address alone: its own page, and what else may answer there."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import SourceError, UsageError
from tests.edge.test_status_gate import DEADLINE, Gate
from tests.train.studio_site import eventually, free_port
from train.studio.listening import MOST_VERDICTS, Told
from train.studio.pagewatch import ASK_AGAIN, STALE, Pages, joined, told_by
from train.studio.statuspage import LARGEST_ANSWER, Page, ask, page_at

TOKEN = "0123456789abcdef0123"
STATE: dict[str, Any] = {
    "state": "pass", "healthy": True, "trouble": "", "frames_per_second": 9.5,
    "today": {"date": "2026-01-02", "mask": 4, "alarms": 1},
    "models": {"detector": "faces 3", "classifier": "masks 3"},
    "newest": {"verdict": "mask", "confidence": 0.98, "at": "2026-01-02T03:04:05+00:00"},
}


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """A real ``maskgate run`` on the built-in scene, whose page wants a token."""
    pytest.importorskip("skimage", reason="scikit-image, which brings the scene, is missing")
    folder = tmp_path_factory.mktemp("gate")
    (folder / "token").write_text(f"{TOKEN}\n")
    found = Gate(folder, free_port(), f'token_file = "{folder / "token"}"\n')
    yield found
    found.process.terminate()
    found.process.wait(DEADLINE)
    found.log.close()


def page_of(gate: Gate, token: str = TOKEN) -> Page:
    file = gate.config.with_name(f"token-{token[:3]}")
    file.write_text(f"{token}\n")
    return page_at(f"http://127.0.0.1:{gate.port}", str(file))


@contextmanager
def answering(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[Page]:
    """Serve *answer* to every request here; yield where."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield Page("127.0.0.1", server.server_address[1])
    server.shutdown()
    server.server_close()


def plain(status: int, body: bytes, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    return answer


def test_a_real_gate_tells_state_counts_models_and_health(gate: Gate) -> None:
    page = page_of(gate)
    at_work = ("idle", "looking", "pass", "alarm")
    gate.until(lambda: gate.ask("/healthz")[0] == 200)
    # A busy machine may keep the gate from its pictures, which is then told, too.
    eventually(lambda: told_by(ask(page, DEADLINE)).state in at_work)
    told = told_by(ask(page, DEADLINE))
    assert told.online
    assert {"date", "mask", "no_mask", "incorrect", "unsure", "alarms"} <= set(
        told.values["people"]
    )
    assert told.value("health", "model").startswith("mask-classifier")
    assert told.value("health", "detector").startswith("face-detector")


def test_a_real_gate_wants_its_token(gate: Gate) -> None:
    gate.until(lambda: gate.ask("/healthz")[0] in (200, 503))
    for page in (page_of(gate, "wrong" * 5), Page("127.0.0.1", gate.port)):
        with pytest.raises(SourceError, match="wants a token; name its token_file"):
            ask(page, DEADLINE)


def test_the_gates_page_shows_it_and_offers_it_no_model(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("streamlit", reason="Streamlit is not installed")
    from tests.train.test_studio_pages import opened_page, words

    page = page_of(gate)
    gate.until(lambda: gate.ask("/healthz")[0] == 200)
    file, away = tmp_path / "gates.toml", free_port()
    file.write_text(
        f"[gates.door]\npage = 'http://127.0.0.1:{gate.port}'\ntoken_file = '{page.token_file}'\n"
        f"[gates.back]\npage = 'http://127.0.0.1:{away}'\n"
    )
    app = opened_page(monkeypatch, "gates", runs=str(tmp_path / "runs"), gates=str(file))

    def shown(told: str) -> bool:
        return told in words(app.run()).replace("\\", "")

    eventually(lambda: shown("Models: face-detector"))
    eventually(lambda: shown(f"127.0.0.1:{away} does not answer"))
    assert shown("offline") and not shown("Bring a model") and not app.button


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (plain(302, b"", Location="http://127.0.0.1:1/state.json"), "which is not followed"),
        (plain(200, b"x" * (LARGEST_ANSWER + 9)), "more than 65536 bytes"),
        (plain(200, b"<html>"), "no status page of a gate"),
        (plain(200, b"[]"), "no status page of a gate"),
        (plain(200, b"[" * 50_000), "no status page of a gate"),
        (plain(503, b"no\nway\n"), "answers 503: no way"),
        (plain(403, b"not by this name"), "answers 403: not by this name"),
    ],
)
def test_what_is_no_gate_is_told_in_words(
    answer: Callable[[BaseHTTPRequestHandler], None], told: str
) -> None:
    with answering(answer) as page, pytest.raises(SourceError, match=told):
        ask(page)


def test_a_page_that_answers_byte_by_byte_is_hung_up_on() -> None:
    over = threading.Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not over.wait(0.02):
            try:
                request.wfile.write(b" ")
            except OSError:
                return

    with answering(drip) as page:
        try:
            # What came until then is no state, or the line breaks: either is told.
            with pytest.raises(SourceError):
                ask(page, 0.3)
        finally:
            over.set()


def test_nobody_there_and_nobody_talking_are_told() -> None:
    with pytest.raises(SourceError, match=r"does not answer .*refused"):
        ask(Page("127.0.0.1", free_port()))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(SourceError, match="does not answer"):
            ask(Page("127.0.0.1", silent.getsockname()[1]), 0.2)


def test_a_certificate_that_nobody_signed_is_not_trusted() -> None:
    with answering(plain(200, b"{}")) as page, pytest.raises(SourceError, match="does not answer"):
        ask(Page(page.host, page.port, secure=True))


def test_a_token_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="gone: cannot be read"):
        ask(Page("127.0.0.1", 1, token_file=str(tmp_path / "gone")))
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(UsageError, match="write the token there"):
        ask(Page("127.0.0.1", 1, token_file=str(tmp_path / "empty")))


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("http://door.local:8070", Page("door.local", 8070)),
        ("http://door.local:8070/", Page("door.local", 8070)),
        ("https://gate.example", Page("gate.example", 443, secure=True)),
        ("http://[::1]:8070", Page("::1", 8070)),
    ],
)
def test_an_address_is_read(address: str, page: Page) -> None:
    assert page_at(address) == page


@pytest.mark.parametrize(
    "address",
    ["", "door.local", "ftp://door", "http://door/x", "http://a@door", "http://door:0",
     "http://door:99999", "http://door\r\nX: y", "file:///etc/passwd", "http://door?x", "http://-"],
)
def test_what_is_no_address_of_a_page_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="an address such as"):
        page_at(address)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from([*STATE, "verdict"]), inner, max_size=6),
    max_leaves=15,
))
@settings(max_examples=150, deadline=None)
def test_nothing_that_a_page_says_breaks_the_studio(value: Any) -> None:
    if isinstance(value, dict):
        assert isinstance(told_by(value).state, str)


def test_a_gate_that_hangs_is_not_shown_as_a_pass() -> None:
    assert told_by(STATE).state == "pass"
    hangs = {**STATE, "healthy": False, "trouble": "the main loop has not moved for 9 s"}
    told = told_by(hangs)
    assert told.state == "unhealthy" and "main loop" in told.value("state", "fault")
    assert told_by({**hangs, "state": "camera_fault"}).state == "camera_fault"


def test_verdicts_add_up_while_somebody_looks_and_are_bounded() -> None:
    told = Told()
    for number in range(MOST_VERDICTS + 9):
        newest = {"verdict": "mask", "confidence": 0.9, "at": f"{number // 2}"}
        told = told_by({**STATE, "newest": newest}, told.verdicts)
    assert len(told.verdicts) <= MOST_VERDICTS
    assert [v["at"] for v in told.verdicts[-2:]] == [f"{number // 2 - 1}", f"{number // 2}"]


def test_the_page_counts_for_now_and_the_broker_where_the_page_is_silent() -> None:
    heard = Told(True, {"state": {"state": "alarm"}}, ({"at": "1"}, {"at": "2"}))
    told = joined(heard, told_by(STATE))
    assert told.state == "pass" and len(told.verdicts) == 2
    assert joined(heard, Told()) == heard and joined(None, Told()) == Told()


class Once:
    """A page that answers once, and then no more until it is *over*; notes who *asked*."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.over = threading.Event()

    def __call__(self, page: Page) -> dict[str, Any]:
        self.asked.append(page.host)
        if len(self.asked) > 1:
            self.over.wait(60)
        return STATE


def test_a_page_is_asked_no_more_often_than_needed_and_an_old_answer_is_none() -> None:
    now, page = [0.0], Once()
    asked = page.asked
    pages = Pages({"door": Page("door", 80)}, lambda: now[0], page)
    assert pages.look(60)["door"].told.state == "pass"
    now[0] += ASK_AGAIN / 2
    assert pages.look()["door"].told.state == "pass" and len(asked) == 1
    now[0] += ASK_AGAIN
    assert pages.look()["door"].told.state == "pass"
    # The second question is never answered, and no third one is asked meanwhile.
    eventually(lambda: len(asked) == 2)
    now[0] += STALE
    answer = pages.look(0.0)["door"]
    page.over.set()
    pages.close()
    assert answer.told.state == "offline" and "has not answered for" in answer.trouble
    assert len(asked) == 2


def test_who_comes_back_after_a_while_sees_how_the_gate_is_now() -> None:
    now, asked = [0.0], []

    def asking(page: Page) -> dict[str, Any]:
        asked.append(page.host)
        return STATE

    pages = Pages({"door": Page("door", 80)}, lambda: now[0], asking)
    for _ in range(2):
        answer = pages.look(60)["door"]
        assert answer.told.state == "pass" and answer.trouble == ""
        now[0] += 10 * STALE
    assert len(asked) == 2
    pages.close()


def test_a_gate_that_nobody_asked_for_a_while_is_not_said_to_be_silent() -> None:
    now, page = [0.0], Once()
    pages = Pages({"door": Page("door", 80)}, lambda: now[0], page)
    pages.look(60)
    now[0] += 10 * STALE
    answer = pages.look(0.0)["door"]
    page.over.set()
    pages.close()
    assert answer.told.state == "offline" and answer.trouble.endswith("has not answered yet")


def test_a_page_that_fails_is_offline_with_its_reason() -> None:
    def asking(page: Page) -> dict[str, Any]:
        raise SourceError(f"{page.shown} is off")

    pages = Pages({"door": Page("door", 80)}, asking=asking)
    answer = pages.look(60)["door"]
    assert answer.trouble == "door:80 is off" and answer.told.state == "offline"
    pages.close()


def test_a_state_that_is_whole_is_what_the_page_sent() -> None:
    with answering(plain(200, json.dumps(STATE).encode())) as page:
        assert ask(page) == STATE
