"""Taking out of texts what must not leave the shop: passwords, keys, names of networks, serials."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import quote, unquote

from edge.alerts.broker import password
from edge.board.reading import list_folder, read_table, read_text
from edge.config import Config, config_text
from edge.errors import MaskgateError
from edge.status.settings import read_token

# A shorter text would take half of every word along; it goes where it stands alone.
_LONG = 4
_KEYS = ("psk", "wep-key0", "password")
_HIDDEN = "(hidden)"
_EVERYBODYS_HOSTS = ("localhost", "raspberrypi", "maskgate", "ubuntu", "jetson", "nvidia", "orin")
# Hidden in a URL, but not wherever else the word stands.
_EVERYBODYS_USERS = ("", "root", "user", "maskgate", "camera", "mqtt")
# What the doctor, the unit and the folders are called, besides the words of the settings.
_OWN_WORDS = (
    "maskgate", "gate", "camera", "disk", "pins", "python", "groups", "unit", "clock", "opt", "etc",
    "var", "lib", "run", "root", "sudo", "chgrp", "chmod", "toml", "incoming", "models", "state",
)
_LONGEST_PATH = 256
_WORD = re.compile(r"[a-z]+")
# What ends a file's name in a line of text, or begins it.
_BREAKS = re.compile(r"[\s'\"`=,;:|()\[\]<>]")
_FILE = re.compile(
    r"[^/]+\.(?:conf|db|gz|jpg|json|jsonl|log|new|png|pub|py|service|sqlite|tflite|tmp|toml|txt|wav)"
)
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
    """Replaces each of *secrets*, a text to the word for it, and what looks like a secret.

    *names* are replaced where they are words of their own, and neither in paths of files nor
    where they are words that maskgate uses itself: a gate may be called gate.
    """

    def __init__(self, secrets: Mapping[str, str], names: Mapping[str, str] | None = None) -> None:
        own = _own_words() if names else frozenset()
        self._secrets = [(_pattern(text), word) for text, word in _spelled(secrets)]
        self._names = [
            (_word_pattern(text), word) for text, word in _spelled(names or {})
            if text.lower() not in own
        ]

    def __call__(self, text: str) -> str:
        """Return *text* without secrets, and without what no terminal shows."""
        for pattern, word in self._secrets:
            text = pattern.sub(word, text)
        for pattern, word in _PATTERNS:
            text = pattern.sub(word, text)
        for pattern, word in self._names:
            text = pattern.sub(partial(_named, word), text)
        return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


def known_secrets(root: Path, config: Config | None) -> dict[str, str]:
    """Return the secrets of the machine under *root* and of *config*, each with a word for it.

    Passwords of the camera's URL, the broker and wireless networks, the status page's token,
    serial numbers, and addresses of network cards.
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
    found.update(dict.fromkeys(_networks(root, _KEYS), "(Wi-Fi)"))
    return {text: word for text, word in found.items() if text.strip("0:")}


def known_users(config: Config | None) -> dict[str, str]:
    """Return the names by which *config* logs in to camera and broker, each with a word for it."""
    if config is None:
        return {}
    user, _ = _camera_login(config)
    found = (config.mqtt.username, user, unquote(user))
    return {name: _HIDDEN for name in found if name.lower() not in _EVERYBODYS_USERS}


def known_names(root: Path, hostname: str) -> dict[str, str]:
    """Return what tells whose the machine under *root* is, each with a word for it.

    The names of wireless networks, and *hostname* where it is more than a board's.
    """
    found = dict.fromkeys(_networks(root, ("ssid", "id")), "(Wi-Fi)")
    if len(hostname) >= _LONG and hostname.lower() not in _EVERYBODYS_HOSTS:
        found[hostname] = "(host)"
    return found


def _config_secrets(config: Config) -> list[str]:
    found = [one for key in config.updates.keys for one in (key, key.rpartition(":")[2])]
    # Who may not read it cannot give it away.
    with suppress(MaskgateError):
        found.append(password(config.mqtt.password_file) or "")
    with suppress(MaskgateError):
        found.append(read_token(config.status.token_file) or "")
    _, word = _camera_login(config)
    found += [word, unquote(word)]
    scheme, _, rest = config.camera.source.partition("://")
    if scheme.lower() == "rtsp":
        found += [pair.partition("=")[2] for pair in rest.partition("?")[2].split("&")]
    return [text for text in found if text.lower() not in _EVERYBODYS_USERS]


def _camera_login(config: Config) -> tuple[str, str]:
    """Return user and password in the camera's URL, "" for what it does not have."""
    place = config.camera.source.partition("://")[2].partition("?")[0]
    # As in without_secret: the last @ ends the password, whatever stands in it.
    user, _, word = place.rpartition("@")[0].partition(":")
    return user, word


def _networks(root: Path, keys: tuple[str, ...]) -> list[str]:
    """Return what wireless networks have for *keys*, as far as this user may read it."""
    found = []
    for file in (
        *list_folder(root / "etc/NetworkManager/system-connections"),
        root / "etc/wpa_supplicant/wpa_supplicant.conf",
    ):
        text = read_text(file) or ""
        for key, value in re.findall(r"^\s*(ssid|psk|wep-key0|password)\s*=\s*(.+)$", text, re.M):
            if key in keys:
                found.append(value.strip().strip('"'))
        name = read_table(file, "=").get("id")
        if name and "id" in keys and "[wifi" in text:
            found.append(name)
    return found


def _spelled(texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return *texts* in all spellings, the longest first: one may be a part of another."""
    found = {one: word for text, word in texts.items() if text.strip() for one in _spellings(text)}
    return sorted(found.items(), key=lambda item: len(item[0]), reverse=True)


def _spellings(text: str) -> set[str]:
    """Return *text* as it stands, as in JSON and TOML, and as in a URL."""
    return {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1],
            quote(text, safe="")}


def _pattern(text: str) -> re.Pattern[str]:
    exact = re.escape(text)
    return re.compile(exact if len(text) >= _LONG else rf"(?<!\w){exact}(?!\w)")


def _word_pattern(text: str) -> re.Pattern[str]:
    # In JSON a line's end is a letter behind a backslash.
    return re.compile(rf"(?:(?<![\w-])|(?<=\\[nrt])){re.escape(text)}(?![\w-])")


def _named(word: str, found: re.Match[str]) -> str:
    """Return *word* for the name that was *found*, or the name where it is in a file's path."""
    text = found.string
    before = text[max(0, found.start() - _LONGEST_PATH) : found.start()]
    behind = text[found.end() : found.end() + _LONGEST_PATH]
    path = _BREAKS.split(before)[-1] + found[0] + _BREAKS.split(behind, maxsplit=1)[0]
    # Files of networks are called as those are.
    if "NetworkManager" in path:
        return word
    a_path = path.startswith(("/", "~/", "./")) and not path.startswith("//")
    return found[0] if a_path or _FILE.fullmatch(path.rstrip(".")) else word


def _own_words() -> frozenset[str]:
    return frozenset((*_OWN_WORDS, *_WORD.findall(config_text().lower())))
