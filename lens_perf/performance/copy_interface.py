"""What is needed of an opened columnar copy and of the statistics that it keeps."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import polars as pl


class Where(Protocol):
    """Where a record is."""

    @property
    def iteration(self) -> int | None:
        """Its iteration."""

    @property
    def created_us(self) -> int | None:
        """Its time in microseconds since 2000-01-01."""


class Point(Where, Protocol):
    """A data point."""

    @property
    def text(self) -> str:
        """The JSON text of its value."""


class Stats(Protocol):
    """What a copy knows of a field of a data source, or of an attempt in one."""

    @property
    def count(self) -> int:
        """The number of data points."""

    @property
    def non_finite(self) -> int:
        """The number of texts for NaN and infinity."""

    @property
    def first(self) -> Point | None:
        """The first data point by (created_at, id)."""

    @property
    def last(self) -> Point | None:
        """The last one."""

    @property
    def least(self) -> Point | None:
        """The first of those with the least value."""

    @property
    def greatest(self) -> Point | None:
        """The first of those with the greatest value."""

    @property
    def non_finite_since(self) -> Where | None:
        """The first record of the trailing run of NaN and infinity, if the last value is one."""


class Copy(Protocol):
    """What is needed of an opened columnar copy."""

    @property
    def records(self) -> int:
        """The number of records."""

    @property
    def sources(self) -> Mapping[str | None, int]:
        """The number of records of each data source."""

    @property
    def fields(self) -> Mapping[tuple[str | None, str], Stats]:
        """What is known of each field of each data source."""

    def read_attempts(self) -> Mapping[tuple[str | None, str, int | None], Stats]:
        """Return what is known of each field of each attempt of each data source."""

    def blocks(self, fields: Sequence[str] | None, *, columns: Sequence[str] = ...) -> Iterator[pl.DataFrame]:
        """Yield the records in order of (created_at, id), a block at a time."""
