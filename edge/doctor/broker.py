"""The MQTT broker: found, reached, and taking the gate."""

from __future__ import annotations

import socket
import threading
from typing import Any

from edge.alerts.broker import client_for, why_not, why_refused
from edge.alerts.mqtt import gate_name
from edge.doctor.context import Context
from edge.doctor.finding import Finding, failure, ok, skipped
from edge.errors import OutputError

_CONNECT_SECONDS = 5.0


def check_broker(ctx: Context) -> Finding:
    """Find its address, open a connection, and sign in as the gate would; publishes nothing."""
    settings = ctx.settings().mqtt
    if not settings.enabled:
        return skipped("MQTT is not switched on ([mqtt] enabled)")
    where = f"{settings.host}:{settings.port}"
    try:
        socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    except OSError as error:
        return failure(
            f"the name {settings.host} is not known ({error.strerror or error})",
            "check [mqtt] host, and the network's name server",
        )
    try:
        socket.create_connection((settings.host, settings.port), _CONNECT_SECONDS).close()
    except OSError as error:
        return failure(
            f"{where} cannot be reached ({why_not(error)})",
            "check [mqtt] host and port, that the broker runs, and its firewall",
        )
    # A name of its own: a broker throws out the older of two clients that have the same.
    name = f"{gate_name(settings, socket.gethostname())}-doctor"
    try:
        client = client_for(settings, name, "maskgate/doctor", (1, 1))
    except OutputError as error:
        return failure(str(error))
    # Or a doctor that is interrupted would say of the gate that it is offline.
    client.will_clear()
    answered = threading.Event()
    refusal: list[str] = []

    def connected(_: Any, data: Any, flags: Any, reason: Any, more: Any) -> None:
        if reason.is_failure:
            refusal.append(why_refused(str(reason), settings))
        answered.set()

    client.on_connect = connected
    try:
        client.connect(settings.host, settings.port, settings.keepalive)
        client.loop_start()
        if not answered.wait(_CONNECT_SECONDS):
            return failure(
                f"{where} does not answer as a broker", "check [mqtt] tls and port"
            )
    except (OSError, ValueError) as error:
        return failure(f"{where}: {why_not(error)}", "check [mqtt] tls, ca_file and port")
    finally:
        client.disconnect()
        client.loop_stop()
    if refusal:
        return failure(f"{where}: {refusal[0]}")
    return ok(f"{where} takes the gate" + (", with TLS" if settings.tls else ""))
