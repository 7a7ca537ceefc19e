"""The manifest: one consistent state of a copy, and its text on disk, versioned and checksummed."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import google_crc32c
import orjson
import polars as pl

from lens_perf.performance.columns.field_stats import FieldStats
from lens_perf.performance.columns.part_files import DamagedPartError

# Of this code's files; polars renders the numbers that no text is kept for.
FORMAT = f"2 polars {pl.__version__}"
MOST_NAMES_LEFT_OUT = 100


class CopyKey(NamedTuple):
    """Which copy: of the workload of a cluster."""

    cluster: str
    workload_uid: str

    @property
    def digest(self) -> str:
        """A name for its directory."""
        return hashlib.blake2b(orjson.dumps(list(self)), digest_size=16).hexdigest()


# Where a record is in the order (created_at, id), NULL times last.
Place = tuple[bool, int, int]


def place(created_us: int | None, id: int) -> Place:  # noqa: A002 - the column's name
    """Return the place of a record in the order of all records."""
    return created_us is None, created_us or 0, id


class Part(NamedTuple):
    """A part: its file, and the bounds of its records. No two parts overlap; none mixes timed and untimed records."""

    name: str
    size: int
    records: int
    fields: int
    first: Place
    last: Place
    least_id: int
    greatest_id: int
    iterations: tuple[int, int] | None

    @classmethod
    def parse(cls, values: Sequence[Any]) -> "Part":
        """Return the part of a manifest's JSON."""
        name, size, records, fields, first, last, least_id, greatest_id, iterations = values
        bounds = iterations and (iterations[0], iterations[1])
        return cls(name, size, records, fields, tuple(first), tuple(last), least_id, greatest_id, bounds)


@dataclass(frozen=True)
class Manifest:
    """One state of a copy. ``parts`` are in order; ``left_out`` names fields beyond the limit, or some of them.

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
    written_at: float = 0.0

    @cached_property
    def records(self) -> int:
        """The number of records."""
        return sum(part.records for part in self.parts)

    @cached_property
    def size(self) -> int:
        """The bytes of all parts."""
        return sum(part.size for part in self.parts)

    def encode(self) -> bytes:
        """Return the bytes that ``parse`` reads."""
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
                "written_at": self.written_at,
            },
            default=tuple,  # named tuples
        )
        return b"%s\n%d\n" % (FORMAT.encode(), google_crc32c.value(body)) + body

    @classmethod
    def parse(cls, content: bytes) -> "Manifest":
        """Return the manifest in ``content``. Raises DamagedPartError for one of another format, or damaged."""
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
            written_at=values["written_at"],
        )


def write_fields(fields: Mapping[tuple[Any, ...], FieldStats]) -> list[Any]:
    """Return statistics as JSON values."""
    return [[key, stats.write()] for key, stats in fields.items()]


def parse_fields(values: Sequence[Any]) -> dict[tuple[Any, ...], FieldStats]:
    """Return what ``write_fields`` wrote."""
    return {tuple(key): FieldStats.parse(each) for key, each in values}
