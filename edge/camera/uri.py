"""The text a person types to name a source, taken apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import parse_qsl, unquote

from edge.camera.plugins import added_schemes
from edge.camera.probe import path_kind
from edge.errors import UsageError

SCHEMES: Mapping[str, str] = {
    "file": "file:PATH, a picture or a video",
    "folder": "folder:PATH, a folder of pictures",
    "v4l2": "v4l2:///dev/video0, a camera",
    "picamera2": "picamera2://0, a Raspberry Pi's camera",
    "csi": "csi://0, a Jetson's camera",
    "rtsp": "rtsp://user:password@host:554/path, a network camera",
    "demo": "demo:, the built-in scene",
    "faulty": "faulty:demo, a camera that fails, for trying that out",
}

T = TypeVar("T")

HIDDEN = "(hidden)"
"""What stands for a secret where an address is shown."""

# The last @ ends the password, whatever stands in it.  Our own example hides nothing.
_PASSWORD = re.compile(
    r"\b([a-z][a-z0-9+.-]*://)(?!user:password@host)[^\s'\"]*@", re.IGNORECASE
)


def without_password(text: str) -> str:
    """Return *text* with user and password of every network address in it as :data:`HIDDEN`."""
    return _PASSWORD.sub(rf"\1{HIDDEN}@", text)


@dataclass(frozen=True, slots=True)
class SourceUri:
    """A source's address: *scheme* (a key of SCHEMES, or a plugin's), *target*, *options*.

    *target* is a path, a device or a number; for rtsp it is the whole URL.
    """

    scheme: str
    target: str
    options: Mapping[str, str]
    text: str

    @property
    def shown(self) -> str:
        """*text* as it may be shown to anybody."""
        return without_password(self.text)


def parse_uri(text: str) -> SourceUri:
    """Return the parts of *text*: a URI, a bare path, or a bare camera number.

    A bare path that exists is taken as it stands, so that a file called ``a:b?.mp4`` can be
    named.  Raises UsageError for an empty text, an unknown scheme, or an option without value,
    SourceError for a path in a folder that may not be entered.
    """
    if not text.strip():
        raise UsageError(f"source '' is empty; {_allowed()}")
    kind = path_kind(text)
    if kind == "folder":
        return SourceUri("folder", text, {}, text)
    if kind != "absent":
        return SourceUri("file", text, {}, text)
    if re.fullmatch(r"\d{1,3}", text):
        return SourceUri("v4l2", f"/dev/video{int(text)}", {}, text)
    # One letter before the colon is no scheme but a drive, as in C:\film.mp4.
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", text)
    if found is None:
        return SourceUri("file", text, {}, text)
    scheme = found[1].lower()
    if scheme not in SCHEMES and scheme not in added_schemes():
        raise UsageError(
            f"source {without_password(text)!r}: the scheme {scheme!r} is not known; {_allowed()}"
        )
    if scheme == "rtsp":
        # All of it is the camera's: its query is no options of ours, its password stays quoted.
        return SourceUri(scheme, f"rtsp:{text[found.end():]}", {}, text)
    target, _, query = text[found.end() :].partition("?")
    target = unquote(target[2:] if target.startswith("//") else target)
    if scheme == "v4l2" and re.fullmatch(r"/?\d{1,3}", target):
        target = f"/dev/video{int(target.lstrip('/'))}"
    if scheme in ("file", "folder") and not target:
        raise UsageError(f"source {text!r} names no path; {_allowed()}")
    if scheme == "file" and path_kind(target) == "folder":
        scheme = "folder"
    try:
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError:
        raise UsageError(
            f"source {without_password(text)!r}: {query!r} is not a list of options; "
            "write ?name=value&name=value"
        ) from None
    return SourceUri(scheme, target or "", options, text)


def only_options(uri: SourceUri, *allowed: str) -> None:
    """Raise UsageError when *uri* has an option that is not one of *allowed*."""
    for name in uri.options:
        if name not in allowed:
            known = ", ".join(allowed) if allowed else "none"
            raise UsageError(
                f"source {uri.shown!r}: option {name!r} is not known for {uri.scheme}:; "
                f"allowed: {known}"
            )


def option(uri: SourceUri, name: str, convert: Callable[[str], T], default: T, hint: str) -> T:
    """Return option *name* of *uri* as *convert* reads it, *default* where it is not given.

    *convert* raises ValueError for what it does not allow; that becomes a UsageError which
    says what *hint* allows.
    """
    if name not in uri.options:
        return default
    value = uri.options[name]
    try:
        return convert(value)
    except ValueError:
        raise UsageError(f"source {uri.shown!r}: {name} is {value!r}; allowed: {hint}") from None


def picture_size(text: str) -> tuple[int, int]:
    """Return (width, height) from text such as ``1280x720``; ValueError for anything else."""
    found = re.fullmatch(r"(\d{2,5})x(\d{2,5})", text)
    if found is None:
        raise ValueError(text)
    return int(found[1]), int(found[2])


def truth(text: str) -> bool:
    """Return whether *text* says yes (``1``, ``yes``, ``true``, ``on``) or no; else ValueError."""
    words = {"1": True, "yes": True, "true": True, "on": True,
             "0": False, "no": False, "false": False, "off": False}
    if text.lower() not in words:
        raise ValueError(text)
    return words[text.lower()]


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from *low* to *high*, for :func:`option`."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(text)
        return int(text)

    return read


def camera_number(uri: SourceUri) -> int:
    """Return the number that *uri* names, as in ``csi://1``; 0 where it names none.

    Raises UsageError for anything else.
    """
    target = uri.target.strip("/") or "0"
    try:
        return whole(0, 99)(target)
    except ValueError:
        raise UsageError(
            f"source {uri.shown!r}: {target!r} is no camera; "
            f"allowed: {uri.scheme}://NUMBER, 0 to 99"
        ) from None


def between(low: float, high: float) -> Callable[[str], float]:
    """Return a reader of numbers from *low* to *high*, for :func:`option`."""

    def read(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value

    return read


def _allowed() -> str:
    added = [f"{scheme}://" for scheme in added_schemes()]
    return f"allowed: a path, a camera number such as 0, {'; '.join([*SCHEMES.values(), *added])}"
