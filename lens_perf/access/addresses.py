"""Decides which addresses may be served without tokens: only those that other machines cannot reach."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from lens_perf.settings import Settings

LOCAL_NAMES = {"localhost"}
# REMOTE_ADDR of a Unix socket in gunicorn and Werkzeug.
UNIX_SOCKETS = {"", "<local>"}
# A bind address of gunicorn: a path, an inherited descriptor, or host and port (with two more items for IPv6).
Address = str | int | tuple[str, int] | tuple[str, int, int, int]


def is_local(address: Address) -> bool:
    """Return whether only this machine can reach an address; False for an inherited socket, where this is unknown."""
    if isinstance(address, str):
        return True
    if isinstance(address, int):
        return False
    return address[0] in LOCAL_NAMES or _is_loopback(address[0])


def is_local_peer(address: str) -> bool:
    """Return whether the caller at ``address``, as WSGI servers write REMOTE_ADDR, is on this machine."""
    return address in UNIX_SOCKETS or _is_loopback(address)


# Every request asks for that of its peer; few have many.
@lru_cache(maxsize=1024)
def _is_loopback(host: str) -> bool:
    try:
        parsed = ipaddress.ip_address(host)
    except ValueError:
        return False
    # A socket for both families reports 127.0.0.1 as ::ffff:127.0.0.1.
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
