"""The addresses that may be served without tokens."""

from pathlib import Path
from typing import Any

import pytest

from lens_perf.access.addresses import find_objection, is_local
from lens_perf.settings import AccessSettings, ClusterSettings, Settings


@pytest.mark.parametrize(
    ("address", "local"),
    [
        (("127.0.0.1", 8080), True), (("127.9.9.9", 1), True), (("::1", 8080, 0, 0), True), (("localhost", 1), True),
        ("/run/lens_perf.sock", True), (("0.0.0.0", 8080), False), (("", 8080), False), (("::", 8080, 0, 0), False),
        (("10.0.0.1", 80), False), (("example.org", 80), False), (("::ffff:10.0.0.1", 80, 0, 0), False), (3, False),
    ],
)  # fmt: skip
def test_addresses(address: Any, local: bool) -> None:
    assert is_local(address) is local
    clusters = {"alpha": ClusterSettings(dsn="")}
    bare = Settings(path=Path("x"), clusters=clusters)
    assert (find_objection([("127.0.0.1", 1), address], bare) is None) is local
    for access in (AccessSettings(token_file="tokens.toml"), AccessSettings(open_without_tokens=True)):
        assert find_objection([address], Settings(path=Path("x"), clusters=clusters, access=access)) is None
