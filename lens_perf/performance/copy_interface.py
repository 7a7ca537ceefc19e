"""The interface of a workload's records, in a stored copy or in memory."""

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Protocol

import polars as pl

from lens_perf.performance.columns.field_columns import Representation
from lens_perf.performance.columns.field_stats import FieldStats
from lens_perf.performance.columns.part_samples import PartSamples


class CopyPart(Protocol):
    """Some consecutive records, read on demand."""

    @property
    def records(self) -> int:
        """The number of records."""

    @property
    def iterations(self) -> tuple[int, int] | None:
        """The lowest and the highest iteration, None if no record has one."""

    @property
    def times(self) -> tuple[int, int] | None:
        """The times of the first and the last record in microseconds since 2000, None if no record has a time."""

    @property
    def samples(self) -> PartSamples:
        """The description of the samples of its records."""

    def has_entries(self, fields: Sequence[str]) -> bool:
        """Return whether any of ``fields`` may have entries in REST; such fields are not in the samples."""

    def read_sample(self, level: int, first: int, last: int) -> pl.DataFrame:
        """Return the points of a sample, at least those of the fields from ``first`` to ``last``.

        ``level`` is its index in ``samples.levels``; the fields are indices into ``samples.counts``.
        """

    def read(self, fields: Sequence[str] | None, columns: Sequence[str]) -> pl.DataFrame:
        """Return the records with ``columns`` and the columns of ``fields``, None for all; see ``columns.rest``."""


class Copy(Protocol):
    """Records in the order of created_at and id, NULL times last, and statistics about them."""

    @property
    def records(self) -> int:
        """The number of records."""

    @property
    def sources(self) -> Mapping[str | None, int]:
        """The number of records of each data source."""

    @property
    def fields(self) -> Mapping[tuple[str | None, str], FieldStats]:
        """The statistics of each field of each data source."""

    @property
    def names(self) -> Set[str]:
        """The fields of all data sources."""

    @property
    def parts(self) -> Sequence[CopyPart]:
        """The parts of the records, in order; empty where all records are in memory."""

    def read_attempts(self) -> Mapping[tuple[str | None, str, int | None], FieldStats]:
        """Return the statistics by data source, field and serial."""

    def blocks(
        self,
        fields: Sequence[str] | None,
        *,
        columns: Sequence[str] = ...,
        keep_entries: bool = False,
        only: Representation | None = None,
    ) -> Iterator[pl.DataFrame]:
        """Yield the records block by block, with ``columns`` and the columns of ``fields``, None for all.

        With ``keep_entries``, fields that few records have may be in REST instead of columns. With ``only="text"``, a
        field that has a column of texts may lack its column of values, and with ``only="value"`` its column of texts.
        """
