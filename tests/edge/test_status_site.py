"""What each path of the status page answers, to whom, over a real connection."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import cv2
import numpy as np
import pytest

from edge.camera.fault import Fault
from edge.camera.frame import Frame
from edge.gate.policy import GateState
from edge.report.events import Event
from tests.edge.status_pages import TOKEN, Served

FRAME = Frame(np.full((120, 160, 3), 90, np.uint8), 0.0, 0)
BEARER = {"Authorization": f"Bearer {TOKEN}"}
# path: what everyone gets without a token being asked for, and what a stranger gets with one.
PATHS = {
    "/": (200, 401), "/state.json": (200, 401), "/metrics": (200, 401), "/healthz": (200, 200),
    "/preview.jpg": (403, 401), "/login": (303, 401), "/nothing": (404, 401),
    "/../etc/passwd": (404, 401), "//": (200, 401), "/state.json?x=1": (200, 401),
}


@pytest.fixture(scope="module")
def served():
    """An open page of a gate at work, and one that asks for a token."""
    pages = Served(), Served(token=TOKEN)
    for page in pages:
        page.see(FRAME)
    yield dict(zip(("open", "guarded"), pages, strict=True))
    for page in pages:
        page.server.close()


@pytest.fixture
def guarded():
    """A page that asks for a token, and that nobody asked anything yet."""
    page = Served(token=TOKEN)
    page.see(FRAME)
    yield page
    page.server.close()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_each_path_answers_whom_it_should(served, path, method):
    anyone, stranger = PATHS[path]
    assert served["open"].ask(path, method).status == anyone
    assert served["guarded"].ask(path, method).status == stranger
    known = served["guarded"].ask(path, method, **BEARER)
    assert known.status == anyone and (method == "GET" or known.body == b"")


@pytest.mark.parametrize("path", PATHS)
def test_nothing_may_be_kept_framed_or_guessed_at(served, path):
    for page in served.values():
        headers = page.ask(path).headers
        assert headers["Cache-Control"] == "no-store" and headers["Connection"] == "close"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'") and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy and "http" not in policy
        assert headers["Server"] is None


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"])
@pytest.mark.parametrize("path", ["/", "/state.json", "/login"])
def test_nothing_can_be_changed_from_outside(served, method, path):
    assert served["open"].ask(path, method).status == 405
    assert served["guarded"].ask(path, method, **BEARER).status == 405


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/preview.jpg"])
@pytest.mark.parametrize("host", ["evil.example", "192.168.1.5:8070", "127.0.0.1.nip.io"])
def test_a_name_that_was_made_to_mean_the_device_gets_nothing(served, path, host):
    for page in served.values():
        answer = page.ask(path, Host=host, **BEARER)
        assert answer.status == 403 and "localhost" in answer.text
    assert served["open"].ask("/", Host="localhost:8071").status == 200


def test_the_page_is_in_one_piece_and_its_policy_allows_just_that(served):
    answer = served["open"].ask("/")
    assert not re.search(r"""(?:src|href|action)=["']?(?:https?:)?//""", answer.text)
    for tag in ("script", "style"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", answer.text, re.S)
        checksum = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{checksum}'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r"\son[a-z]+=|\sstyle=", answer.text)
    assert len(answer.body) < 32_000


def test_the_state_is_told_as_json():
    page = Served()
    try:
        page.see(FRAME, GateState.ALARM)
        page.poster.event(Event(1.0, "person_judged", 4, "no_mask", 0.98765))
        page.poster.event(Event(2.0, "person_left", 4, "no_mask"))
        answer = page.ask("/state.json")
        told = json.loads(answer.body)
        assert answer.headers["Content-Type"] == "application/json"
        assert (told["state"], told["healthy"], told["trouble"]) == ("alarm", True, "")
        assert told["title"] == "Main door" and told["today"]["no_mask"] == 1
        assert told["newest"]["verdict"] == "no_mask" and told["newest"]["confidence"] == 0.988
        assert told["models"]["classifier"] == "classifier 4 (def)" and told["frames"] == 1
        assert told["preview"] == {
            "on": False, "watched": False, "fps": None, "hides_faces": False
        }
    finally:
        page.server.close()


def test_health_is_told_without_a_token_and_without_more(guarded):
    assert (guarded.ask("/healthz").status, guarded.ask("/healthz").text) == (200, "ok\n")
    guarded.poster.show(GateState.CAMERA_FAULT)
    guarded.poster.blind(Fault("unplugged", "rtsp://10.0.0.9 does not answer", 0.0, 1.0), 1.0)
    sick = guarded.ask("/healthz")
    assert (sick.status, sick.text) == (503, "camera fault\n")
    whole = json.loads(guarded.ask("/state.json", **BEARER).body)
    assert "10.0.0.9" in whole["trouble"] and not whole["healthy"]


def test_a_gate_that_has_seen_nothing_yet_is_not_well():
    page = Served()
    try:
        assert page.ask("/healthz").status == 503
        page.see(FRAME)
        assert page.ask("/healthz").status == 200
        page.poster.use(page.poster._judges, -1.0)
        hangs = page.ask("/healthz")
        assert hangs.status == 503 and "main loop" in hangs.text
    finally:
        page.server.close()


def test_the_token_typed_in_gives_a_cookie_that_scripts_and_other_sites_do_not_get(guarded):
    answer = guarded.ask("/login", "POST", f"token={TOKEN}")
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    cookie, *rules = answer.headers["Set-Cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(rules) and TOKEN not in cookie
    assert guarded.ask("/state.json", Cookie=cookie).status == 200
    out = guarded.ask("/logout", "POST", "", Cookie=cookie)
    assert out.status == 303 and "Max-Age=0" in out.headers["Set-Cookie"]
    assert guarded.ask("/state.json", Cookie=cookie).status == 401


def test_who_tries_tokens_is_soon_not_listened_to_whoever_is_logged_in_is(guarded):
    cookie = guarded.ask("/login", "POST", f"token={TOKEN}").headers["Set-Cookie"].split(";")[0]
    tries = [guarded.ask("/login", "POST", "token=guess").status for _ in range(3)]
    tries += [guarded.ask("/metrics", Authorization="Bearer guess").status for _ in range(2)]
    assert tries == [403] * 3 + [401] * 2
    refused = guarded.ask("/login", "POST", f"token={TOKEN}")
    assert refused.status == 429 and 1 <= int(refused.headers["Retry-After"]) <= 60
    assert guarded.ask("/metrics", **BEARER).status == 429
    assert guarded.ask("/state.json", Cookie=cookie).status == 200


@pytest.mark.parametrize("sent", ["", "token=", "tok=x", "token=%ff%fe", "a=1&b=2&c=3&d=4&e=5",
                                  "token=%00", f"token={TOKEN[:-1]}"])
def test_what_is_no_token_is_refused_in_words(guarded, sent):
    answer = guarded.ask("/login", "POST", sent)
    assert answer.status == 403 and "This is not the token." in answer.text
    assert "<!--remark-->" not in answer.text


@pytest.mark.parametrize("header", ["Basic dXNlcjpwYXNz", "Bearer", "", f"bearer{TOKEN}", TOKEN])
def test_only_a_bearer_token_counts(guarded, header):
    answer = guarded.ask("/state.json", Authorization=header)
    assert answer.status == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "x",
                                    "http://[", "http://[::1", ""])
def test_a_form_in_another_page_cannot_guess_or_log_out(guarded, origin):
    for path in ("/login", "/logout"):
        assert guarded.ask(path, "POST", f"token={TOKEN}", Origin=origin).status == 403
    assert guarded.problems == []
    own = f"http://127.0.0.1:{guarded.port}"
    assert guarded.ask("/login", "POST", f"token={TOKEN}", Origin=own).status == 303


def test_a_picture_is_there_only_for_those_who_may_and_only_when_it_is_switched_on():
    page = Served(token=TOKEN, preview=True)
    try:
        assert page.ask("/preview.jpg").status == 401
        # Nobody watches yet, so that the loop hands nothing over; there is nothing to see.
        page.see(FRAME)
        assert page.ask("/preview.jpg", **BEARER).status == 503
        page.see(FRAME)
        answer = page.ask("/preview.jpg", **BEARER)
        assert answer.status == 200 and answer.headers["Content-Type"] == "image/jpeg"
        drawn = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR)
        assert drawn.shape == (120, 160, 3)
        assert json.loads(page.ask("/state.json", **BEARER).body)["preview"]["watched"]
        assert page.ask("/preview.jpg", "HEAD", **BEARER).status == 405
    finally:
        page.server.close()
