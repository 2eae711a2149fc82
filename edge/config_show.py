"""Settings as people are shown them: what holds, what differs, and no passwords."""

from __future__ import annotations

from typing import Any

from edge.camera.uri import HIDDEN
from edge.config import Config, default_config
from edge.config_text import flat, toml_text, value_text


def effective_text(config: Config, *, secrets: bool = False) -> str:
    """Return *config* as TOML, every key with its value; secrets only where they are wanted."""
    return toml_text(config) if secrets else toml_text(config, without_secret)


def differences(config: Config, base: Config | None = None) -> tuple[str, ...]:
    """Return a line for each key in which *config* differs from *base*, the defaults.

    Secrets are hidden.
    """
    ours, theirs = (dict(flat(one)) for one in (config, base or default_config()))
    lines = []
    for key in dict.fromkeys((*ours, *theirs)):
        if key in ours and key in theirs and ours[key] == theirs[key]:
            continue
        default = _shown(key, theirs.get(key))
        if key in ours:
            lines.append(f"{key} = {_shown(key, ours[key])} (default: {default})")
        else:
            lines.append(f"{key} is left out (default: {default})")
    return tuple(lines)


def without_secret(key: str, value: Any) -> Any:
    """Return *value* of *key* as it may be shown: a camera's URL without user and password.

    Its query goes too, where some cameras are given a password.
    """
    if key != "camera.source" or "://" not in value:
        return value
    scheme, _, rest = value.partition("://")
    if scheme.lower() != "rtsp" and "@" not in rest:
        return value
    # A password may hold a question mark: the last @ ends it, where there can be one at all.
    first = rest.partition("/")[0]
    holds = ":" in first or "@" in first
    _, secret, place = rest.rpartition("@") if holds else ("", "", rest)
    place = place.partition("?")[0]
    return f"{scheme}://{HIDDEN}@{place}" if secret else f"{scheme}://{place}"


def _shown(key: str, value: Any) -> str:
    return "none" if value is None else value_text(without_secret(key, value))
