"""The two pages, each in one piece: no browser fetches anything else for them."""

from __future__ import annotations

import base64
import hashlib
import html
from dataclasses import dataclass, replace
from pathlib import Path

_FOLDER = "web"
_REMARK = b"<!--remark-->"


@dataclass(frozen=True, slots=True)
class Page:
    """A page's bytes, and the Content-Security-Policy that allows what is in it and no more."""

    body: bytes
    policy: str

    def told(self, text: str) -> Page:
        """Return the page with *text* in the place that it has for a remark."""
        return replace(self, body=self.body.replace(_REMARK, html.escape(text).encode()))


def load_pages() -> tuple[Page, Page]:
    """Return the status page and the login page."""
    style, script = _text("style.css"), _text("page.js")
    page = _text("page.html").replace("/*style*/", style).replace("/*script*/", script)
    login = _text("login.html").replace("/*style*/", style)
    return (
        Page(page.encode(), _policy(style, script)),
        Page(login.encode(), _policy(style, "")),
    )


def _text(name: str) -> str:
    return (Path(__file__).parent / _FOLDER / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    # By their checksums: even text that somebody smuggled into the page would not be run.
    rules = [
        "default-src 'none'",
        f"style-src 'sha256-{_checksum(style)}'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
    if script:
        rules.append(f"script-src 'sha256-{_checksum(script)}'")
    return "; ".join(rules)


def _checksum(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
