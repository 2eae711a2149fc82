"""Whether the device serves its status page, where, and to whom."""

from __future__ import annotations

import io
import ipaddress
import re
from dataclasses import dataclass

from edge.errors import OutputError, UsageError
from edge.files import regular

# Below 1024 a port takes rights that the service does not have.
_PORTS = (1024, 65535)
_RATES = (0.2, 10.0)
_LONGEST_LINE = 4096
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_MOST_NAMES = 16
# 16 letters and digits by chance take longer to guess than a shop stands.
_TOKEN = re.compile(r"[!-~]{16,256}")


@dataclass(frozen=True, slots=True)
class StatusSettings:
    """The status page.

    enabled             whether there is a page at all; false by default
    address             the device's own address that it is served at: ``127.0.0.1``, the default,
                        can be reached on the device only; ``0.0.0.0`` from every network it is
                        in, and ``192.168.1.20`` from one of them.  Anything but a loopback
                        address needs a *token_file*
    port                8070 by default, 1024 to 65535
    token_file          a file whose first line is the token that visitors must have, 16 to 256
                        characters without spaces; "" is none.  Never the token
    names               at a loopback address, names besides the device's own that visitors may ask
                        for, such as that of a proxy on the device that brings TLS; at most 16,
                        () by default.  Elsewhere any name will do
    preview             whether the picture with people marked in it may be watched; false.
                        Nothing is drawn unless somebody watches, and nothing is ever stored
    preview_fps         pictures a second for those who watch, 0.2 to 10; 2.  Higher takes more
                        of the processor while somebody watches
    preview_hide_faces  whether faces that are followed are made unrecognisable in it; true.
                        Nobody hides one that was not found

    Raises UsageError for a value outside its range.
    """

    enabled: bool = False
    address: str = "127.0.0.1"
    port: int = 8070
    token_file: str = ""
    names: tuple[str, ...] = ()
    preview: bool = False
    preview_fps: float = 2.0
    preview_hide_faces: bool = True

    def __post_init__(self) -> None:
        if not is_loopback(self.address) and not self.token_file:
            raise UsageError(
                f"address is {self.address!r}, which others can reach; name a token_file, or use "
                "127.0.0.1"
            )
        wrong = [name for name in self.names if not _NAME.fullmatch(name)]
        if wrong:
            raise UsageError(
                f"names has {wrong[0]!r}; allowed: names of hosts without a port, such as "
                "gate.example"
            )
        if len(self.names) > _MOST_NAMES:
            raise UsageError(f"names has {len(self.names)}; allowed: at most {_MOST_NAMES}")
        for name, (low, high) in (("port", _PORTS), ("preview_fps", _RATES)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(f"{name} is {value:.10g}; allowed: {low:g} to {high:.10g}")


def url_at(address: str, port: int) -> str:
    """Return the URL of the page at *port* of *address*, an IP address or a host's name."""
    return f"http://[{address}]:{port}/" if ":" in address else f"http://{address}:{port}/"


def is_loopback(address: str) -> bool:
    """Return whether only the device itself reaches *address*.

    Raises UsageError, about ``address``, for what is no IP address.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        raise UsageError(
            f"address is {address!r}; allowed: an IP address of this device, such as 127.0.0.1, "
            "or 0.0.0.0 for all it has"
        ) from None
    # Which Python calls an IPv4 address in IPv6 clothes a loopback one differs by its version.
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)


def read_token(file: str) -> str | None:
    """Return the first line of *file*, None where *file* is ``""``.

    Raises OutputError when it cannot be read, or its first line is no token.
    """
    if not file:
        return None
    try:
        with io.TextIOWrapper(regular(file), encoding="utf-8") as opened:
            token = opened.readline(_LONGEST_LINE).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise OutputError(
            f"token_file {file} cannot be read ({reason}); the service's user must be able to"
        ) from None
    if not _TOKEN.fullmatch(token):
        raise OutputError(
            f"token_file {file} has no token in its first line; allowed: 16 to 256 letters, "
            "digits and signs without spaces, as from: openssl rand -hex 24"
        )
    return token
