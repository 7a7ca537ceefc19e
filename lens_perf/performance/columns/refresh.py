"""Brings a copy up to date with one snapshot of its source; to apply the same changes twice changes nothing."""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from lens_perf.performance.columns.changed_records import find_identical
from lens_perf.performance.columns.manifest import MOST_NAMES_LEFT_OUT, CopyKey, Manifest
from lens_perf.performance.columns.part_files import DamagedPartError
from lens_perf.performance.columns.part_list import Ids, PartList
from lens_perf.performance.columns.part_writer import PartBuilder, Statistics, merge_statistics, read_statistics
from lens_perf.performance.columns.record_reader import RecordReader
from lens_perf.performance.columns.row_blocks import read_in_blocks
from lens_perf.performance.columns.source import Changes, SourceSnapshot
from lens_perf.performance.columns.stages import Stage
from lens_perf.performance.columns.stores import Store


@dataclass(frozen=True)
class Refresher:
    """Refreshes the copy ``key`` in ``store``, which the caller holds.

    ``check`` is called again and again; what it raises ends the refresh and leaves the copy as it was.
    """

    store: Store
    key: CopyKey
    most_fields: int
    check: Callable[[], None]

    def refresh(self, snapshot: SourceSnapshot, known: Manifest | None, changes: Changes) -> Manifest:
        """Return the manifest after ``changes``, found since the checkpoint of ``known``, and publish it.

        Raises OSError, DamagedPartError, and what the source and ``check`` raise.
        """
        before = None if changes.reset else known
        work = _Work(self, before, changes.records)
        try:
            if before is None:
                work.copy(snapshot, None)
            else:
                work.apply(snapshot, changes)
            manifest = work.finish(known, changes.checkpoint)
            self.store.publish(manifest)
        except BaseException:
            kept = {part.name for part in known.parts} if known else set()
            self.store.discard([name for name in work.parts.written if name not in kept])
            raise
        return manifest


class _Work:
    """One refresh: the parts as they change, and whether they do."""

    def __init__(self, refresher: Refresher, before: Manifest | None, records: int | None) -> None:
        self._refresher = refresher
        self._before = before
        self._records = records
        self.parts = PartList(refresher.store, before.parts if before else (), refresher.check)
        known = {name for _, name in before.fields} if before else set()
        self._reader = RecordReader(refresher.check, refresher.most_fields, known)
        self._builder = PartBuilder()
        self._seen: list[Ids] = []
        self._has_changed = before is None
        self._rows = 0

    def copy(self, snapshot: SourceSnapshot, ids: Sequence[int] | None) -> None:
        """Put in the records with ``ids``, or all; of those that are there already, the ones that differ."""
        with Stage(self._put) as parts:
            with read_in_blocks(lambda block: self._read(block, parts)) as rows:
                snapshot.copy_records(ids, rows)
            for frame in self._builder.finish():
                parts.put(frame)

    def _read(self, block: list[bytes], parts: Stage[pl.DataFrame]) -> None:
        for frame in self._reader.read(block):
            for whole in self._builder.add(frame):
                parts.put(whole)
            self._rows += len(frame)
        if self._records:
            self._refresher.store.write_progress(min(1.0, self._rows / self._records))

    def _put(self, frame: pl.DataFrame) -> None:
        if self._before is not None:
            ids = np.sort(frame["id"].to_numpy())
            self._seen.append(ids)
            identical = find_identical(self.parts, frame, ids)
            if len(identical):
                frame = frame.filter(~np.isin(frame["id"].to_numpy(), identical))
            self._take_out(np.setdiff1d(ids, identical))
        if len(frame):
            self._has_changed = True
            self.parts.insert(frame)

    def apply(self, snapshot: SourceSnapshot, changes: Changes) -> None:
        """Put in what is new, and take out what is gone."""
        ids = np.unique(np.asarray(changes.ids, dtype=np.int64))
        # Before the records of these pairs that are new, which would be read again.
        self._take_out(np.setdiff1d(self.parts.list_of_pairs(changes.pairs), ids))
        if len(ids):
            self.copy(snapshot, ids.tolist())
        self._take_out(np.setdiff1d(ids, np.concatenate([*self._seen, ids[:0]])))
        if changes.must_compare_ids:
            present = np.sort(np.frombuffer(snapshot.list_ids(), dtype=np.int64))
            self._take_out(self.parts.list_missing(present))
            if sum(part.records for part in self.parts.parts) != len(present):
                # Records that no transaction since the checkpoint has written: those of another history.
                raise DamagedPartError

    def _take_out(self, ids: Ids) -> None:
        self._has_changed |= self.parts.remove(ids)

    def finish(self, known: Manifest | None, checkpoint: str) -> Manifest:
        """Return the manifest."""
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
            written_at=time.time(),
        )

    def _merge(self) -> Statistics:
        """Return the statistics of all records; of the parts only where records were not just added at the end."""
        if self.parts.appended is not None:
            before = [Statistics(self._before.sources, self._before.fields)] if self._before else []
            return merge_statistics([*before, *self.parts.appended])
        return merge_statistics(read_statistics(self.parts.open(part)) for part in self.parts.parts)
