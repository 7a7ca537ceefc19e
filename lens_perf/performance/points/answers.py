"""Answers a query for data points from a columnar copy, in the encoding asked for and in flat memory."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import polars as pl

from lens_perf.performance.blocks import Block, Copy, Reading, list_fields, read_blocks
from lens_perf.performance.points.iteration_times import FIELDS as ITERATION_TIMES
from lens_perf.performance.points.iteration_times import read_iteration_times
from lens_perf.performance.points.parquet_writer import ParquetWriter
from lens_perf.performance.points.point_count import PointCount
from lens_perf.performance.points.query import PointQuery, Sampling
from lens_perf.performance.points.series_writer import SeriesWriter
from lens_perf.performance.points.spool import PointBody, Spool
from lens_perf.performance.points.text_encodings import CSV, JSON, NDJSON
from lens_perf.performance.points.text_writer import TextWriter
from lens_perf.performance.points.wide import WideTable, write_wide_csv, write_wide_parquet
from lens_perf.performance.sampling.axes import (
    AlongMetric,
    AlongRelativeTime,
    Place,
    along_iterations,
    along_time,
)
from lens_perf.performance.sampling.sampler import Sampler

TEXT_ENCODINGS = {"json": JSON, "ndjson": NDJSON, "csv": CSV}


class Writer(Protocol):
    """Writes a body out of data points."""

    count: PointCount

    def write_blocks(self, blocks: Iterable[Block], fields: Sequence[str], /) -> None:
        """Write the data points of ``fields`` in ``blocks``, record by record."""

    def write_points(self, points: Iterable[pl.DataFrame], fields: Sequence[str], /) -> None:
        """Write the points of frames such as ``list_points`` returns, with a column ``value``."""

    def finish(self, extra: Mapping[str, Any], /) -> PointBody:
        """Complete the body, with the fields ``extra`` if it has a place for them, and return it."""


def open_writer(query: PointQuery, spool: Spool, count: PointCount, memory_bytes: int) -> Writer:
    """Return what writes the points of ``query``, unless they are to be a wide table, in its encoding."""
    selection, split = query.selection, query.split == "serial"
    labels = {"workload_uid": selection.workload_uid}
    if selection.data_source is not None:
        labels["data_source"] = selection.data_source
    extra = ["serial"] if query.include_serial or split else []
    if query.sampling is not None and query.sampling.axis in {"relative_time", "metric"}:
        extra.append("axis_value")
    if query.encoding == "columns":
        return SeriesWriter(labels, spool, count, memory_bytes, extra=extra, split=split)
    if query.encoding == "parquet":
        return ParquetWriter(spool, count, extra=extra)
    return TextWriter(TEXT_ENCODINGS[query.encoding], labels, spool, count, extra=extra)


def answer_from_copy(
    copy: Copy,
    query: PointQuery,
    spool: Spool,
    count: PointCount,
    *,
    memory_bytes: int,
    check: Callable[[], None],
    extra: Mapping[str, Any],
) -> PointBody:
    """Return the body of the answer to ``query``; ``extra`` are fields that it is to have, where it has a place for them.

    ``check`` is called often, and may raise. Raises ResultTooLargeError.
    """
    reading = Reading(query.selection, query.serials, query.non_finite, check)
    if query.encoding == "wide-csv" or query.encoding == "wide-parquet":
        fields = list(ITERATION_TIMES) if query.kind == "iteration-times" else list_fields(copy, query.metrics)
        table = WideTable(copy, reading, fields, by_serial=query.include_serial)
        write = write_wide_csv if query.encoding == "wide-csv" else write_wide_parquet
        return write(table, spool, count)
    writer = open_writer(query, spool, count, memory_bytes)
    if query.sampling is None:
        _write_all(copy, query, reading, writer)
        return writer.finish(extra)
    return writer.finish({"sampling": _write_sampled(copy, query, query.sampling, reading, writer), **extra})


def _write_all(copy: Copy, query: PointQuery, reading: Reading, writer: Writer) -> None:
    if query.kind == "iteration-times":
        writer.write_blocks(read_iteration_times(copy, reading), ITERATION_TIMES)
        return
    fields = list_fields(copy, query.metrics)
    writer.count.expect(count_known(copy, query, fields))
    writer.write_blocks(read_blocks(copy, fields, reading), fields)


def count_known(copy: Copy, query: PointQuery, fields: Sequence[str]) -> int:
    """Return the number of data points where the copy knows it without reading: 0 where ranges or attempts choose."""
    selection = query.selection
    if selection.time_range is not None or selection.iteration_range is not None or query.serials:
        return 0
    wanted = set(fields)
    return sum(
        stats.count + (stats.non_finite if query.non_finite else 0)
        for (source, field), stats in copy.fields.items()
        if field in wanted and selection.data_source in {None, source}
    )


def _write_sampled(
    copy: Copy, query: PointQuery, sampling: Sampling, reading: Reading, writer: Writer
) -> dict[str, Any]:
    place = _choose_axis(query, sampling)
    source = query.selection.data_source
    records = copy.records if source is None else copy.sources.get(source, 0)
    if records <= sampling.max_points and sampling.axis in {"iteration", "time"}:
        _write_all(copy, query, reading, writer)
        return {"method": "none", "points_total": writer.count.value, "points_returned": writer.count.value}
    is_times = query.kind == "iteration-times"
    fields = list(ITERATION_TIMES) if is_times else list_fields(copy, query.metrics)
    sampler = Sampler(
        fields,
        sampling.max_points,
        non_finite=query.non_finite,
        by_source=not is_times,
        by_serial=query.split == "serial",
    )
    axis = [place.name] if isinstance(place, AlongMetric) else []
    if is_times:
        blocks = read_iteration_times(copy, reading, place, axis)
    else:
        blocks = read_blocks(copy, list(dict.fromkeys([*fields, *axis])), reading, place)
    for block in blocks:
        sampler.take(block)
    writer.write_points([sampler.finish()], fields)
    return {"method": "m4", "points_total": sampler.total, "points_returned": writer.count.value}


def _choose_axis(query: PointQuery, sampling: Sampling) -> Place:
    if sampling.axis == "metric":
        return AlongMetric(str(sampling.axis_metric))
    if sampling.axis == "relative_time":
        return AlongRelativeTime(split=query.split == "serial")
    return along_time if sampling.axis == "time" else along_iterations
