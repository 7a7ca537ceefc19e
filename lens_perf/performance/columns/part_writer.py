"""Collects frames of records into parts of limited size, and writes parts with their statistics."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import orjson
import polars as pl

from lens_perf.performance.columns.computed_stats import compute_fields
from lens_perf.performance.columns.field_columns import FIXED, REST, join, list_fields
from lens_perf.performance.columns.field_stats import FieldStats, merge_fields
from lens_perf.performance.columns.groups import Groups
from lens_perf.performance.columns.manifest import Part, SortKey, make_sort_key, parse_fields, write_fields
from lens_perf.performance.columns.part_files import PartFile, encode_part
from lens_perf.performance.columns.part_samples import build_samples
from lens_perf.performance.columns.rest import merge_rest
from lens_perf.performance.columns.stores import Store

MOST_RECORDS = 32_768
# The maximum of records times fields of a part, and of the bytes of its texts. A part is in memory while it is written.
MOST_CELLS = 1_000_000
MOST_TEXT_BYTES = 16 * 1024 * 1024
# With more attempts in a part, their statistics are not stored but computed on demand.
MOST_ATTEMPTS = 64


@dataclass(frozen=True)
class Statistics:
    """The statistics of the records of a part, or of all records.

    ``sources`` has the number of records by data source, ``fields`` the statistics by (data source, field), and
    ``attempts`` those by (data source, field, serial), None if there are too many attempts.
    """

    sources: Mapping[str | None, int] = field(default_factory=dict)
    fields: Mapping[tuple[Any, ...], FieldStats] = field(default_factory=dict)
    attempts: Mapping[tuple[Any, ...], FieldStats] | None = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the statistics as bytes for ``parse``."""
        attempts = None if self.attempts is None else write_fields(self.attempts)
        return orjson.dumps([list(self.sources.items()), write_fields(self.fields), attempts], default=tuple)

    @classmethod
    def parse(cls, content: bytes) -> "Statistics":
        """Return the statistics from the result of ``encode``."""
        sources, fields, attempts = orjson.loads(content)
        return cls(dict(sources), parse_fields(fields), None if attempts is None else parse_fields(attempts))


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
    attempts: dict[tuple[Any, ...], FieldStats] | None
    if serials.count == 1:
        attempts = {(*key, *serials.keys[0]): stats for key, stats in fields.items()}
    elif serials.count <= MOST_ATTEMPTS:
        attempts = compute_fields(frame, check, by_serial=True)
    else:
        attempts = None
    return Statistics(sources, fields, attempts)


class PartBuilder:
    """Joins frames into frames for parts, as large as possible, with their records in order.

    If a frame has records that are before some of the current part, they are put in order, unless all of them are
    before the part.
    """

    def __init__(self) -> None:
        self._hold()

    def _hold(self, *frames: pl.DataFrame) -> None:
        self._frames = list(frames)
        self._records = sum(map(len, frames))
        self._text_bytes = sum(map(_count_text_bytes, frames))
        self._fields = {name for frame in frames for name in list_fields(frame.columns)}

    def add(self, frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Add ``frame``; yield the records of a part that is complete."""
        frame = put_in_order([frame])
        order = self._compare(frame)
        if order < 0:
            yield from self.finish()
        text_bytes, fields = _count_text_bytes(frame), set(list_fields(frame.columns))
        if fits_part(self._records + len(frame), len(self._fields | fields), self._text_bytes + text_bytes):
            self._frames.append(frame)
            self._records += len(frame)
            self._text_bytes += text_bytes
            self._fields |= fields
        elif order == 0:
            end, records = self._records, put_in_order([*self._frames, frame])
            self._hold(drop_empty_columns(records.slice(end)))
            yield drop_empty_columns(records.slice(0, end))
        else:
            yield from self.finish()
            self._hold(frame)

    def _compare(self, frame: pl.DataFrame) -> int:
        """Return -1 if ``frame`` is before the part, 1 if it is after it, and 0 if their records are mixed."""
        first, last = get_bounds(frame)
        bounds = [get_bounds(each) for each in self._frames]
        if all(end < first for _, end in bounds):
            return 1
        return -1 if all(last < begin for begin, _ in bounds) else 0

    def finish(self) -> Iterator[pl.DataFrame]:
        """Yield the remaining records, if there are any."""
        if self._frames:
            frames = self._frames
            self._hold()
            yield put_in_order(frames)


def put_in_order(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the records of all ``frames`` in order of (created_at, id), NULL times last."""
    joined = join(frames)
    return joined if _is_in_order(joined) else joined.sort("created_at", "id", nulls_last=True)


def _is_in_order(frame: pl.DataFrame) -> bool:
    """Return whether the records are in order; always false if a record has no time."""
    times, ids = frame["created_at"], frame["id"].to_numpy()
    if times.has_nulls():
        return False
    created = times.to_numpy()
    is_later = created[1:] > created[:-1]
    return bool((is_later | ((created[1:] == created[:-1]) & (ids[1:] > ids[:-1]))).all())


def fits_part(records: int, fields: int, text_bytes: int) -> bool:
    """Return whether a part may have this many records, fields and bytes of texts."""
    return records <= MOST_RECORDS and records * fields <= MOST_CELLS and text_bytes <= MOST_TEXT_BYTES


def _count_text_bytes(frame: pl.DataFrame) -> int:
    """Return the approximate size of the texts and the entries of REST in bytes."""
    return sum(
        int(series.estimated_size())
        for series in frame.iter_columns()
        if series.dtype == pl.String or series.name == REST
    )


def split(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield the records of ``frame`` in halves until each frame fits in a part; each has only columns with values."""
    fields = len(list_fields(frame.columns))
    if fits_part(len(frame), fields, _count_text_bytes(frame)) or len(frame) == 1:
        yield frame
        return
    middle = len(frame) // 2
    for half in (frame.slice(0, middle), frame.slice(middle)):
        yield from split(drop_empty_columns(half))


def drop_empty_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """Return ``frame`` without columns of fields that have no values."""
    empty = [
        series.name
        for series in frame.iter_columns()
        if series.name not in FIXED
        and (series.null_count() == len(series) or (series.dtype == pl.Boolean and not series.any()))
    ]
    return frame.drop(empty)


def write_part(
    store: Store, frame: pl.DataFrame, check: Callable[[], None], statistics: Statistics | None = None
) -> tuple[Part, Statistics]:
    """Write a part with the records of ``frame``, which are in order, and of which all or none have a time.

    ``statistics`` are those of the records, if known. Raises OSError, ResultTooLargeError and the exceptions of
    ``check``.
    """
    frame = merge_rest(frame)
    statistics = statistics or compute_statistics(frame, check)
    name, size = store.write_part(encode_part(frame, statistics.encode(), *build_samples(frame, check)))
    first, last = get_bounds(frame)
    iterations = frame["iteration"].min(), frame["iteration"].max()
    part = Part(
        name=name,
        size=size,
        records=len(frame),
        fields=len(list_fields(frame.columns)),
        first=first,
        last=last,
        least_id=int(frame["id"].min()),  # type: ignore[arg-type]
        greatest_id=int(frame["id"].max()),  # type: ignore[arg-type]
        iterations=None if iterations[0] is None else iterations,  # type: ignore[arg-type]
    )
    return part, statistics


def get_sort_key(frame: pl.DataFrame, row: int) -> SortKey:
    """Return the sort key of the record in ``row``."""
    return make_sort_key(frame["created_at"][row], frame["id"][row])


def get_bounds(frame: pl.DataFrame) -> tuple[SortKey, SortKey]:
    """Return the sort keys of the first and the last record."""
    return get_sort_key(frame, 0), get_sort_key(frame, len(frame) - 1)


def read_statistics(file: PartFile) -> Statistics:
    """Return the statistics of a part. Raises DamagedPartError."""
    return Statistics.parse(file.read_statistics())
