"""How a broker is reached: paho's client made from the settings, and its failures in words."""

from __future__ import annotations

import io
import ipaddress
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

from edge.errors import OutputError
from edge.files import regular

if TYPE_CHECKING:
    from paho.mqtt.client import Client

    from edge.alerts.mqtt import MqttSettings

_CONNECT_SECONDS = 5.0
# The courier has one message under way; paho holds no more than the few that came too late.
_MOST_QUEUED = 10
_LONGEST_PASSWORD = 4096
_LONGEST_HOST = 253


def client_for(
    settings: MqttSettings, gate: str, availability: str, retry: tuple[int, int]
) -> Client:
    """Return a client that is not connected yet, whose last will is ``offline``.

    *retry* are the shortest and the longest pause between tries, in seconds.  Raises OutputError
    when a file that is needed cannot be read, or paho-mqtt is not installed.
    """
    try:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion
    except ModuleNotFoundError:
        raise OutputError(
            "MQTT needs paho-mqtt 2, which is not installed; install it with: "
            "pip install 'paho-mqtt>=2.1'"
        ) from None
    client = Client(CallbackAPIVersion.VERSION2, client_id=f"maskgate-{gate}")
    if settings.username:
        client.username_pw_set(settings.username, password(settings.password_file))
    if settings.tls:
        try:
            if settings.ca_file:
                regular(settings.ca_file).close()
            client.tls_set(ca_certs=settings.ca_file or None)
        except (OSError, ssl.SSLError) as error:
            raise OutputError(
                f"ca_file {settings.ca_file} cannot be used ({error.strerror or error}); "
                "name a PEM file with the certificate of who signed the broker's"
            ) from None
    client.connect_timeout = _CONNECT_SECONDS
    client.reconnect_delay_set(*retry)
    client.max_queued_messages_set(_MOST_QUEUED)
    client.will_set(availability, "offline", qos=1, retain=True)
    return client


def hang_up(client: Client) -> None:
    """Let *client* go without a word, so that the broker fires its last will; returns at once."""
    wire = client.socket()
    if isinstance(wire, socket.socket):
        # A TLS socket's own method drops the TLS layer, from which paho's thread may be reading.
        with suppress(OSError):
            socket.socket.shutdown(wire, socket.SHUT_RDWR)
    # Nothing gets through any more; it is what ends paho's thread.
    client.disconnect()


def names_host(text: str) -> bool:
    """Return whether *text* can be a host's name or address, and no more than that."""
    if len(text) > _LONGEST_HOST:
        return False
    if ":" in text:
        try:
            ipaddress.IPv6Address(text)
        except ValueError:
            return False
    try:
        text.encode("idna")
    except UnicodeError:
        return False
    return text.isprintable() and not set(" /") & set(text)


def password(file: str) -> str | None:
    """Return the first line of *file*, None where *file* is ``""``.

    Raises OutputError when it cannot be read or has no first line.
    """
    if not file:
        return None
    try:
        with io.TextIOWrapper(regular(file), encoding="utf-8") as opened:
            line = opened.readline(_LONGEST_PASSWORD).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise OutputError(
            f"password_file {file} cannot be read ({reason}); the service's user must be able to"
        ) from None
    if not line:
        raise OutputError(f"password_file {file} has an empty first line; write the password there")
    return line


def why_not(error: BaseException | None) -> str:
    """Return in words why there was no connection."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}; check ca_file and host"
    if isinstance(error, ssl.SSLError):
        return f"no TLS there: {error.reason or error}; check tls and port"
    if isinstance(error, ConnectionResetError):
        return "it hangs up; check tls and port"
    if isinstance(error, TimeoutError):
        return "no answer; check host and port, and the firewall"
    return str(getattr(error, "strerror", None) or error or "no connection")


def why_refused(reason: str, settings: MqttSettings) -> str:
    """Return in words why the broker, which answered *reason*, does not want the gate."""
    if not any(word in reason.lower() for word in ("authori", "password")):
        return f"it refuses: {reason}"
    who = f"user {settings.username!r}" if settings.username else "a client without username"
    return f"it refuses {who}: {reason}; check username and password_file"
