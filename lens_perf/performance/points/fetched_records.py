"""A few records read from the table, for previews and for changes since a cursor."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import cached_property
from typing import cast

import polars as pl

from lens_perf.performance.columns.computed_stats import compute_fields
from lens_perf.performance.columns.field_columns import FIXED, REST, Representation, join, list_fields
from lens_perf.performance.columns.field_stats import FieldStats
from lens_perf.performance.columns.record_reader import RecordReader
from lens_perf.performance.columns.rest import expand_rest, merge_rest, read_rest
from lens_perf.performance.columns.row_blocks import read_in_blocks
from lens_perf.performance.copy_interface import CopyPart
from lens_perf.performance.statements import RowSink


class FetchedRecords:
    """Records in memory with the interface of a copy; ``frame`` is in order of created_at and id."""

    def __init__(self, frame: pl.DataFrame, check: Callable[[], None]) -> None:
        self._frame = frame
        self._check = check
        self.records = frame.height

    @property
    def parts(self) -> Sequence[CopyPart]:
        """Empty: all records are in memory."""
        return ()

    @property
    def sources(self) -> Mapping[str | None, int]:
        """The number of records of each data source."""
        return dict(self._frame["data_source"].value_counts().iter_rows())

    @cached_property
    def fields(self) -> Mapping[tuple[str | None, str], FieldStats]:
        """The statistics of each field of each data source."""
        return cast("Mapping[tuple[str | None, str], FieldStats]", compute_fields(self._frame, self._check))

    @cached_property
    def names(self) -> Set[str]:
        """The fields of all data sources."""
        return {*list_fields(self._frame.columns), *read_rest(self._frame)["name"].to_list()}

    def read_attempts(self) -> Mapping[tuple[str | None, str, int | None], FieldStats]:
        """Return the statistics by data source, field and serial."""
        attempts = compute_fields(self._frame, self._check, by_serial=True)
        return cast("Mapping[tuple[str | None, str, int | None], FieldStats]", attempts)

    def blocks(
        self,
        fields: Sequence[str] | None,
        *,
        columns: Sequence[str] = tuple(FIXED),
        keep_entries: bool = False,
        only: Representation | None = None,  # noqa: ARG002 - everything is in memory
    ) -> Iterator[pl.DataFrame]:
        """Yield the records with ``columns`` and the columns of ``fields``, None for all."""
        wanted = set(list_fields(self._frame.columns) if fields is None else fields)
        frame = self._frame
        kept = {REST, *columns}
        own = [
            each
            for each in frame.iter_columns()
            if each.name in kept or (each.name not in FIXED and each.name[2:] in wanted)
        ]
        chosen = pl.DataFrame(own)
        yield from [chosen] if keep_entries else expand_rest(chosen, fields)


def fetch_records(
    copy_rows: Callable[[RowSink], None], most_fields: int, check: Callable[[], None], *, names: Sequence[str] = ()
) -> FetchedRecords:
    """Return the records whose rows ``copy_rows`` writes to a sink, as ``copy_records`` does.

    They have up to ``most_fields`` fields, including ``names``.

    Raises the exceptions of ``copy_rows`` and ``check``, and ClusterSaturatedError if no thread can be started.
    """
    reader = RecordReader(check, most_fields, names)
    frames: list[pl.DataFrame] = []
    with read_in_blocks(lambda block: frames.extend(reader.read(block))) as rows:
        copy_rows(rows)
    # A field can have entries in one frame and a column in another.
    return FetchedRecords(merge_rest(join(frames or [pl.DataFrame(schema=FIXED)])), check)
