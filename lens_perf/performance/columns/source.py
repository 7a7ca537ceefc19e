"""What a copy is built from: the records of one workload in a table, read in one snapshot at a time."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from lens_perf.performance.freshness.pairs import Pairs
from lens_perf.performance.statements import RowSink


@dataclass(frozen=True)
class Changes:
    """What differs between a snapshot and a checkpoint.

    ``unchanged``: nothing. ``reset``: the copy has another history, or there is no checkpoint; all has to be read.
    Else ``ids`` are the records that are new, or may be: those that the copy has already are replaced, and those that
    are gone are removed. Of ``pairs``, ``ids`` are all records: what else the copy has of them is gone. With
    ``must_compare_ids`` there may be more removals. ``checkpoint`` is the opaque text that the next search begins from;
    ``records`` is the number of records now, if it is known.
    """

    checkpoint: str
    reset: bool = False
    unchanged: bool = False
    ids: Sequence[int] = field(default=())
    pairs: Pairs = field(default_factory=Pairs)
    must_compare_ids: bool = False
    records: int | None = None


class SourceSnapshot(Protocol):
    """One snapshot of the workload's records. Any LensError ends the refresh and reaches who waits for it."""

    def find_changes(self, checkpoint: str | None) -> Changes:
        """Return what has changed since ``checkpoint``; None means that there is no copy."""

    def copy_records(self, ids: Sequence[int] | None, sink: RowSink) -> None:
        """Copy the records with ``ids``, or all for None, in the order of created_at and id, NULL times last.

        As rows of a binary COPY, which ``binary_rows`` reads: id, created_at, iteration, serial, data_source and
        performance.
        """

    def list_ids(self) -> bytes:
        """Return the ids of all records, as native int64 in any order."""


class Source(Protocol):
    """Where the records of one workload are. It is used by several threads, also after the request that brought it."""

    def open_snapshot(self, deadline: float, *, heavy: bool) -> AbstractContextManager[SourceSnapshot]:
        """Open a snapshot for use in one thread until ``deadline``, a time of ``time.monotonic``.

        ``heavy`` says that all records are going to be read, which takes a slot of those reads.
        """
