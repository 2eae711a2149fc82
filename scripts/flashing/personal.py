"""What makes a card that of one shop: name, Wi-Fi, key, time zone; as the image itself takes it.

Trixie takes it by cloud-init's files on the boot partition, Bookworm by ``custom.toml`` there.
That partition has no rights, and every program on the board may read it.  So no secret is
put there, except with ``--first-boot``, where there is no other place.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from dataclasses import dataclass
from pathlib import Path

from edge.errors import UsageError

_BOOT = "boot/firmware"
_WIFI = "etc/NetworkManager/system-connections/maskgate-wifi.nmconnection"
_KEY = re.compile(r"(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/]+=*( [^\n\"\\]*)?")
_ZONES = Path("/usr/share/zoneinfo")


@dataclass(frozen=True, slots=True)
class Personal:
    """What is different from card to card.

    *hostname*: letters, digits and -, at most 63.  *user* is made, without a password, and may
    log in by *ssh_key* alone, a line as in ``id_ed25519.pub``.  *wifi_ssid* has 1 to 32 bytes,
    *wifi_password* 8 to 63 characters or is "" for an open network; *wifi_country* is the two
    letters without which the radio stays off.  *timezone* is one of tzdata's, as "Europe/Vienna".
    "" is always: not set.

    Raises UsageError for a value outside these.
    """

    hostname: str = ""
    user: str = "gate"
    ssh_key: str = ""
    wifi_ssid: str = ""
    wifi_password: str = ""
    wifi_country: str = ""
    timezone: str = ""

    def __post_init__(self) -> None:
        _check("--hostname", self.hostname, r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
               "lower-case letters, digits and - in between, at most 63")
        _check("--user", self.user, r"[a-z_][a-z0-9_-]{0,31}", "lower-case letters, digits, _ -")
        if self.ssh_key and not (_KEY.fullmatch(self.ssh_key) and self.ssh_key.isprintable()):
            raise UsageError(
                "--ssh-key holds no public key; allowed: a file with one line such as "
                "'ssh-ed25519 AAAA... name' (id_ed25519.pub, never the private key)"
            )
        if not self.wifi_ssid.isprintable() or len(self.wifi_ssid.encode()) > 32:
            raise UsageError(
                f"--wifi-ssid is {self.wifi_ssid!r}; allowed: 1 to 32 bytes of readable text"
            )
        if self.wifi_password:
            # Its value is for nobody's screen.
            if not re.fullmatch(r"[ -~]{8,63}", self.wifi_password):
                raise UsageError(
                    f"--wifi-password-file holds {len(self.wifi_password)} characters; allowed: 8 "
                    "to 63 plain ones (WPA2 and WPA3)"
                )
            if not self.wifi_ssid:
                raise UsageError("--wifi-password-file goes with --wifi-ssid only")
        if self.wifi_ssid and not self.wifi_country:
            raise UsageError(
                "--wifi-ssid needs --wifi-country, as the radio stays off without; such as AT"
            )
        _check("--wifi-country", self.wifi_country, r"[A-Z]{2}", "two capitals, such as AT")
        _check("--timezone", self.timezone, r"[A-Za-z]+(/[A-Za-z0-9_+-]+){0,2}",
               "a name such as Europe/Vienna")
        if self.timezone and _ZONES.is_dir() and not (_ZONES / self.timezone).is_file():
            raise UsageError(
                f"--timezone is {self.timezone!r}, which is none; 'timedatectl list-timezones' "
                "lists them"
            )


@dataclass(frozen=True, slots=True)
class File:
    """A file to be written into the image, with its rights."""

    text: str
    mode: int = 0o644


def personal_files(wanted: Personal, *, cloud_init: bool) -> dict[str, File]:
    """Return path -> file, relative to the root, that give a card what is *wanted*."""
    files = {}
    if cloud_init:
        files[f"{_BOOT}/user-data"] = File(user_data(wanted))
    else:
        files[f"{_BOOT}/custom.toml"] = File(custom_toml(wanted))
    if wanted.wifi_ssid:
        files[_WIFI] = File(wifi_connection(wanted), 0o600)
    return files


def user_data(wanted: Personal, commands: tuple[str, ...] = ()) -> str:
    """Return cloud-init's user-data; what it runs once besides are *commands*, for a shell."""
    lines = ["#cloud-config"]
    if wanted.hostname:
        lines += [f"hostname: {wanted.hostname}", "manage_etc_hosts: localhost"]
    if wanted.timezone:
        lines.append(f"timezone: {wanted.timezone}")
    lines += [
        "ssh_pwauth: false",
        "users:",
        f"  - name: {wanted.user}",
        "    groups: [adm, sudo, systemd-journal]",
        "    shell: /bin/bash",
        "    lock_passwd: true",
        '    sudo: "ALL=(ALL) NOPASSWD:ALL"',
    ]
    if wanted.ssh_key:
        lines += ["    ssh_authorized_keys:", f"      - {_quoted(wanted.ssh_key)}"]
        # The image has it, switched off.
        commands = ("systemctl enable --now ssh || true", *commands)
    if commands:
        lines += ["runcmd:", *(f"  - {_quoted(command)}" for command in commands)]
    return "\n".join(lines) + "\n"


def custom_toml(wanted: Personal) -> str:
    """Return Bookworm's custom.toml: raspberrypi-sys-mods' init_config reads it once."""
    lines = ["config_version = 1"]
    if wanted.hostname:
        lines += ["", "[system]", f"hostname = {_quoted(wanted.hostname)}"]
    # No password: the user is locked, and nobody is asked for one at the first start.
    lines += ["", "[user]", f"name = {_quoted(wanted.user)}"]
    if wanted.ssh_key:
        lines += ["", "[ssh]", "enabled = true", "password_authentication = false",
                  f"authorized_keys = [{_quoted(wanted.ssh_key)}]"]
    if wanted.timezone:
        lines += ["", "[locale]", f"timezone = {_quoted(wanted.timezone)}"]
    return "\n".join(lines) + "\n"


def wifi_connection(wanted: Personal) -> str:
    """Return NetworkManager's file of the shop's Wi-Fi; to be read by root alone."""
    name = uuid.uuid5(uuid.NAMESPACE_DNS, f"maskgate {wanted.wifi_ssid}")
    ssid = ";".join(str(byte) for byte in wanted.wifi_ssid.encode()) + ";"
    lines = ["[connection]", "id=maskgate-wifi", f"uuid={name}", "type=wifi", "",
             "[wifi]", "mode=infrastructure", f"ssid={ssid}"]
    if wanted.wifi_password:
        lines += ["", "[wifi-security]", "key-mgmt=wpa-psk", f"psk={wifi_key(wanted)}"]
    return "\n".join([*lines, "", "[ipv4]", "method=auto", "", "[ipv6]", "method=auto", ""])


def network_config(wanted: Personal) -> str:
    """Return cloud-init's network-config for ``--first-boot``."""
    lines = ["network:", "  version: 2", "  ethernets:", "    eth0:", "      dhcp4: true",
             "      optional: true"]
    if wanted.wifi_ssid:
        lines += ["  wifis:", "    wlan0:", "      dhcp4: true", "      optional: true",
                  f"      regulatory-domain: {wanted.wifi_country}", "      access-points:",
                  f"        {_quoted(wanted.wifi_ssid)}:"]
        key = wifi_key(wanted)
        lines.append(f'          password: "{key}"' if key else "          {}")
    return "\n".join(lines) + "\n"


def wifi_key(wanted: Personal) -> str:
    """Return the key that WPA makes of name and password (IEEE 802.11i), 64 hex digits, or "".

    It opens this network as the password does, but gives the password itself away to nobody.
    """
    if not wanted.wifi_password:
        return ""
    return hashlib.pbkdf2_hmac(
        "sha1", wanted.wifi_password.encode(), wanted.wifi_ssid.encode(), 4096, 32
    ).hex()


def with_words(line: str, *words: str) -> str:
    """Return the kernel's command *line* with *words*, each in place of one of the same name."""
    kept = line.split()
    for word in words:
        name = word.partition("=")[0] + "="
        kept = [old for old in kept if not old.startswith(name)] + [word]
    return " ".join(kept) + "\n"


def _quoted(text: str) -> str:
    """Return printable *text* between quotes, as TOML and YAML read it alike."""
    # JSON's own escapes would make two characters of an emoji, one of which TOML refuses.
    return json.dumps(text, ensure_ascii=False)


def _check(name: str, value: str, pattern: str, allowed: str) -> None:
    if value and re.fullmatch(pattern, value) is None:
        raise UsageError(f"{name} is {value!r}; allowed: {allowed}")
