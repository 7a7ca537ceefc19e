"""A copy has exactly the content of the table, after any sequence of changes to the table."""

import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lens_perf.errors import MetricLeftOutError
from lens_perf.performance.columns import object_reader, part_list, part_writer, record_reader, rest, row_blocks
from lens_perf.performance.columns.columns import Columns
from lens_perf.performance.columns.manifest import CopyKey
from lens_perf.settings import ColumnSettings
from tests.performance.columns.fake_source import (
    FakeSource,
    Record,
    encode,
    expect_fields,
    expect_records,
)
from tests.performance.columns.reading import read_blocks

KEY = CopyKey("alpha", "w", "a database")
DEADLINE = 30.0


def check(columns: Columns, source: FakeSource) -> None:
    with columns.open(KEY, source, time.monotonic() + DEADLINE) as copy:
        assert read_blocks(copy) == expect_records(source)
        assert {key: plain(stats) for key, stats in copy.fields.items()} == expect_fields(source)
        attempts = {key: plain(stats) for key, stats in copy.read_attempts().items()}
        assert attempts == expect_fields(source, by_serial=True)
        counts: dict[str | None, int] = {}
        for record in source.records.values():
            counts[record.data_source] = counts.get(record.data_source, 0) + 1
        assert copy.sources == counts


def plain(stats: Any) -> list[Any]:
    return [tuple(each) if isinstance(each, tuple) else each for each in stats.write()]


ODD_NAMES = [
    "",
    "a",
    "b",
    "a\tb",
    'say "x"',
    ', "',
    '": ',
    "\\",
    "é\n",
    "step",
    "run_id",
    "NaN",
    "{",
    "v:a",
    "loss/train",
    "🙂",
]
NAMES = st.sampled_from(ODD_NAMES) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=5
)
INTEGERS = st.integers(-(2**65), 2**65).map(str)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=4).map("{:f}".format)
FLOATS = (
    st.floats(allow_nan=False, allow_infinity=False).map(lambda number: f"{number:.17g}").filter(lambda t: "e" not in t)
)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=6).map(encode)
HOSTILE = st.sampled_from([
    "null", "true", "false", '"NaN"', '"Infinity"', '"-Infinity"', '"NaN "', '"inf"', '"1.0"', "[]", "{}",
    '[{"a, ": "], "}]',
    '{"a": 1, "b": {"c": "}"}}', '"x, \\"b\\": 1"', '"x, "', '"\\\\"', '"a\\"b"', '", "', "0", "0.0", "0.10",
    "1" + "0" * 400,
    "-1" + "0" * 400, "1" + "0" * 308, str(2**1024 - 2**970), str(2**1024 - 2**970 - 1), "0." + "0" * 400 + "1",
    "123456789012345678901234567890.123456789012345678901234567890", "9223372036854775807", "9223372036854775808",
    "-9223372036854775808", "9007199254740993", "0.1", "0.1" + "0" * 20, "100000000000000000000000",
])  # fmt: skip
VALUES = st.one_of(INTEGERS, DECIMALS, FLOATS, TEXTS, HOSTILE, HOSTILE)
OBJECTS = st.one_of(
    st.dictionaries(NAMES, VALUES, max_size=4),
    st.sampled_from([{"a": "1", "b": "2.5"}, {"a": "1", "b": "2.50"}, {"a": "2", "b": '"NaN"'}, {"a": "3"}]),
    st.sampled_from([None, "null", "[]", '"x"', "1", "{}", '["a", "b"]']),
)
TIMES = st.sampled_from([None, 0, 1, 2, 3, 50, -(2**63), 2**63 - 1]) | st.integers(-(2**62), 2**62)
RECORDS = st.builds(
    Record,
    id=st.integers(1, 60),
    created_us=TIMES,
    iteration=st.none() | st.integers(-3, 30) | st.sampled_from([2**31 - 1, -(2**31)]),
    serial=st.none() | st.integers(0, 2),
    data_source=st.sampled_from(["log", "wandb", "tensorflow", None, "null", 'te"xt', "", "log "]),
    members=OBJECTS,
)
STEPS = st.lists(
    st.tuples(st.lists(RECORDS, max_size=8), st.lists(st.integers(1, 60), max_size=4)), min_size=1, max_size=5
)


@pytest.fixture(params=["columns", "entries"])
def tiny(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make parts, frames and blocks so small that a few records need many; with few columns, or as many as usual."""
    if request.param == "entries":
        make_entries(monkeypatch)
    monkeypatch.setattr(part_writer, "MOST_RECORDS", 8)
    monkeypatch.setattr(part_writer, "MOST_CELLS", 40)
    monkeypatch.setattr(part_list, "MOST_CELLS", 40)
    monkeypatch.setattr(record_reader, "MOST_RECORDS", 5)
    monkeypatch.setattr(record_reader, "MOST_CELLS", 12)
    monkeypatch.setattr(row_blocks, "BLOCK_BYTES", 300)
    monkeypatch.setattr(row_blocks, "BLOCK_ROWS", 3)


def make_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give columns to one or two fields only."""
    monkeypatch.setattr(object_reader, "FEW_FIELDS", 0)
    monkeypatch.setattr(object_reader, "SPARSE", 2)
    monkeypatch.setattr(object_reader, "MOST_COLUMNS", 2)
    monkeypatch.setattr(rest, "MOST_CELLS", 20)


@pytest.fixture
def columns(tmp_path: Path) -> Columns:
    return Columns(ColumnSettings(directory=str(tmp_path / "columns")))


@pytest.mark.usefixtures("tiny")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, unsettled=st.lists(st.integers(1, 60), max_size=3), history_changes=st.booleans())
def test_any_sequence_of_changes(
    columns: Columns, steps: list[Any], unsettled: list[int], history_changes: bool
) -> None:
    columns.drop(KEY)
    source = FakeSource(unsettled=unsettled)
    for written, removed in steps:
        source.change(written, removed)
        check(columns, source)
        check(columns, source)
    if history_changes:
        source.history = "two"
        check(columns, source)


def make_sparse_records(numbers: range, choice: random.Random) -> list[Record]:
    """Records that have a few of hundreds of fields, with values of all kinds."""
    values = ["1.5", "-2", "0.10", "7", "12345678901234567890.5", '"NaN"', '"Infinity"', '"text"', "null", "[1]"]
    return [
        Record(
            number,
            number % 700 * 1_000,
            number,
            number // 900,
            "wandb" if number % 3 else "log",
            {"loss": str(number)}
            | ({"run_id": "5"} if number % 29 == 0 else {})
            | {f"m{choice.randrange(400)}": choice.choice(values) for _ in range(7)},
        )
        for number in numbers
    ]


def test_records_of_many_rare_fields(columns: Columns) -> None:
    choice = random.Random(7)
    source = FakeSource()
    source.change(make_sparse_records(range(1_200), choice))
    check(columns, source)
    with columns.open(KEY, source, time.monotonic() + DEADLINE) as copy:
        kept = [block.columns for block in copy.blocks(None, keep_entries=True)]
        assert all("rest" in names and "v:loss" in names and "v:m1" not in names for names in kept)
    # Some records change their columns, some keep their values, some are removed.
    source.change(make_sparse_records(range(1_190, 1_300), choice), list(range(300, 320)))
    source.change([source.records[number] for number in range(100, 110)])
    check(columns, source)
    found = columns.verify(KEY, source, time.monotonic() + DEADLINE)
    assert found is not None
    assert found.is_good
    source.records[5] = source.records[5]._replace(members={**source.records[5].members, "m1": "99"})  # type: ignore[dict-item]
    found = columns.verify(KEY, source, time.monotonic() + DEADLINE)
    assert found is not None
    assert (found.different, found.statistics_agree) == (1, False)


def test_verifying_a_copy(columns: Columns) -> None:
    source = FakeSource()
    source.change(
        [Record(number, number, number, 0, "log", {"loss": f"{number}.50", "odd": '"NaN"'}) for number in range(50)]
    )
    deadline = time.monotonic() + DEADLINE
    assert columns.verify(KEY, source, deadline) is None
    check(columns, source)
    source.change([Record(60, 3, 3, 0, "log", {"loss": "[]"})], [7])
    found = columns.verify(KEY, source, deadline)
    assert found is not None
    assert (found.is_good, found.copied, found.stored) == (True, 50, 50)
    # Changes that the source does not list.
    source.records[3] = source.records[3]._replace(members={"loss": "3.5", "odd": '"NaN"'})
    source.records[4] = source.records[4]._replace(members={"loss": "4.50", "odd": '"Infinity"'})
    source.records[99] = source.records.pop(5)._replace(id=99)
    found = columns.verify(KEY, source, deadline)
    assert found is not None
    assert (found.missing, found.surplus, found.different) == (1, 1, 2)
    assert not found.is_good


def test_a_workload_without_records_has_no_files(columns: Columns) -> None:
    source = FakeSource()
    check(columns, source)
    assert not list(columns.root.rglob("*"))
    assert not columns.has(KEY)
    source.change([Record(1, 1, 1, 0, "log", {"loss": "1.5"})])
    check(columns, source)
    assert columns.has(KEY)
    (listed,) = columns.list()
    assert listed.size == 3 * 4096, "a directory, a manifest and a part, in blocks of 4 KiB"


def test_fields_beyond_the_limit_are_left_out(tmp_path: Path) -> None:
    columns = Columns(ColumnSettings(directory=str(tmp_path / "columns"), max_fields=2))
    source = FakeSource()
    source.change([Record(1, 1, 1, 0, "log", {"a": "1", "b": "2"}), Record(2, 2, 2, 0, "log", {"c": "1", "b": "2"})])
    with columns.open(KEY, source, time.monotonic() + DEADLINE) as copy:
        assert {name for _, name in copy.fields} == {"a", "b"}
        copy.require(["a", "b", "unknown"])
        with pytest.raises(MetricLeftOutError, match='leaves out "c", because of'):
            copy.require(["a", "c"])
        assert not columns.has(KEY, ["c"])
        assert columns.has(KEY, ["a", "unknown"])
        assert len(read_blocks(copy)) == 2


def test_any_name_may_be_left_out_if_very_many_are(tmp_path: Path) -> None:
    columns = Columns(ColumnSettings(directory=str(tmp_path / "columns"), max_fields=1))
    source = FakeSource()
    source.change([Record(1, 1, 1, 0, "log", {"a": "1", **{f"m{number:03}": "2" for number in range(200)}})])
    with columns.open(KEY, source, time.monotonic() + DEADLINE) as copy:
        copy.require(["a"])
        for name in ("m000", "m199"):
            with pytest.raises(MetricLeftOutError):
                copy.require([name])


def test_a_higher_limit_of_fields_takes_effect(tmp_path: Path) -> None:
    source = FakeSource()
    source.change([Record(1, 1, 1, 0, "log", {"a": "1", "b": "2", "c": "3"})])
    expectations = [(2, "ab", 1), (2, "ab", 1), (1, "ab", 1), (3, "abc", 2), (4, "abc", 2)]
    for most, names, builds in expectations:
        columns = Columns(ColumnSettings(directory=str(tmp_path / "columns"), max_fields=most))
        with columns.open(KEY, source, time.monotonic() + DEADLINE) as copy:
            assert copy.names == set(names)
        assert source.builds == builds


def test_a_field_that_was_left_out_does_not_appear_later(tmp_path: Path) -> None:
    columns = Columns(ColumnSettings(directory=str(tmp_path / "columns"), max_fields=2))
    source = FakeSource()
    source.change([Record(1, 1, 1, 0, "log", {"a": "1", "c": "2"}), Record(2, 2, 2, 0, "log", {"a": "1", "b": "2"})])
    deadline = time.monotonic() + DEADLINE
    with columns.open(KEY, source, deadline) as copy:
        assert copy.names == {"a", "c"}
    # There would be room for b now, but its earlier values are not in the copy.
    source.change([Record(1, 1, 1, 0, "log", {"a": "3"}), Record(3, 3, 3, 0, "log", {"a": "1", "b": "2"})])
    with columns.open(KEY, source, deadline) as copy:
        assert copy.names == {"a"}
        with pytest.raises(MetricLeftOutError):
            copy.require(["b"])
    found = columns.verify(KEY, source, deadline)
    assert found is not None
    assert (found.is_good, found.left_out) == (True, ["b"])


def test_what_a_reader_observes_is_the_state_of_its_copy(columns: Columns) -> None:
    source = FakeSource()
    for written, observations in (([], 1), ([Record(1, 1, 1, 0, "log", {"a": "1"})], 2), ([], 3)):
        source.change(written)
        check(columns, source)
        assert source.observations == observations


def test_ten_new_records_rewrite_no_large_part(columns: Columns) -> None:
    source = FakeSource()
    source.change([Record(number, number, number, 0, "log", {"loss": "1.5"}) for number in range(2_000)])
    check(columns, source)
    for refresh in range(30):
        start = 2_000 + 10 * refresh
        before = {path.name for path in columns.root.glob("*/*.part") if path.stat().st_size > 20_000}
        source.change([Record(number, number, number, 0, "log", {"loss": "2"}) for number in range(start, start + 10)])
        check(columns, source)
        assert before <= {path.name for path in columns.root.glob("*/*.part")}
    assert len(list(columns.root.glob("*/*.part"))) < 10


@pytest.mark.parametrize("first", [0, 64], ids=["before all others", "between two parts"])
def test_late_records_make_few_parts(columns: Columns, monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    """Records that arrive one by one, in order, but earlier than those of a full part."""
    monkeypatch.setattr(part_writer, "MOST_RECORDS", 32)
    source = FakeSource()
    source.change([Record(number, 1_000 * number, number, 0, "log", {"loss": "1.5"}) for number in range(256)])
    check(columns, source)
    assert len(list(columns.root.glob("*/*.part"))) == 8
    for number in range(64):
        source.change([Record(1_000 + number, 1_000 * first - 100 + number, number, 0, "log", {"loss": "2"})])
        check(columns, source)
    assert len(list(columns.root.glob("*/*.part"))) <= 16


def test_a_field_with_columns_in_some_frames_and_entries_in_others(
    columns: Columns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if a part with both kinds of frames is merged with the part before it."""
    make_entries(monkeypatch)
    monkeypatch.setattr(record_reader, "MOST_RECORDS", 8)
    source = FakeSource()
    source.change([Record(number, number, number, 0, "log", {"loss": "1", "x": "1.5"}) for number in range(4)])
    check(columns, source)
    frequent = [{"loss": "2", "x": f"{number}.5"} for number in range(8)]
    rare = [{"loss": "3", "other": "4"} | ({"x": "9.5"} if number == 3 else {}) for number in range(8)]
    source.change([Record(id_, id_, id_, 0, "log", members) for id_, members in enumerate([*frequent, *rare], 100)])
    check(columns, source)
