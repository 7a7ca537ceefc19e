"""The interface of the source of a copy: the records of one workload in a table, read in snapshots."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from lens_perf.performance.freshness.pairs import Pairs
from lens_perf.performance.statements import RowSink


@dataclass(frozen=True)
class Changes:
    """The changes between a checkpoint and a snapshot.

    - ``checkpoint``: the opaque text from which the next search for changes begins.
    - ``unchanged``: no record has changed; the other fields have no meaning.
    - ``reset``: there is no checkpoint, or the table has another history; all records have to be read.
    - ``ids``: the records that are new or may be new. Those that the copy already has are replaced. Those that the
      snapshot does not have are removed.
    - ``pairs``: ``ids`` has all records of these pairs; the copy has to remove any others that it has of them.
    - ``must_compare_ids``: more records may have been removed, which only a comparison of all ids finds.
    - ``records``: the number of records in the snapshot, None if unknown.
    """

    checkpoint: str
    reset: bool = False
    unchanged: bool = False
    ids: Sequence[int] = field(default=())
    pairs: Pairs = field(default_factory=Pairs)
    must_compare_ids: bool = False
    records: int | None = None


class SourceSnapshot(Protocol):
    """One snapshot of the workload's records. Any LensError ends the refresh and is raised in all waiting requests."""

    def find_changes(self, checkpoint: str | None) -> Changes:
        """Return the changes since ``checkpoint``, None for a copy that does not exist yet."""

    def copy_records(self, ids: Sequence[int] | None, sink: RowSink) -> None:
        """Copy the records with ``ids``, or all for None, in the order of created_at and id, NULL times last.

        As rows of a binary COPY, which ``binary_rows`` reads: id, created_at, iteration, serial, data_source and
        performance.
        """

    def list_ids(self) -> bytes:
        """Return the ids of all records, as native int64 in any order."""


class Source(Protocol):
    """The records of one workload. Several threads use it, also after the request that created it has ended."""

    def open_snapshot(self, deadline: float, *, heavy: bool) -> AbstractContextManager[SourceSnapshot]:
        """Open a snapshot for use in one thread until ``deadline``, a time of ``time.monotonic``.

        ``heavy`` says that all records are going to be read, which needs a heavy-read slot.
        """
