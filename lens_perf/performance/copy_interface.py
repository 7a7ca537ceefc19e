"""What answers need of the records of a workload, whether a stored copy has them or memory does."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import polars as pl

from lens_perf.performance.columns.field_stats import FieldStats


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

    def read_attempts(self) -> Mapping[tuple[str | None, str, int | None], FieldStats]:
        """Return the statistics by data source, field and serial."""

    def blocks(self, fields: Sequence[str] | None, *, columns: Sequence[str] = ...) -> Iterator[pl.DataFrame]:
        """Yield the records, a block at a time, with ``columns`` and those of ``fields``, None for all."""
