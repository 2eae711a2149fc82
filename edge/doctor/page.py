"""The status page: at its address, behind its token."""

from __future__ import annotations

import errno
import http.client
import ipaddress
import os
import socket
import stat
from importlib.util import find_spec
from pathlib import Path

from edge.doctor.accounts import read_groups, read_users
from edge.doctor.context import Context
from edge.doctor.finding import Finding, failure, ok, skipped, together, warning
from edge.doctor.places import place
from edge.errors import OutputError
from edge.status.settings import StatusSettings, is_loopback, read_token, url_at

_SECONDS = 3.0
_LONGEST_ANSWER = 200
_MAKE_TOKEN = "openssl rand -hex 24 | sudo install -m 640 -o root -g {user} /dev/stdin {file}"


def check_page(ctx: Context) -> Finding:
    """Whether its token can be read, by the service and not by everybody; whether it is served.

    An address that others reach without a token is a mistake in the configuration already.
    """
    settings = ctx.settings().status
    if not settings.enabled:
        return skipped("the status page is not switched on ([status] enabled)")
    if find_spec("prometheus_client") is None:
        return failure(
            "the status page needs prometheus-client, which is not installed",
            "pip install 'prometheus-client>=0.20'",
        )
    return together(_served(ctx, settings), _token(ctx, settings))


def _served(ctx: Context, settings: StatusSettings) -> Finding:
    url = url_at(settings.address, settings.port)
    told = _health(settings)
    if told is not None and told[0] == 200:
        return ok(f"{url} answers, and all is well there")
    if told is not None and told[0] == 503:
        return warning(
            f"{url} answers, and says: {told[1]}", "see what the other checks say of it"
        )
    if told is not None:
        return failure(
            f"another program answers at {url}", "end it, or set another [status] port"
        )
    if ctx.service.running:
        return failure(
            f"the service runs, and nobody answers at {url}",
            "sudo systemctl restart maskgate; journalctl -u maskgate | grep 'status page'",
        )
    try:
        _bind(settings)
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            return failure(
                f"{settings.address} is none of this device's addresses now",
                "set [status] address to one that `ip -brief address` shows, or to 0.0.0.0",
            )
        return failure(
            f"port {settings.port} at {settings.address} cannot be had "
            f"({error.strerror or error})",
            "end the program that has it (sudo ss -tlnp), or set another [status] port",
        )
    who = "this device alone" if is_loopback(settings.address) else "who has the token"
    return ok(f"{url} is free, for {who}")


def _token(ctx: Context, settings: StatusSettings) -> Finding:
    if not settings.token_file:
        return ok("no token is needed")
    file = Path(settings.token_file)
    user = ctx.service.user if ctx.service.installed else "maskgate"
    if place(file) == "hidden":
        return skipped(f"token_file {file} may not be looked at by this user", "use sudo")
    if place(file) == "absent":
        return failure(
            f"token_file {file} is not there", _MAKE_TOKEN.format(user=user, file=file)
        )
    about = file.stat()
    if ctx.service.installed and not _may_read(ctx, user, about):
        return failure(
            f"token_file {file} cannot be read by {user}, as whom the service runs",
            f"sudo chgrp {user} {file} && sudo chmod 640 {file}",
        )
    try:
        read_token(settings.token_file)
    except OutputError as error:
        if isinstance(error.__context__, PermissionError):
            return skipped(f"token_file {file} may not be read by this user", "use sudo")
        return failure(str(error), _MAKE_TOKEN.format(user=user, file=file))
    if about.st_mode & stat.S_IROTH:
        return warning(
            f"everybody on this device may read token_file {file}", f"sudo chmod o-rwx {file}"
        )
    return ok("its token can be read")


def _may_read(ctx: Context, user: str, about: os.stat_result) -> bool:
    """Return whether *user*, as the service, may read a file *about* which this is known.

    Where the system does not tell who *user* is, it is taken for granted.
    """
    known, mode = read_users(ctx.root).get(user), about.st_mode
    if known is None or known.number == 0:
        return True
    if known.number == about.st_uid:
        return bool(mode & stat.S_IRUSR)
    granted = ctx.service.values.get("SupplementaryGroups", "").split()
    groups = {known.group} | {
        group.number for name, group in read_groups(ctx.root).items()
        if name in granted or user in group.members
    }
    return bool(mode & (stat.S_IRGRP if about.st_gid in groups else stat.S_IROTH))


def _health(settings: StatusSettings) -> tuple[int, str] | None:
    """Return the code and the words of ``/healthz``; code 0 of what is no gate, None of nobody."""
    address = ipaddress.ip_address(settings.address)
    if address.is_unspecified:
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    connection = http.client.HTTPConnection(str(address), settings.port, timeout=_SECONDS)
    try:
        connection.connect()
    except OSError:
        return None
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        words = answer.read(_LONGEST_ANSWER).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()
    # A gate that is well says so in one word; one that is not, in a few plain ones.
    gate = words == "ok" if answer.status == 200 else words and "<" not in words
    return (answer.status if gate else 0), words


def _bind(settings: StatusSettings) -> None:
    """Take the address as the page would, and give it back; raises OSError."""
    version = ipaddress.ip_address(settings.address).version
    with socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((settings.address, settings.port))
