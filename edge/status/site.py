"""What each path of the status page answers, and to whom; no sockets."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from edge import __version__
from edge.errors import OutputError
from edge.status.access import COOKIE, SESSION_SECONDS, Doorkeeper
from edge.status.board import Status
from edge.status.metrics import Metrics
from edge.status.pages import Page, load_pages
from edge.status.preview import Preview

Headers = tuple[tuple[str, str], ...]

_PLAIN = "text/plain; charset=utf-8"
_HTML = "text/html; charset=utf-8"
_JSON = "application/json"
_NOTHING = "default-src 'none'; frame-ancestors 'none'"
# Nothing may be kept, framed, guessed at, or put into another site's page.
STRICT: Headers = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    # Not no-referrer, with which browsers do not say where a form was sent from.
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=()"),
)


@dataclass(frozen=True, slots=True)
class Request:
    """What a visitor at *address* asks for; *headers* are by lower-case names."""

    method: str
    target: str
    headers: Mapping[str, str]
    address: str
    body: bytes = b""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a visitor gets: *body* of the media type *kind*, and *headers* besides the strict."""

    status: int
    body: bytes
    kind: str = _PLAIN
    headers: Headers = ()
    policy: str = _NOTHING


def words(status: int, text: str, headers: Headers = ()) -> Answer:
    """Return an answer of one line of text."""
    return Answer(status, f"{text}\n".encode(), headers=headers)


class Site:
    """Answers requests about *status*.

    *title* is what people call the gate.  *preview* is None where it may not be watched.
    Raises OutputError where prometheus-client is not installed.
    """

    def __init__(
        self,
        status: Callable[[], Status],
        doorkeeper: Doorkeeper,
        *,
        title: str,
        preview: Preview | None = None,
    ) -> None:
        self._status = status
        self._doorkeeper = doorkeeper
        self._title = title
        self._preview = preview
        self._metrics = Metrics(status, lambda: self._watched(status().now))
        self._page, self._login = load_pages()
        self._paths: Mapping[str, Callable[[Request], Answer]] = {
            "/": lambda request: _html(200, self._page),
            "/state.json": self._state,
            "/metrics": self._scraped,
            "/preview.jpg": self._previewed,
        }

    def answer(self, request: Request) -> Answer:
        """Return what *request* gets; never raises for what it holds."""
        host = request.headers.get("host", "")
        if host and not self._doorkeeper.knows_host(host):
            return words(
                403, "this gate is reached by names of the device itself, such as localhost, and "
                "by those in the configuration's [status] names"
            )
        if request.method == "POST":
            return self._posted(request)
        if request.method not in ("GET", "HEAD"):
            return words(405, "allowed: GET", (("Allow", "GET, HEAD"),))
        if request.path == "/healthz":
            # It tells so little that whoever supervises the gate needs no token for it.
            wrong = self._status().trouble[0]
            return words(503 if wrong else 200, wrong or "ok")
        refused = self._refused(request)
        if refused is not None:
            return refused
        if request.path == "/login":
            return words(303, "this is where the token is sent", (("Location", "/"),))
        found = self._paths.get(request.path)
        return words(404, "there is nothing here; see /") if found is None else found(request)

    def _refused(self, request: Request) -> Answer | None:
        """Return what someone without a token gets; None for those who may see all."""
        keeper = self._doorkeeper
        if keeper.lets_in(request.headers.get("cookie", "")):
            return None
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        wait = keeper.wait(request.address)
        if given and wait:
            return words(429, _wait_words(wait), (("Retry-After", str(wait)),))
        if scheme.lower() == "bearer" and keeper.is_token(given.strip(), request.address):
            return None
        if request.path in ("/", "/login"):
            return _html(401, self._login.told(""))
        return words(
            401, "a token is needed: log in at /, or send Authorization: Bearer TOKEN",
            (("WWW-Authenticate", 'Bearer realm="maskgate"'),),
        )

    def _posted(self, request: Request) -> Answer:
        origin = request.headers.get("origin")
        if origin is not None and _place_of(origin) != request.headers.get("host", ""):
            return words(403, "this comes from a page that is not the gate's")
        keeper = self._doorkeeper
        if request.path == "/logout":
            keeper.log_out(request.headers.get("cookie", ""))
            return words(303, "logged out", (("Location", "/"), _cookie("", 0)))
        if request.path != "/login":
            return words(405, "allowed: GET", (("Allow", "GET, HEAD"),))
        wait = keeper.wait(request.address)
        if wait:
            return _html(
                429, self._login.told(_wait_words(wait)), (("Retry-After", str(wait)),)
            )
        if not keeper.is_token(_field(request.body, "token"), request.address):
            return _html(403, self._login.told("This is not the token."))
        cookie = _cookie(keeper.log_in(), SESSION_SECONDS)
        return words(303, "logged in", (("Location", "/"), cookie))

    def _state(self, request: Request) -> Answer:
        status = self._status()
        values = state_values(status)
        values["title"] = self._title
        values["preview"] = {
            "on": self._preview is not None,
            "watched": self._watched(status.now),
            "fps": None if self._preview is None else self._preview.fps,
            "hides_faces": self._preview is not None and self._preview.hides_faces,
        }
        values["token"] = self._doorkeeper.asks
        return Answer(200, json.dumps(values, ensure_ascii=False).encode(), _JSON)

    def _scraped(self, request: Request) -> Answer:
        text, kind = self._metrics.text(request.headers.get("accept", ""))
        return Answer(200, text, kind)

    def _previewed(self, request: Request) -> Answer:
        if self._preview is None:
            return words(
                403, "the picture is not shown; the configuration's [status] preview is false"
            )
        if request.method == "HEAD":
            return words(405, "allowed: GET", (("Allow", "GET"),))
        try:
            picture = self._preview.jpeg(self._status().now)
        except OutputError as error:
            return words(500, str(error))
        if picture is None:
            why = self._status().trouble[0] or "no picture has come"
            return words(503, f"there is nothing to see: {why}", (("Retry-After", "1"),))
        return Answer(200, picture, "image/jpeg")

    def _watched(self, now: float) -> bool:
        return self._preview is not None and self._preview.watched(now)


def state_values(status: Status) -> dict[str, Any]:
    """Return *status* as ``/state.json`` tells it; seconds are rounded to tenths."""
    standing, turn = status.standing, status.turn
    board = standing.board
    newest = board.verdict
    return {
        "version": __version__,
        "state": None if board.state is None else board.state.value,
        "state_seconds": round(status.state_seconds, 1),
        "muted": board.muted,
        "healthy": not status.trouble[0],
        "trouble": status.trouble[1],
        "people": dict(turn.people),
        "today": {"date": status.day.isoformat(), **status.counts},
        "newest": None
        if newest is None
        else {"verdict": newest.verdict, "confidence": newest.confidence, "at": newest.at},
        "frames_per_second": _rounded(status.rate),
        "frame_age_seconds": _rounded(status.frame_age),
        "loop_age_seconds": _rounded(status.loop_age),
        "uptime_seconds": _rounded(status.uptime),
        "frames": turn.frames,
        "models": dict(zip(("detector", "classifier"), standing.models, strict=True)),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _html(status: int, page: Page, headers: Headers = ()) -> Answer:
    return Answer(status, page.body, _HTML, headers, page.policy)


def _cookie(session: str, seconds: int) -> tuple[str, str]:
    # Not Secure: without TLS before the gate such a cookie would never be sent back.
    value = f"{COOKIE}={session}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict"
    return "Set-Cookie", value


def _wait_words(wait: int) -> str:
    return f"Too many wrong tokens from your address; try again in {wait} s."


def _place_of(origin: str) -> str | None:
    """Return host and port in an Origin header; None where it holds none."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None


def _field(body: bytes, name: str) -> str:
    try:
        fields = parse_qs(body.decode("utf-8"), max_num_fields=4)
    except ValueError:
        return ""
    return fields.get(name, [""])[0].strip()
