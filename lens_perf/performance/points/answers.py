"""Answers queries for data points from a columnar copy, in constant memory."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any

from lens_perf.performance.blocks import Block, Reading, list_fields, read_blocks
from lens_perf.performance.copy_interface import Copy
from lens_perf.performance.points.iteration_times import FIELDS as ITERATION_TIMES
from lens_perf.performance.points.iteration_times import read_iteration_times
from lens_perf.performance.points.point_count import PointCount
from lens_perf.performance.points.query import WIDE, PointQuery, Sampling
from lens_perf.performance.points.spool import PointBody, Spool
from lens_perf.performance.points.wide import WideWriter
from lens_perf.performance.points.wide_rows import RecordRows, TimeRows, WideRows
from lens_perf.performance.points.writers import Writer, list_extra, open_wide_writer, open_writer
from lens_perf.performance.sampling.axes import AXES, AddAxis, AlongMetric, AlongRelativeTime
from lens_perf.performance.sampling.copy_sampling import sample_parts
from lens_perf.performance.sampling.sampler import Sampler

AnyWriter = Writer | WideWriter


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
    """Return the body of the answer to ``query``.

    ``extra`` are fields of the response, which some encodings leave out. ``check`` is called regularly; its exceptions
    end the reading. Raises ResultTooLargeError and DamagedPartError.
    """
    # An earlier attempt may have failed at a damaged part.
    spool.restart()
    count.restart()
    reading = Reading(query.selection, query.serials, query.non_finite, check)
    writer: AnyWriter
    if query.encoding in WIDE:
        writer = open_wide_writer(query, spool, count)
    else:
        writer = open_writer(query, spool, count, memory_bytes, extra)
    if query.sampling is None:
        _write_all(copy, query, reading, writer)
        return writer.finish(extra)
    sampling = _write_sampled(copy, query, query.sampling, reading, writer)
    return replace(writer.finish({"sampling": sampling, **extra}), sampling=sampling)


def _write_all(copy: Copy, query: PointQuery, reading: Reading, writer: AnyWriter) -> None:
    if isinstance(writer, WideWriter):
        writer.write_rows(_make_rows(copy, query, reading, writer.count))
        return
    if query.kind == "iteration-times":
        times = read_iteration_times(copy, reading, by_serial=query.by_serial)
        writer.write_blocks(times, ITERATION_TIMES)
        return
    fields = list_fields(copy, query.metrics, query.selection.data_source)
    writer.count.expect(count_known(copy, query, fields))
    writer.write_blocks(read_blocks(copy, fields, reading, only=writer.reads), fields)


def _make_rows(copy: Copy, query: PointQuery, reading: Reading, count: PointCount) -> WideRows:
    if query.kind == "iteration-times":
        return TimeRows(copy, reading, list_extra(query), by_serial=query.by_serial)
    fields = list_fields(copy, query.metrics, query.selection.data_source)
    is_sample = query.sampling is not None
    return RecordRows(copy, reading, fields, count, by_serial=query.has_serial, is_sample=is_sample)


def count_known(copy: Copy, query: PointQuery, fields: Sequence[str]) -> int:
    """Return the number of data points if the statistics of a stored copy contain it; 0 with ranges or attempts."""
    selection = query.selection
    if not copy.parts or selection.time_range is not None or selection.iteration_range is not None or query.serials:
        return 0
    wanted = set(fields)
    return sum(
        stats.count + (stats.non_finite if query.non_finite else 0)
        for (source, field), stats in copy.fields.items()
        if field in wanted and selection.data_source in {None, source}
    )


def _write_sampled(
    copy: Copy, query: PointQuery, sampling: Sampling, reading: Reading, writer: AnyWriter
) -> dict[str, Any]:
    if sampling.method == "stride":
        _write_all(copy, query, reading, writer)
        return {"method": "stride", "points_total": None, "points_returned": writer.count.value}
    source = query.selection.data_source
    records = copy.records if source is None else copy.sources.get(source, 0)
    if records <= sampling.max_points and sampling.axis in AXES:
        _write_all(copy, query, reading, writer)
        return {"method": "none", "points_total": writer.count.value, "points_returned": writer.count.value}
    is_times = query.kind == "iteration-times"
    fields = list(ITERATION_TIMES) if is_times else list_fields(copy, query.metrics, source)

    def make_sampler() -> Sampler:
        return Sampler(
            fields,
            sampling.max_points,
            non_finite=query.non_finite,
            by_source=not is_times,
            by_serial=query.by_serial,
        )

    if sampling.axis in AXES and copy.parts and not is_times:
        sampler = sample_parts(copy, fields, reading, sampling.axis, make_sampler)
    else:
        sampler = make_sampler()
        for block in _read_with_axis(copy, query, sampling, reading, fields):
            sampler.add(block)
    writer.write_points(sampler.finish(), fields)
    width = sampler.bucket_width if sampler.bucket_width < inf else None
    counts = {"points_total": sampler.total, "points_returned": writer.count.value}
    return {"method": "m4", **counts, "bucket_width": width}


def _read_with_axis(
    copy: Copy, query: PointQuery, sampling: Sampling, reading: Reading, fields: Sequence[str]
) -> Iterable[Block]:
    """Yield the selected records with their values on the axis."""
    add_axis = _choose_axis(query, sampling)
    axis = [add_axis.name] if isinstance(add_axis, AlongMetric) else []
    if query.kind == "iteration-times":
        return read_iteration_times(copy, reading, add_axis, axis, by_serial=query.by_serial)
    # The metric of the axis must be a column, not entries.
    return read_blocks(copy, list(dict.fromkeys([*fields, *axis])), reading, add_axis, keep_entries=not axis)


def _choose_axis(query: PointQuery, sampling: Sampling) -> AddAxis:
    if sampling.axis == "metric":
        return AlongMetric(str(sampling.axis_metric))
    if sampling.axis == "relative_time":
        return AlongRelativeTime(by_serial=query.by_serial)
    return AXES[sampling.axis]
