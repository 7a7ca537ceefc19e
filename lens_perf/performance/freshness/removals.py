"""Which pairs account for the records that a workload has lost since a checkpoint."""

from collections.abc import Sequence

# With more candidates, a set of them that fits by chance is no longer out of the question: 64 bits are compared.
MOST_CANDIDATES = 32
MASK = 2**64 - 1


def find_replaced(removed: int, difference: int, hashes: Sequence[int]) -> list[int] | None:
    """Return the indexes of the ``hashes`` of pairs that lost one record each; None if no set of them fits.

    ``removed`` is the number of records that are gone, ``difference`` the XOR of their pairs' hashes. The hashes of so
    few pairs are linearly independent over GF(2), so at most one set has the difference; Gaussian elimination finds it.
    """
    if len(hashes) > MOST_CANDIDATES:
        return None
    basis: dict[int, tuple[int, int]] = {}
    for index, value in enumerate(hashes):
        rest, members = _reduce(value & MASK, 1 << index, basis)
        if rest:
            basis[rest.bit_length()] = rest, members
    rest, members = _reduce(difference & MASK, 0, basis)
    if rest or members.bit_count() != removed:
        return None
    return [index for index in range(len(hashes)) if members >> index & 1]


def _reduce(value: int, members: int, basis: dict[int, tuple[int, int]]) -> tuple[int, int]:
    while value.bit_length() in basis:
        pivot, pivot_members = basis[value.bit_length()]
        value ^= pivot
        members ^= pivot_members
    return value, members
