"""The statistics of the records of a part: computes, encodes and merges them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import orjson
import polars as pl

from lens_perf.performance.columns.computed_stats import compute_fields
from lens_perf.performance.columns.field_stats import Fields, FieldStats, merge_fields
from lens_perf.performance.columns.groups import Groups
from lens_perf.performance.columns.manifest import parse_fields, write_fields
from lens_perf.performance.columns.part_files import PartFile

# With more attempts in a part, their statistics are not stored but computed on demand.
MOST_ATTEMPTS = 64


@dataclass(frozen=True)
class Statistics:
    """The statistics of the records of a part, or of all records.

    ``sources`` has the number of records by data source, ``fields`` the statistics by (data source, field), and
    ``attempts`` those by (data source, field, serial), None if there are too many attempts.
    """

    sources: Mapping[str | None, int] = field(default_factory=dict)
    fields: Fields = field(default_factory=dict)
    attempts: Fields | None = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the statistics as bytes for ``parse``."""
        serials = {serial for *_, serial in self.attempts or ()}
        # The statistics of the only attempt are those of all records.
        attempts = None if self.attempts is None or len(serials) == 1 else write_fields(self.attempts)
        values = [list(self.sources.items()), write_fields(self.fields), list(serials), attempts]
        return orjson.dumps(values, default=tuple)

    @classmethod
    def parse(cls, content: bytes) -> "Statistics":
        """Return the statistics from the result of ``encode``."""
        sources, written, serials, attempts = orjson.loads(content)
        fields = parse_fields(written)
        if len(serials) == 1:
            return cls(dict(sources), fields, of_attempt(fields, serials[0]))
        return cls(dict(sources), fields, None if attempts is None else parse_fields(attempts))


def of_attempt(fields: Fields, serial: int | None) -> Fields:
    """Return ``fields``, the statistics of all records, as those of the only attempt."""
    return {(*key, serial): stats for key, stats in fields.items()}


def merge_statistics(parts: Iterable[Statistics]) -> Statistics:
    """Return the statistics of the records of consecutive parts, without those of attempts."""
    sources: dict[str | None, int] = {}
    fields: dict[tuple[Any, ...], FieldStats] = {}
    for part in parts:
        for source, count in part.sources.items():
            sources[source] = sources.get(source, 0) + count
        fields = merge_fields([fields, part.fields])
    return Statistics(sources, fields, None)


def merge_complete(parts: Sequence[Statistics]) -> Statistics:
    """Return the statistics of the records of consecutive parts, with those of attempts."""
    known = [part.attempts for part in parts if part.attempts is not None]
    attempts = merge_fields(known) if len(known) == len(parts) else None
    if attempts is not None and len({serial for *_, serial in attempts}) > MOST_ATTEMPTS:
        attempts = None
    return replace(merge_statistics(parts), attempts=attempts)


def compute_statistics(frame: pl.DataFrame, check: Callable[[], None]) -> Statistics:
    """Return the statistics of the records of ``frame``, no field of which has both columns and entries.

    The exceptions of ``check`` propagate.
    """
    groups = Groups(["data_source"])
    counts = np.bincount(groups.number(frame)).tolist()
    sources = {source: count for (source,), count in zip(groups.keys, counts, strict=True)}
    fields = compute_fields(frame, check)
    serials = Groups(["serial"])
    serials.number(frame)
    attempts: Fields | None
    if serials.count == 1:
        attempts = of_attempt(fields, *serials.keys[0])
    elif serials.count <= MOST_ATTEMPTS:
        attempts = compute_fields(frame, check, by_serial=True)
    else:
        attempts = None
    return Statistics(sources, fields, attempts)


def read_statistics(file: PartFile) -> Statistics:
    """Return the statistics of a part. Raises DamagedPartError."""
    return Statistics.parse(file.read_statistics())
