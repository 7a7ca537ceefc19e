"""Finds the pairs of deleted records from the difference between two ledgers."""

from collections.abc import Sequence

# With more candidates, the 64-bit hashes of a wrong set could match by chance.
MOST_CANDIDATES = 32
# The bits of a hash, which is a signed bigint in PostgreSQL.
MASK = 2**64 - 1


def find_replaced(removed: int, difference: int, hashes: Sequence[int]) -> list[int] | None:
    """Return the indexes of the ``hashes`` whose pairs have lost one record each, None if no set of hashes matches.

    ``removed`` is the number of deleted records, ``difference`` the XOR of the hashes of their pairs. So few
    hashes are almost certainly independent over GF(2): at most one set has this XOR. Gaussian elimination finds it.
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
