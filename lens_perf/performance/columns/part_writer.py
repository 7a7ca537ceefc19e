"""Collects frames of records into parts of limited size, and writes parts with their statistics."""

from collections.abc import Callable, Iterator, Sequence

import polars as pl

from lens_perf.performance.columns.field_columns import FIXED, REST, join, list_fields
from lens_perf.performance.columns.manifest import Part, SortKey, make_sort_key
from lens_perf.performance.columns.part_files import encode_part
from lens_perf.performance.columns.part_statistics import Statistics, compute_statistics
from lens_perf.performance.columns.rest import merge_rest
from lens_perf.performance.columns.sample_builder import build_samples
from lens_perf.performance.columns.stores import Store

MOST_RECORDS = 32_768
# The maximum of records times fields of a part, and of the bytes of its texts. A part is in memory while it is written.
MOST_CELLS = 1_000_000
MOST_TEXT_BYTES = 16 * 1024 * 1024


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
