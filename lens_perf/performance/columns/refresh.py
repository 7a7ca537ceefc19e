"""Brings a copy up to date with a snapshot of its source. Refreshes are idempotent."""

import secrets
import time
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from lens_perf.performance.columns.changed_records import find_identical
from lens_perf.performance.columns.manifest import MOST_NAMES_LEFT_OUT, CopyKey, Manifest
from lens_perf.performance.columns.part_files import DamagedPartError
from lens_perf.performance.columns.part_list import Ids, PartList
from lens_perf.performance.columns.part_statistics import Statistics, merge_statistics, read_statistics
from lens_perf.performance.columns.part_writer import PartBuilder
from lens_perf.performance.columns.record_reader import RecordReader
from lens_perf.performance.columns.row_blocks import RowBlocks, read_in_blocks
from lens_perf.performance.columns.source import Changes, SourceSnapshot
from lens_perf.performance.columns.stores import Store
from lens_perf.performance.stages import Stage

# The parts that a build may write again because records read later belong in them: a number, and a share of all.
MOST_REWRITTEN, REWRITTEN_SHARE = 4, 0.25


class OutOfOrderError(Exception):
    """The stored order of the records differs too much from the order of their times."""


@dataclass(frozen=True)
class Refresher:
    """Refreshes the copy ``key`` in ``store``, whose lock the caller holds.

    ``check`` is called regularly. If it raises an exception, the refresh ends, and the copy is unchanged. Up to
    ``most_fields`` fields are read, including ``known_fields`` in a new copy.
    """

    store: Store
    key: CopyKey
    most_fields: int
    check: Callable[[], None]
    known_fields: Set[str] = frozenset()

    def refresh(
        self, snapshot: SourceSnapshot, known: Manifest | None, changes: Changes, *, as_stored: bool = False
    ) -> Manifest:
        """Apply ``changes`` since the checkpoint of ``known``; publish and return the new manifest.

        With ``as_stored``, if all records must be read, PostgreSQL does not sort them. Then this raises OutOfOrderError
        if too many parts would be written several times. Also raises OSError, ResultTooLargeError, DamagedPartError,
        and the exceptions of the source and of ``check``.
        """
        before = None if changes.reset else known
        work = _Work(self, before, changes.records)
        try:
            if before is None and as_stored:
                work.copy_stored(snapshot)
            elif before is None:
                work.copy(snapshot, None)
            else:
                work.apply(snapshot, changes)
            manifest = work.finish(known, changes.checkpoint)
            self.store.publish(manifest)
        except BaseException:
            self.store.discard(work.parts.written)
            raise
        return manifest


class _Work:
    """One refresh: the parts that change, and whether anything has changed."""

    def __init__(self, refresher: Refresher, before: Manifest | None, records: int | None) -> None:
        self._refresher = refresher
        self._before = before
        self._records = records
        self.parts = PartList(refresher.store, before.parts if before else (), refresher.check)
        known = before.names if before else refresher.known_fields
        # A field that was left out of earlier records must not appear with the values of later ones alone.
        most = len(known) if before and before.left_out else refresher.most_fields
        self._reader = RecordReader(refresher.check, most, known)
        self._builder = PartBuilder()
        self._ids_read: list[Ids] = []
        self._has_changed = before is None
        self._rows = 0

    def copy(self, snapshot: SourceSnapshot, ids: Sequence[int] | None) -> None:
        """Insert the records with ``ids``, None for all; replace those that the copy has with other values."""
        self._copy(lambda rows: snapshot.copy_records(ids, rows), self._insert)

    def copy_stored(self, snapshot: SourceSnapshot) -> None:
        """Insert all records in the order in which they are stored. Raises OutOfOrderError."""
        self._copy(snapshot.copy_stored_records, self._insert_stored)

    def _copy(self, copy_rows: Callable[[RowBlocks], None], insert: Callable[[pl.DataFrame], None]) -> None:
        with Stage(insert) as parts:
            with read_in_blocks(lambda block: self._read(block, parts)) as rows:
                copy_rows(rows)
            for frame in self._builder.finish():
                parts.process_here(frame)

    def _read(self, block: list[bytes], parts: Stage[pl.DataFrame]) -> None:
        for frame in self._reader.read(block):
            for whole in self._builder.add(frame):
                parts.put(whole)
            self._rows += len(frame)
        if self._records:
            self._refresher.store.write_progress(min(1.0, self._rows / self._records))

    def _insert(self, frame: pl.DataFrame) -> None:
        if self._before is not None:
            ids = np.sort(frame["id"].to_numpy())
            self._ids_read.append(ids)
            identical = find_identical(self.parts, frame, ids)
            if len(identical):
                frame = frame.filter(~np.isin(frame["id"].to_numpy(), identical))
            self._remove(np.setdiff1d(ids, identical))
        if len(frame):
            self._has_changed = True
            self.parts.insert(frame, merge_before=self._before is not None)

    def _insert_stored(self, frame: pl.DataFrame) -> None:
        self._insert(frame)
        if self.parts.rewritten > MOST_REWRITTEN + REWRITTEN_SHARE * len(self.parts.parts):
            raise OutOfOrderError

    def apply(self, snapshot: SourceSnapshot, changes: Changes) -> None:
        """Insert the new records, and remove those that no longer exist."""
        ids = np.unique(np.asarray(changes.ids, dtype=np.int64))
        # Before the new records of these pairs are inserted: they need not be searched.
        self._remove(np.setdiff1d(self.parts.list_of_pairs(changes.pairs), ids))
        if len(ids):
            self.copy(snapshot, ids.tolist())
        self._remove(np.setdiff1d(ids, np.concatenate([*self._ids_read, ids[:0]])))
        if changes.must_compare_ids:
            present = np.sort(np.frombuffer(snapshot.list_ids(), dtype=np.int64))
            self._remove(self.parts.list_missing(present))
            if sum(part.records for part in self.parts.parts) != len(present):
                # The changes do not explain the difference: the copy belongs to another history.
                raise DamagedPartError

    def _remove(self, ids: Ids) -> None:
        self._has_changed |= self.parts.remove(ids)

    def finish(self, known: Manifest | None, checkpoint: str) -> Manifest:
        """Return the manifest of the new state, the next one after ``known``."""
        before = self._before
        if before is not None and not self._has_changed:
            return replace(before, checkpoint=checkpoint, written_at=time.time())
        generation = known.generation + 1 if known else 1
        statistics = self._merge()
        left_out = {*(before.left_out if before else ()), *self._reader.left_out}
        return Manifest(
            key=self._refresher.key,
            history=before.history if before else secrets.token_hex(8),
            generation=generation,
            checkpoint=checkpoint,
            parts=self.parts.parts,
            sources=statistics.sources,
            fields=statistics.fields,
            left_out=sorted(left_out)[:MOST_NAMES_LEFT_OUT],
            most_fields=before.most_fields if before and before.left_out else self._refresher.most_fields,
            written_at=time.time(),
        )

    def _merge(self) -> Statistics:
        """Return the statistics of all records. If records were only appended, those of other parts are not read."""
        if self.parts.appended is not None:
            before = [Statistics(self._before.sources, self._before.fields)] if self._before else []
            return merge_statistics([*before, *self.parts.appended])
        return merge_statistics(read_statistics(self.parts.open(part)) for part in self.parts.parts)
