"""Cursors and ETags are read back as written, and nothing else is accepted."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.performance.freshness.checkpoint import Checkpoint
from lens_perf.performance.freshness.cursor import Cursor, Ledger
from lens_perf.performance.freshness.entity_tag import EntityTag
from lens_perf.performance.freshness.pairs import MOST_PAIRS, Pairs
from lens_perf.performance.freshness.tokens import LONGEST_TOKEN, NotATokenError, write_token

COUNTS = st.integers(0, 2**63 - 1)
ITERATIONS = st.integers(-(2**31), 2**31 - 1)
SOURCES = st.none() | st.sampled_from(["log", "wandb", ""])
TEXTS = st.text("abc", max_size=5)
PAIRS = st.lists(st.tuples(SOURCES, st.none() | ITERATIONS), max_size=8).map(Pairs.of)
CHECKPOINTS = st.builds(
    Checkpoint,
    oldest_xid=COUNTS,
    next_xid=COUNTS,
    latest_id=COUNTS,
    settled_id=COUNTS,
    server=TEXTS,
    witness=TEXTS,
    rewrites=st.none() | COUNTS,
    compared_at=COUNTS,
    compared_xid=COUNTS,
    unsettled=TEXTS,
)
CURSORS = st.builds(
    Cursor,
    subject=TEXTS,
    checkpoint=CHECKPOINTS,
    ledger=st.builds(Ledger, COUNTS, COUNTS),
    last_iterations=st.none() | st.dictionaries(SOURCES, ITERATIONS),
    unsettled=st.none() | PAIRS,
    pending=st.none() | PAIRS,
)
TAGS = st.builds(EntityTag, query=TEXTS, checkpoint=CHECKPOINTS, records=COUNTS)


@given(cursor=CURSORS, tag=TAGS)
def test_tokens_are_read_as_written(cursor: Cursor, tag: EntityTag) -> None:
    assert Cursor.parse(cursor.encode(), cursor.subject) == cursor
    assert EntityTag.parse(tag.encode(), tag.query) == tag
    with pytest.raises(NotATokenError):
        Cursor.parse(cursor.encode(), cursor.subject + "d")
    with pytest.raises(NotATokenError):
        EntityTag.parse(tag.encode(), tag.query + "d")


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(token=st.text() | JSON.map(write_token) | CURSORS.map(lambda cursor: cursor.encode()[:-3]), data=st.data())
def test_anything_else_is_refused(token: str, data: st.DataObject) -> None:
    for parse in (Cursor.parse, EntityTag.parse):
        with pytest.raises(NotATokenError):
            parse(token, "query")


@given(cursor=CURSORS, index=st.integers(0, 6), value=JSON)
def test_a_forged_field_is_refused_or_harmless(cursor: Cursor, index: int, value: Any) -> None:
    """Accepted values have the types that the statements bind."""
    fields = [
        cursor.subject,
        cursor.checkpoint.write(),
        cursor.ledger.count,
        "ff",
        None,
        (cursor.unsettled or Pairs()).write(),
        None,
    ]
    fields[index] = value
    try:
        parsed = Cursor.parse(write_token(*fields), cursor.subject)
    except NotATokenError:
        return
    assert type(parsed.ledger.count) is int
    assert all(type(each) is int for each in (parsed.last_iterations or {}).values())
    assert all(source is None or type(source) is str for source in parsed.last_iterations or {})
    assert all(source is None or type(source) is str for source in parsed.unsettled.sources if parsed.unsettled)


CHECKPOINT = Checkpoint(1, 2, 3, 0, "s", "w", None, 0, 1, "u")


@pytest.mark.parametrize("step", [1, 10])
def test_a_cursor_has_space_for_evenly_spaced_iterations(step: int) -> None:
    """Training reports such iterations: a long transaction must not cause a reset at each poll of a long workload."""
    pairs = Pairs.of(("log", iteration) for iteration in range(7, 40_000 * step, step))
    cursor = Cursor("q", CHECKPOINT, Ledger(9, 9), {"log": 40_000}, pairs, pairs)
    assert Cursor.parse(cursor.encode(), "q") == cursor
    assert len(cursor.encode()) < 500


def test_a_cursor_first_drops_the_pairs_for_removals() -> None:
    few, many = Pairs.of([("log", 5)]), Pairs.of(("log", number * number) for number in range(2000))
    cursor = Cursor("q", CHECKPOINT, Ledger(9, 9), {"log": 4000}, few, many)
    assert Cursor.parse(cursor.encode(), "q") == replace(cursor, pending=None)


RANGES = [
    [[-(2**31), 2**31 - 1]],
    [[-(2**31), 2**31 - 1, 2]],
    [[1, 2, 0]],
    [[1, 2, -1]],
    [[2, 1]],
    [[1, 2, 3, 4]],
    [[0, MOST_PAIRS]],
    [[0, 1_000_000, 2], [3_000_000, 4_000_000, 2]],
]


@pytest.mark.parametrize("ranges", RANGES)
def test_forged_pairs_are_bounded(ranges: list[list[int]]) -> None:
    with pytest.raises(NotATokenError):
        Pairs.parse([[["log", ranges]], []])


def test_a_cursor_that_would_be_too_long_resets_instead() -> None:
    pairs = Pairs.of(("log", number * number) for number in range(2000))
    cursor = Cursor("q", CHECKPOINT, Ledger(9, 9), {"log": 4000}, pairs, Pairs())
    assert len(cursor.encode()) <= LONGEST_TOKEN
    parsed = Cursor.parse(cursor.encode(), "q")
    assert (parsed.last_iterations, parsed.unsettled, parsed.pending) == (None, None, None)
    assert parsed.ledger == cursor.ledger


@given(first=PAIRS, second=PAIRS, listed=st.lists(st.tuples(SOURCES, st.none() | ITERATIONS), max_size=8))
def test_pairs_are_a_set(first: Pairs, second: Pairs, listed: list[tuple[str | None, int | None]]) -> None:
    assert set(Pairs.of(listed)) == set(listed)
    assert set(first | second) == {*first, *second}
    assert (first | second).size == len({*first, *second})
    assert bool(first) == (first.size > 0)
    assert Pairs.parse(first.write()) == first
