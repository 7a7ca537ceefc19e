"""The interface to the source of a copy: the records of a workload in a table, read in snapshots."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from lens_perf.performance.freshness.pairs import Pairs
from lens_perf.performance.statements import RowSink


@dataclass(frozen=True)
class Changes:
    """The changes between a checkpoint and a snapshot.

    - ``checkpoint``: an opaque text, from which the next search for changes begins.
    - ``unchanged``: no record has changed; only ``checkpoint`` and ``compared_all`` have a meaning.
    - ``reset``: there is no checkpoint, or the table has another history; all records must be read.
    - ``ids``: the records that are or may be new. The copy replaces those that it already has, and removes those that
      the snapshot does not have.
    - ``pairs``: ``ids`` has all records of these pairs; the copy removes all others of them.
    - ``must_compare_ids``: other records may have been removed, which only a comparison of all ids finds.
    - ``compared_all``: all records of a large workload were searched; keeping ``checkpoint`` saves repeating that.
    - ``records``: the number of records in the snapshot, None if unknown.
    """

    checkpoint: str
    reset: bool = False
    unchanged: bool = False
    ids: Sequence[int] = field(default=())
    pairs: Pairs = field(default_factory=Pairs)
    must_compare_ids: bool = False
    compared_all: bool = False
    records: int | None = None


class SourceSnapshot(Protocol):
    """A snapshot of the workload's records. Methods raise LensError, which waiting requests also raise."""

    def find_changes(self, checkpoint: str | None, *, compare: bool = False) -> Changes:
        """Return the changes since ``checkpoint``, which is None if there is no copy yet.

        With ``compare``, they include all updates and deletions, which are otherwise searched for from time to time.
        """

    def observe(self) -> None:
        """Let the reader of the copy, which has the state of the snapshot, read more in it."""

    def has_records(self) -> bool:
        """Return whether the workload has records."""

    def copy_records(self, ids: Sequence[int] | None, sink: RowSink) -> None:
        """Copy the records with ``ids``, None for all, in order of (created_at, id), NULL times last.

        They are rows of a binary COPY for ``binary_rows``: id, created_at, iteration, serial, data_source and
        performance.
        """

    def copy_stored_records(self, sink: RowSink) -> None:
        """Copy all records, as ``copy_records`` does, but in the order in which they are stored."""

    def list_ids(self) -> bytes:
        """Return the ids of all records, as native int64 in any order."""


class Source(Protocol):
    """The records of a workload. Several threads use it, even after the request that created it has ended."""

    def open_snapshot(self, deadline: float, *, heavy: bool) -> AbstractContextManager[SourceSnapshot]:
        """Open a snapshot for use in one thread until ``deadline``, a time of ``time.monotonic``.

        ``heavy`` means that all records may be read, which requires a slot for heavy reads. Raises LensError.
        """
