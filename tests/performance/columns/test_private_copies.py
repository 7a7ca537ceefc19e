"""Private copies share a limit without disturbing those that are being written."""

from contextlib import ExitStack

import pytest

from lens_perf.errors import ClusterSaturatedError, ResultTooLargeError
from lens_perf.performance.columns.manifest import CopyKey
from lens_perf.performance.columns.private_copies import MEBIBYTE, PrivateCopies

KEYS = [CopyKey("alpha", name, "a database") for name in ("one", "other")]


def part(share: float) -> list[bytes]:
    return [bytes(int(share * MEBIBYTE))]


def test_the_largest_of_those_being_written_continues() -> None:
    copies = PrivateCopies(1)
    one, other = map(copies.get, KEYS)
    with ExitStack() as stack:
        for store in (one, other):
            assert stack.enter_context(store.hold(0.0))
        one.write_part(part(0.6))
        other.write_part(part(0.3))
        with pytest.raises(ClusterSaturatedError):
            other.write_part(part(0.2))
        one.write_part(part(0.3))
        assert [store.size for store in (one, other)] == [int(0.6 * MEBIBYTE) + int(0.3 * MEBIBYTE), len(*part(0.3))]
        with pytest.raises(ResultTooLargeError, match="private_mib"):
            one.write_part(part(0.2))


def test_one_that_is_not_being_written_is_removed() -> None:
    copies = PrivateCopies(1)
    one, other = map(copies.get, KEYS)
    with one.hold(0.0):
        one.write_part(part(0.6))
        copies.drop(KEYS[0])
        assert one.size
    with other.hold(0.0):
        other.write_part(part(0.6))
    assert not one.size
    assert copies.get(KEYS[0]) is not one
