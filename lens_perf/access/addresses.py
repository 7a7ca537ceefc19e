"""Which addresses may be served without tokens: those that only this machine reaches."""

import ipaddress
from collections.abc import Iterable

from lens_perf.config import Settings

LOCAL_NAMES = {"localhost"}
# As gunicorn tells a bind: a path, an inherited descriptor, or host and port (and two more for IPv6).
Address = str | int | tuple[str, int] | tuple[str, int, int, int]


def is_local(address: Address) -> bool:
    """Tell whether only this machine reaches an address; of an inherited socket that is not known."""
    if isinstance(address, str):
        return True
    if isinstance(address, int):
        return False
    host = address[0]
    try:
        return host in LOCAL_NAMES or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def find_objection(addresses: Iterable[Address], settings: Settings) -> str | None:
    """Return why the service must not be served on ``addresses``, and what to change, or None."""
    access = settings.access
    if access.token_file is not None or access.open_without_tokens or all(map(is_local, addresses)):
        return None
    return (
        "whoever reaches this address could read every workload: make tokens with lens-perf token create and name the "
        "file in access.token_file, bind 127.0.0.1 or a Unix socket, or set access.open_without_tokens = true"
    )
