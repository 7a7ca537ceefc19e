"""A table in memory from which a copy is built, and a model of the expected content of the copy."""

import json
import struct
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lens_perf.performance.columns.source import Changes
from lens_perf.performance.metric_fields import WANDB_METADATA_FIELDS

MOST_LISTED = 50_000


class Record(NamedTuple):
    """A row of the table; ``members`` are the JSON texts of the values by name, or another JSON text."""

    id: int
    created_us: int | None = None
    iteration: int | None = None
    serial: int | None = None
    data_source: str | None = "log"
    members: Mapping[str, str] | str | None = None

    def row(self) -> bytes:
        """Of a binary COPY."""
        numbers = [(self.id, "q"), (self.created_us, "q"), (self.iteration, "i"), (self.serial, "i")]
        fields = [None if value is None else struct.pack(f">{kind}", value) for value, kind in numbers]
        texts = [(self.data_source, b""), (self.text(), b"\x01")]
        fields += [None if text is None else version + text.encode() for text, version in texts]
        packed = (struct.pack(">i", -1) if each is None else struct.pack(">i", len(each)) + each for each in fields)
        return struct.pack(">h", len(fields)) + b"".join(packed)

    def text(self) -> str | None:
        if self.members is None or isinstance(self.members, str):
            return self.members
        # JSONB's order: by length in bytes, then by bytes.
        ordered = sorted(self.members, key=lambda name: (len(name.encode()), name.encode()))
        return "{" + ", ".join(f"{encode(name)}: {self.members[name]}" for name in ordered) + "}"

    def sort_key(self) -> tuple[bool, int, int]:
        return self.created_us is None, self.created_us or 0, self.id


def encode(text: str | None) -> str:
    return json.dumps(text, ensure_ascii=False)


@dataclass
class FakeSource:
    """Records by id, and the ids written in each version; deletions are not listed, as in PostgreSQL."""

    records: dict[int, Record] = field(default_factory=dict)
    versions: list[list[int]] = field(default_factory=list)
    history: str = "one"
    on_row: Callable[[], None] = lambda: None
    snapshots: int = 0
    observations: int = 0
    heavy: int = 0
    builds: int = 0
    # The ids of a running transaction, which every search finds again.
    unsettled: Sequence[int] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def change(self, written: Sequence[Record] = (), removed: Sequence[int] = ()) -> None:
        for id_ in removed:
            self.records.pop(id_, None)
        for record in written:
            self.records[record.id] = record
        self.versions.append([record.id for record in written])

    @contextmanager
    def open_snapshot(self, deadline: float, *, heavy: bool) -> Iterator["FakeSnapshot"]:  # noqa: ARG002 - the protocol's
        with self._lock:
            self.snapshots += 1
            self.heavy += heavy
            snapshot = FakeSnapshot(self, dict(self.records), len(self.versions))
        yield snapshot


@dataclass
class FakeSnapshot:
    source: FakeSource
    records: Mapping[int, Record]
    version: int

    def find_changes(self, checkpoint: str | None, *, compare: bool = False) -> Changes:  # noqa: ARG002 - the protocol's
        now = f"{self.source.history}/{self.version}"
        history, _, version = (checkpoint or "/").partition("/")
        if history != self.source.history:
            return Changes(now, reset=True, records=len(self.records))
        written = [id_ for ids in self.source.versions[int(version) : self.version] for id_ in ids]
        ids = [*written, *self.source.unsettled]
        if int(version) == self.version and not ids:
            return Changes(now, unchanged=True)
        return Changes(now, ids=ids, must_compare_ids=True, records=len(self.records))

    def observe(self) -> None:
        self.source.observations += 1

    def has_records(self) -> bool:
        return bool(self.records)

    def copy_records(self, ids: Sequence[int] | None, sink: Any) -> None:
        self.source.builds += ids is None
        chosen = self.records.values() if ids is None else [self.records[id_] for id_ in set(ids) & set(self.records)]
        self._copy(sorted(chosen, key=Record.sort_key), sink)

    def copy_stored_records(self, sink: Any) -> None:
        self.source.builds += 1
        self._copy(self.records.values(), sink)

    def _copy(self, records: Iterable[Record], sink: Any) -> None:
        for record in records:
            self.source.on_row()
            sink.write(record.row())

    def list_ids(self) -> bytes:
        return array("q", self.records).tobytes()


# The limit of data points: JSON numbers in the range of float64.
LIMIT = 2**1024 - 2**970
NON_FINITE = {'"NaN"': 1, '"Infinity"': 2, '"-Infinity"': 3}


class Value(NamedTuple):
    """The value of a field of a record: the text of a data point, the code of a non-finite value, or neither."""

    text: str | None
    code: int | None


def read_value(text: str) -> Value:
    if text in NON_FINITE:
        return Value(None, NON_FINITE[text])
    if text[0] not in "-0123456789":
        return Value(None, None)
    whole, _, fraction = text.partition(".")
    number = abs(parse_int(whole + fraction))
    return Value(text if number < LIMIT * 10 ** len(fraction) else None, None)


def parse_int(digits: str) -> int:
    """Like int(), for any number of digits."""
    negative, digits = digits.startswith("-"), digits.removeprefix("-")
    number = 0
    for start in range(0, len(digits), 4_000):
        piece = digits[start : start + 4_000]
        number = number * 10 ** len(piece) + int(piece)
    return -number if negative else number


def read_fields(record: Record) -> Mapping[str, Value]:
    if not isinstance(record.members, Mapping):
        return {}
    hidden = WANDB_METADATA_FIELDS if record.data_source == "wandb" else ()
    return {name: read_value(text) for name, text in record.members.items() if name not in hidden}


Expected = tuple[tuple[Any, ...], Mapping[str, Value]]


def expect_records(source: FakeSource) -> list[Expected]:
    """The records as in the blocks of a copy, with data points and non-finite values only."""
    ordered = sorted(source.records.values(), key=Record.sort_key)
    return [
        (tuple(record[:5]), {name: value for name, value in read_fields(record).items() if value != (None, None)})
        for record in ordered
    ]


def expect_fields(source: FakeSource, *, by_serial: bool = False) -> dict[Any, list[Any]]:
    """The statistics in the format of ``FieldStats.write``."""
    found: dict[Any, list[Any]] = {}
    for record in sorted(source.records.values(), key=Record.sort_key):
        for name, value in read_fields(record).items():
            key = (record.data_source, name, *((record.serial,) if by_serial else ()))
            stats = found.setdefault(key, [0, 0, 0, None, None, None, None, None])
            where = record.iteration, record.created_us
            if value.text is not None:
                point = (value.text, *where)
                stats[0] += 1
                stats[3] = stats[3] or point
                stats[4] = point
                if stats[5] is None or float(value.text) < float(stats[5][0]):
                    stats[5] = point
                if stats[6] is None or float(value.text) > float(stats[6][0]):
                    stats[6] = point
                stats[7] = None
            elif value.code is not None:
                stats[1] += 1
                stats[7] = stats[7] or where
            else:
                stats[2] += 1
    return found
