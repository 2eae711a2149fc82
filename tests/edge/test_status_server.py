"""The status page's sockets against visitors who are slow, many, or speak nonsense."""

from __future__ import annotations

import http.client
import socket
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.camera.frame import Frame
from edge.status.server import MOST_VISITORS, Server
from edge.status.site import Answer
from tests.edge.status_pages import TOKEN, Served, everything

FRAME = Frame(np.full((120, 160, 3), 90, np.uint8), 0.0, 0)
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
def page():
    page = Served()
    page.see(FRAME)
    yield page
    page.server.close()


@pytest.fixture(scope="module")
def steady():
    """A page for tests that leave it as it was."""
    page = Served()
    page.see(FRAME)
    yield page
    page.server.close()


class Gated:
    """A site each of whose answers waits until it is let go; *body* is what they hold."""

    def __init__(self, body: bytes = b"at last") -> None:
        self.let_go = threading.Event()
        self.asked = threading.Semaphore(0)
        self._body = body

    def answer(self, request):
        self.asked.release()
        assert self.let_go.wait(20)
        return Answer(200, self._body)


@pytest.mark.parametrize("sent", [b"", b"GET /", GET, GET + b"Cookie: "])
def test_a_crowd_that_never_finishes_asking_keeps_nobody_out(page, sent):
    crowd = [page.connect() for _ in range(3 * MOST_VISITORS)]
    for one in crowd:
        one.sendall(sent)
    try:
        assert page.ask("/healthz").text == "ok\n"
        # Those who came first lost their places.
        assert crowd[0].recv(100) == b""
    finally:
        for one in crowd:
            one.close()


def test_who_sends_a_byte_now_and_then_is_hung_up_on_all_the_same():
    page = Served(request_seconds=0.5)
    try:
        with page.connect() as slow:
            slow.settimeout(0.05)
            answered = None
            # Far more often than there is patience for; it ends when the gate hangs up.
            for _ in range(400):
                try:
                    slow.sendall(b"x")
                    answered = slow.recv(100)
                    break
                except TimeoutError:
                    continue
                except OSError:
                    answered = b""
                    break
        assert answered == b""
    finally:
        page.server.close()


def test_when_all_places_are_taken_by_those_being_answered_one_is_told_to_come_again():
    site = Gated()
    server = Server("127.0.0.1", 0, site, print, most=2)
    port = server.server_address[1]
    try:
        first = [http.client.HTTPConnection("127.0.0.1", port, timeout=20) for _ in range(2)]
        for one in first:
            one.request("GET", "/")
        assert all(site.asked.acquire(timeout=20) for _ in first)
        with socket.create_connection(("127.0.0.1", port), timeout=20) as third:
            assert everything(third).startswith(b"HTTP/1.1 503 ")
        site.let_go.set()
        assert [one.getresponse().read() for one in first] == [b"at last"] * 2
    finally:
        site.let_go.set()
        server.close()


def test_who_asks_and_never_reads_keeps_nobody_waiting():
    site = Gated(b"x" * 50_000_000)
    site.let_go.set()
    server = Server("127.0.0.1", 0, site, print, most=2)
    port = server.server_address[1]
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as deaf:
            deaf.sendall(GET + b"\r\n")
            assert site.asked.acquire(timeout=20)
            other = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            other.request("GET", "/")
            assert len(other.getresponse().read()) == 50_000_000
    finally:
        server.close()


POST = b"POST /login HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(("sent", "status"), [
    (GET + b"\r\n", 200),
    (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
    (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    (GET + b"Host: evil.example\r\n\r\n", 400),
    (b"GET /healthz\r\n\r\n", 400),
    (b"GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
    (b"GET /healthz HTTP/x\r\nHost: localhost\r\n\r\n", 400),
    (b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\n\r\n", 414),
    (b"nonsense\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", 400),
    (GET + b"Cookie: " + b"a" * 20_000 + b"\r\n\r\n", 431),
    (GET + b"A: b\r\n" * 200 + b"\r\n", 431),
    (POST + b"\r\n", 411),
    (POST + b"Content-Length: -1\r\n\r\n", 411),
    (POST + b"Content-Length: 9999\r\n\r\n" + b"x" * 9999, 413),
    (POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", 413),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
])
def test_a_request_that_is_none_is_answered_so(steady, sent, status):
    head = steady.send(sent).partition(b"\r\n\r\n")[0]
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"\r\nContent-Security-Policy: default-src 'none'" in head


BROKEN_OFF = [b"", b"\r\n", b"GET", GET, GET + b"A: b", POST + b"Content-Length: 9\r\n\r\nx"]


@pytest.mark.parametrize("sent", BROKEN_OFF)
def test_a_request_that_breaks_off_is_not_answered_with_a_page(steady, sent):
    assert b" 200 " not in steady.send(sent)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_break_it(steady, sent):
    steady.send(sent)
    assert steady.ask("/healthz").status == 200 and not steady.problems


def test_one_request_a_connection_so_that_none_can_hide_behind_another(steady):
    answers = steady.send(GET + b"\r\n" + GET + b"\r\n")
    assert answers.count(b"HTTP/1.1 ") == 1 and b"\r\nConnection: close\r\n" in answers


def test_cookies_that_come_one_by_one_are_all_read():
    page = Served(token=TOKEN)
    try:
        ours = f"maskgate={page.doorkeeper.log_in()}".encode()
        for cookies in ((ours, b"a=b"), (b"a=b", ours)):
            sent = b"".join(b"Cookie: " + one + b"\r\n" for one in cookies)
            answer = page.send(GET.replace(b"/healthz", b"/state.json") + sent + b"\r\n")
            assert answer.startswith(b"HTTP/1.1 200 ")
    finally:
        page.server.close()


def test_a_mistake_in_the_page_costs_one_answer_and_is_told_once(page, monkeypatch):
    def broken(request):
        raise ZeroDivisionError("by 0")

    monkeypatch.setattr(page.site, "answer", broken)
    assert [page.ask("/").status for _ in range(3)] == [500] * 3
    assert page.problems == ["status page: '/' failed, ZeroDivisionError: by 0"]


def test_closing_hangs_up_and_gives_the_port_back(page):
    with page.connect() as waiting:
        waiting.sendall(b"GET /")
        page.ask("/healthz")
        page.server.close()
        page.server.close()
        assert waiting.recv(100) == b""
    again = Server("127.0.0.1", page.port, page.site, print)
    try:
        assert page.ask("/healthz").status == 200
        assert again.url == f"http://127.0.0.1:{page.port}/"
    finally:
        again.close()


def test_it_is_served_over_ipv6_too(page):
    try:
        server = Server("::1", 0, page.site, print)
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    try:
        connection = http.client.HTTPConnection("::1", server.server_address[1], timeout=20)
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200 and server.url.startswith("http://[::1]:")
    finally:
        server.close()


def test_no_name_server_is_asked_about_visitors_or_about_the_gate(monkeypatch):
    def asked(*_):
        raise AssertionError("a name server was asked")

    for name in ("getfqdn", "gethostbyaddr", "getnameinfo"):
        monkeypatch.setattr(socket, name, asked)
    page = Served()
    try:
        assert page.ask("/healthz").status == 503 and not page.problems
    finally:
        page.server.close()
