"""The manifest, a consistent state of a copy, and its file format with version and checksum."""

import hashlib
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import google_crc32c
import orjson
import polars as pl

from lens_perf.performance.columns.field_stats import FieldStats
from lens_perf.performance.columns.part_files import DamagedPartError

# Includes the version of polars, which renders the numbers that are stored without their texts.
FORMAT = f"6 polars {pl.__version__}"
MOST_NAMES_LEFT_OUT = 100


class CopyKey(NamedTuple):
    """The workload of a copy. ``database`` identifies the database, because the same name may be used for several."""

    cluster: str
    workload_uid: str
    database: str

    @property
    def digest(self) -> str:
        """The name of the directory of the copy."""
        return hashlib.blake2b(orjson.dumps(list(self)), digest_size=16).hexdigest()


# Sorts records in the order (created_at, id), NULL times last.
SortKey = tuple[bool, int, int]


def make_sort_key(created_us: int | None, id: int) -> SortKey:  # noqa: A002 - the column's name
    """Return the sort key of a record; ``created_us`` is in microseconds since 2000-01-01 UTC."""
    return created_us is None, created_us or 0, id


class Part(NamedTuple):
    """A part: the name of its file and the size in bytes, and the bounds of its records.

    ``iterations`` are the lowest and the highest one, None if no record has one. Parts do not overlap. Either all
    records of a part have a time, or none has.
    """

    name: str
    size: int
    records: int
    fields: int
    first: SortKey
    last: SortKey
    least_id: int
    greatest_id: int
    iterations: tuple[int, int] | None

    @classmethod
    def parse(cls, values: Sequence[Any]) -> "Part":
        """Return the part from its JSON values in a manifest."""
        name, size, records, fields, first, last, least_id, greatest_id, iterations = values
        bounds = iterations and (iterations[0], iterations[1])
        return cls(name, size, records, fields, tuple(first), tuple(last), least_id, greatest_id, bounds)


@dataclass(frozen=True)
class Manifest:
    """A state of a copy.

    ``history`` is a random text, chosen when the copy is built; ``generation`` numbers the states since then. ``parts``
    are in order of their records. ``sources`` has the number of records by data source, ``fields`` the statistics by
    (data source, field). ``left_out`` has names of fields beyond the limit ``most_fields``, up to MOST_NAMES_LEFT_OUT.
    ``written_at`` is in seconds since 1970.
    """

    key: CopyKey
    history: str
    generation: int
    checkpoint: str
    parts: Sequence[Part] = ()
    sources: Mapping[str | None, int] = field(default_factory=dict)
    fields: Mapping[tuple[Any, ...], FieldStats] = field(default_factory=dict)
    left_out: Sequence[str] = ()
    most_fields: int = 0
    written_at: float = 0.0

    @cached_property
    def names(self) -> Set[str]:
        """The fields of all data sources."""
        return {name for _source, name in self.fields}

    def list_missing(self, names: Collection[str]) -> list[str]:
        """Return those of ``names`` that were left out, or may have been because ``left_out`` is full."""
        is_full = len(self.left_out) >= MOST_NAMES_LEFT_OUT
        return [name for name in names if name in self.left_out or (is_full and name not in self.names)]

    @cached_property
    def records(self) -> int:
        """The number of records."""
        return sum(part.records for part in self.parts)

    def encode(self) -> bytes:
        """Return the content of the file."""
        body = orjson.dumps(
            {
                "key": self.key,
                "history": self.history,
                "generation": self.generation,
                "checkpoint": self.checkpoint,
                "parts": self.parts,
                "sources": list(self.sources.items()),
                "fields": write_fields(self.fields),
                "left_out": list(self.left_out),
                "most_fields": self.most_fields,
                "written_at": self.written_at,
            },
            default=tuple,  # named tuples
        )
        return b"%s\n%d\n" % (FORMAT.encode(), google_crc32c.value(body)) + body

    @classmethod
    def parse(cls, content: bytes) -> "Manifest":
        """Return the manifest in ``content``. Raises DamagedPartError if it is damaged or in another format."""
        format_line, _, rest = content.partition(b"\n")
        checksum, _, body = rest.partition(b"\n")
        if format_line != FORMAT.encode() or checksum != b"%d" % google_crc32c.value(body):
            raise DamagedPartError
        values = orjson.loads(body)
        return cls(
            key=CopyKey(*values["key"]),
            history=values["history"],
            generation=values["generation"],
            checkpoint=values["checkpoint"],
            parts=[Part.parse(each) for each in values["parts"]],
            sources=dict(values["sources"]),
            fields=parse_fields(values["fields"]),
            left_out=values["left_out"],
            most_fields=values["most_fields"],
            written_at=values["written_at"],
        )


def write_fields(fields: Mapping[tuple[Any, ...], FieldStats]) -> list[Any]:
    """Return statistics as JSON values."""
    return [[key, stats.write()] for key, stats in fields.items()]


def parse_fields(values: Sequence[Any]) -> dict[tuple[Any, ...], FieldStats]:
    """Return the statistics from the result of ``write_fields``."""
    return {tuple(key): FieldStats.parse(each) for key, each in values}
