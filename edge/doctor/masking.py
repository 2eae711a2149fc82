"""Taking out of texts what must not leave the shop: passwords, keys, names of networks, serials."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote

from edge.alerts.broker import password
from edge.board.reading import list_folder, read_table, read_text
from edge.config import Config
from edge.errors import MaskgateError
from edge.status.settings import read_token

# A shorter text would take half of every word along; it goes where it stands alone.
_LONG = 4
_HIDDEN = "(hidden)"
_EVERYBODYS_HOSTS = ("localhost", "raspberrypi", "maskgate", "ubuntu", "jetson", "nvidia", "orin")
# Hidden in a URL, but not wherever else the word stands.
_EVERYBODYS_USERS = ("", "root", "user", "maskgate", "camera", "mqtt")
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # What stands before the @ of a URL, and what stands behind its question mark.
    (re.compile(r"\b([a-z][a-z0-9+.-]*://)[^\s'\"]*@", re.I), rf"\1{_HIDDEN}@"),
    (re.compile(r"(rtsps?://[^\s?'\"]*)\?[^\s'\"]*", re.I), rf"\1?{_HIDDEN}"),
    (re.compile(r"(ed25519(?:-private)?:)[A-Za-z0-9+/=]+"), rf"\1{_HIDDEN}"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.S),
     _HIDDEN),
    (re.compile(r"\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b", re.I), "(MAC)"),
    (re.compile(
        r"(\b(?:pass(?:word|wd|phrase)?|psk|secret|token|api[_-]?key|ssid|serial(?:[ _-]?number)?)"
        r"\b[\"']?\s*[=:]\s*)(\"[^\"\n]*\"|'[^'\n]*'|[^\s,;\"']+)", re.I), rf"\1{_HIDDEN}"),
    (re.compile(r"(/home/)[^/\s'\"]+"), r"\1(user)"),
    # A picture, a key or a certificate that somebody logged as text.
    (re.compile(r"[A-Za-z0-9+/]{160,}={0,2}"), "(long data)"),
)


class Mask:
    """Replaces each of *secrets*, a text to the word for it, and what looks like a secret."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        # The longest first: one may be a part of another.
        spelled = {
            one: word for text, word in secrets.items() if text.strip() for one in _spellings(text)
        }
        found = sorted(spelled, key=len, reverse=True)
        self._secrets = [(_pattern(text), spelled[text]) for text in found]

    def __call__(self, text: str) -> str:
        """Return *text* without secrets, and without what no terminal shows."""
        for pattern, word in self._secrets:
            text = pattern.sub(word, text)
        for pattern, word in _PATTERNS:
            text = pattern.sub(word, text)
        return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


def known_secrets(root: Path, config: Config | None, hostname: str = "") -> dict[str, str]:
    """Return the secrets of the machine under *root* and of *config*, each with a word for it.

    Passwords and users of the camera's URL and the broker, the status page's token, serial
    numbers, addresses of network cards, names of wireless networks, and a host's name that is
    more than a board's.
    """
    found = {}
    if config is not None:
        found.update(dict.fromkeys(_config_secrets(config), _HIDDEN))
    for place in ("proc/device-tree/serial-number", "sys/firmware/devicetree/base/serial-number",
                  "sys/class/dmi/id/product_serial", "sys/class/dmi/id/board_serial",
                  "sys/class/dmi/id/product_uuid", "etc/machine-id"):
        found[read_text(root / place) or ""] = "(serial)"
    for line in (read_text(root / "proc/cpuinfo") or "").splitlines():
        if line.startswith("Serial"):
            found[line.partition(":")[2].strip()] = "(serial)"
    for card in list_folder(root / "sys/class/net"):
        found[read_text(card / "address") or ""] = "(MAC)"
    found.update(dict.fromkeys(_networks(root), "(Wi-Fi)"))
    if len(hostname) >= _LONG and hostname.lower() not in _EVERYBODYS_HOSTS:
        found[hostname] = "(host)"
    return {text: word for text, word in found.items() if text.strip("0:")}


def _config_secrets(config: Config) -> list[str]:
    found = [one for key in config.updates.keys for one in (key, key.rpartition(":")[2])]
    found.append(config.mqtt.username)
    # Who may not read it cannot give it away.
    with suppress(MaskgateError):
        found.append(password(config.mqtt.password_file) or "")
    with suppress(MaskgateError):
        found.append(read_token(config.status.token_file) or "")
    scheme, _, rest = config.camera.source.partition("://")
    place, _, query = rest.partition("?")
    # As in without_secret: the last @ ends the password, whatever stands in it.
    user, _, word = place.rpartition("@")[0].partition(":")
    found += [one for text in (user, word) if text for one in (text, unquote(text))]
    if scheme.lower() == "rtsp":
        found += [pair.partition("=")[2] for pair in query.split("&")]
    return [text for text in found if text.lower() not in _EVERYBODYS_USERS]


def _networks(root: Path) -> list[str]:
    """Return the names and keys of wireless networks, as far as this user may read them."""
    found = []
    for file in (
        *list_folder(root / "etc/NetworkManager/system-connections"),
        root / "etc/wpa_supplicant/wpa_supplicant.conf",
    ):
        text = read_text(file) or ""
        for key, value in re.findall(r"^\s*(ssid|psk|wep-key0|password)\s*=\s*(.+)$", text, re.M):
            del key
            found.append(value.strip().strip('"'))
        name = read_table(file, "=").get("id")
        if name and "[wifi" in text:
            found.append(name)
    return found


def _spellings(text: str) -> set[str]:
    """Return *text* as it stands, as in JSON and TOML, and as in a URL."""
    return {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1],
            quote(text, safe="")}


def _pattern(text: str) -> re.Pattern[str]:
    exact = re.escape(text)
    return re.compile(exact if len(text) >= _LONG else rf"(?<!\w){exact}(?!\w)")
