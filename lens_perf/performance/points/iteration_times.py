"""Reads the earliest record of each iteration, or of each iteration and attempt, in order of iterations."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import polars as pl

from lens_perf.performance.blocks import RECORD_COLUMNS, Block, Reading, select_records
from lens_perf.performance.columns.field_columns import TEXT, VALUE
from lens_perf.performance.copy_interface import Copy
from lens_perf.performance.metric_fields import TARGET_ITERATION
from lens_perf.performance.points.by_iteration import LowestLater, order_by_iteration
from lens_perf.performance.selection import Selection

ITERATION, TARGET = "iteration", TARGET_ITERATION
FIELDS = (ITERATION, TARGET)


def read_iteration_times(
    copy: Copy,
    reading: Reading,
    add_axis: Callable[[pl.DataFrame], pl.DataFrame] = lambda frame: frame,
    fields: Sequence[str] = (),
    *,
    by_serial: bool = False,
) -> Iterator[Block]:
    """Yield the earliest record of each iteration, by iteration, with its iteration and target as the fields FIELDS.

    The earliest is the first by (created_at, id). With ``by_serial``, it is the earliest of each iteration and attempt,
    by iteration and serial. The ranges of ``reading`` select among these records. ``add_axis`` adds columns; it gets
    all records of the workload in order of time, with ``fields``. Raises DamagedPartError.
    """
    keys = ["iteration", "serial"] if by_serial else ["iteration"]

    def keep_earliest(frame: pl.DataFrame) -> pl.DataFrame:
        iterations = frame["iteration"].to_numpy()
        if (iterations[1:] > iterations[:-1]).all():
            return frame
        return frame.unique(keys, keep="first", maintain_order=True).sort(keys, nulls_last=True)

    of_source = replace(reading, selection=Selection(reading.selection.workload_uid, reading.selection.data_source))
    in_ranges = select_records(replace(reading.selection, data_source=None))
    later = LowestLater(copy, of_source)
    for frame in order_by_iteration(_list_records(copy, of_source, add_axis, fields), later, keep_earliest):
        kept = frame if in_ranges is None else frame.filter(in_ranges)
        if kept.height:
            yield Block(kept.hstack([kept["iteration"].cast(pl.Int64).alias(VALUE + ITERATION)]))


def _list_records(
    copy: Copy, reading: Reading, add_axis: Callable[[pl.DataFrame], pl.DataFrame], fields: Sequence[str]
) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield the records that have an iteration, and the number of all records up to their end."""
    condition = select_records(reading.selection, reading.serials)
    records = 0
    for frame in copy.blocks(list(dict.fromkeys([TARGET, *fields])), columns=RECORD_COLUMNS):
        reading.check()
        records += frame.height
        block = Block(frame)
        value, text = block.read_values(TARGET).alias(VALUE + TARGET), block.read_texts(TARGET).alias(TEXT + TARGET)
        added = [column for column in add_axis(frame).iter_columns() if column.name not in frame.columns]
        extended = pl.DataFrame([*(frame[name] for name in RECORD_COLUMNS), *added, value, text])
        kept = extended.drop_nulls("iteration") if extended["iteration"].has_nulls() else extended
        yield records, kept if condition is None else kept.filter(condition)
