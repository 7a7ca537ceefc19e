"""Which addresses may be served without tokens: those that only this machine reaches."""

import ipaddress
from collections.abc import Iterable

from lens_perf.config import Settings

LOCAL_NAMES = {"localhost"}
# How gunicorn and Werkzeug write the other end of a Unix socket.
UNIX_SOCKETS = {"", "<local>"}
# As gunicorn tells a bind: a path, an inherited descriptor, or host and port (and two more for IPv6).
Address = str | int | tuple[str, int] | tuple[str, int, int, int]


def is_local(address: Address) -> bool:
    """Tell whether only this machine reaches an address; of an inherited socket that is not known."""
    if isinstance(address, str):
        return True
    if isinstance(address, int):
        return False
    return address[0] in LOCAL_NAMES or _is_loopback(address[0])


def is_local_peer(address: str) -> bool:
    """Return whether the caller at ``address``, as WSGI servers write REMOTE_ADDR, is on this machine."""
    return address in UNIX_SOCKETS or _is_loopback(address)


def _is_loopback(host: str) -> bool:
    try:
        parsed = ipaddress.ip_address(host)
    except ValueError:
        return False
    # On a socket for both families, 127.0.0.1 shows as ::ffff:127.0.0.1.
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback


def find_objection(addresses: Iterable[Address], settings: Settings) -> str | None:
    """Return why the service must not listen on ``addresses``, and what to change; None if it may."""
    access = settings.access
    if access.token_file is not None or access.open_without_tokens or all(map(is_local, addresses)):
        return None
    return (
        "anyone who can reach this address could read every workload: create tokens with lens-perf token create, set "
        "access.token_file; bind 127.0.0.1 or a Unix socket, or set access.open_without_tokens = true"
    )
