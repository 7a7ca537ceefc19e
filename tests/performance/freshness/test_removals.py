"""The pairs that lost a record follow from the number of deleted records and the XOR of their hashes."""

from functools import reduce
from operator import xor
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from lens_perf.performance.freshness.removals import MOST_CANDIDATES, find_replaced

HASHES = st.lists(st.integers(-(2**63), 2**63 - 1), unique=True, max_size=MOST_CANDIDATES)


@given(seed=st.integers(), count=st.integers(0, MOST_CANDIDATES))
def test_the_pairs_that_lost_a_record_are_found(seed: int, count: int) -> None:
    random = Random(seed)
    hashes = [random.getrandbits(64) - 2**63 for _ in range(count)]
    lost = [index for index in range(count) if random.random() < 0.5]
    difference = reduce(xor, (hashes[index] for index in lost), 0)
    assert find_replaced(len(lost), difference, hashes) == lost
    assert find_replaced(len(lost) + 1, difference, hashes) is None


@given(hashes=HASHES, removed=st.integers(0, 40), difference=st.integers(-(2**63), 2**63 - 1))
def test_the_found_pairs_account_for_the_difference(hashes: list[int], removed: int, difference: int) -> None:
    found = find_replaced(removed, difference, hashes)
    if found is not None:
        assert len(found) == removed
        assert (reduce(xor, (hashes[index] for index in found), 0) ^ difference) % 2**64 == 0


def test_too_many_candidates_account_for_nothing() -> None:
    assert find_replaced(1, 1, range(1, MOST_CANDIDATES + 2)) is None
