"""Answers queries for the progress of a workload, and keeps what was computed for when its copy has grown."""

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from cachetools import LRUCache

from lens_perf.performance.columns.workload_copy import CopyPart, WorkloadCopy
from lens_perf.performance.metric_fields import TARGET_ITERATION
from lens_perf.performance.payloads import Progress
from lens_perf.performance.progress.compute import Prefix, compute_facts
from lens_perf.performance.progress.facts import ProgressFacts
from lens_perf.performance.progress.non_finite import list_non_finite
from lens_perf.performance.progress.record_blocks import (
    COLUMNS,
    SOURCE,
    RecordBlock,
    SourceCount,
    choose_source,
    count_by_source,
    join_blocks,
    read_record_blocks,
)
from lens_perf.performance.progress.rules import compute_progress
from lens_perf.performance.selection import Selection
from lens_perf.performance.time_limit import TimeLimit
from lens_perf.performance.workload_copies import WorkloadCopies

MOST_KEPT = 512
# Of long workloads; 40 KiB each.
MOST_PREFIXES = 128
MOST_COUNTED_PARTS = 4096


class _KnownPrefix(NamedTuple):
    """What is known of the parts with these names."""

    parts: tuple[str, ...]
    prefix: Prefix


class ProgressReader:
    """Reads progress. Safe to use from several threads."""

    def __init__(self, copies: WorkloadCopies) -> None:
        self._copies = copies
        self._lock = threading.Lock()
        # By the state of a copy, and the requested data source.
        self._facts = LRUCache[tuple[str, int, str | None], ProgressFacts](MOST_KEPT)
        # By the copy, whatever its state, and the data source.
        self._prefixes = LRUCache[tuple[str, str], _KnownPrefix](MOST_PREFIXES)
        # By the copy and the part.
        self._counts = LRUCache[tuple[str, str], dict[str, SourceCount]](MOST_COUNTED_PARTS)

    def read(
        self, cluster: str | None, selection: Selection, time_limit: TimeLimit, now_seconds: float | None = None
    ) -> Progress:
        """Return the progress at ``now_seconds``, by default now; ``time_limit`` limits the time of reading.

        Raises as ``WorkloadCopies.answer`` does.
        """
        facts = self._copies.answer(
            cluster,
            selection.workload_uid,
            time_limit,
            lambda copy: self._find_facts(copy, selection.data_source, time_limit),
        )
        fields = compute_progress(facts, time.time() if now_seconds is None else now_seconds)
        if selection.data_source is not None:
            return {"workload_uid": selection.workload_uid, "data_source": selection.data_source, **fields}
        return {"workload_uid": selection.workload_uid, **fields}  # type: ignore[typeddict-item]  # it is not required

    def _find_facts(self, copy: WorkloadCopy, data_source: str | None, time_limit: TimeLimit) -> ProgressFacts:
        key = copy.history, copy.generation, data_source
        with self._lock:
            known = self._facts.get(key)
        if known is None:
            source = data_source or self._choose_source(copy, time_limit)
            known = ProgressFacts() if source is None else self._compute(copy, source, time_limit)
            known = replace(known, non_finite=list_non_finite(copy.fields, data_source))
            with self._lock:
                self._facts[key] = known
        return known

    def _compute(self, copy: WorkloadCopy, source: str, time_limit: TimeLimit) -> ProgressFacts:
        """Compute the facts, from those of the parts that were there before if they are still there."""
        key = copy.history, source
        names = tuple(part.name for part in copy.parts)
        with self._lock:
            known = self._prefixes.get(key)
        prefix = known.prefix if known and known.parts == names[: len(known.parts)] else None
        # Reading and comparing sources takes as long as everything else, and most workloads have only one.
        wanted = None if set(copy.sources) == {source} else source

        def read_blocks(start: int) -> Iterator[RecordBlock]:
            for part in copy.parts[start:]:
                time_limit.check()
                yield _read_part(part, wanted)

        facts, prefix = compute_facts(read_blocks, source=source, prefix=prefix)
        if prefix is not None:
            with self._lock:
                self._prefixes[key] = _KnownPrefix(names[: prefix.order.parts], prefix)
        return facts

    def _choose_source(self, copy: WorkloadCopy, time_limit: TimeLimit) -> str | None:
        """Return the data source with the most records that have an iteration."""
        if len(copy.sources) == 1:
            return next(iter(copy.sources))
        return choose_source(copy.sources, (self._count_part(copy, part, time_limit) for part in copy.parts))

    def _count_part(self, copy: WorkloadCopy, part: CopyPart, time_limit: TimeLimit) -> dict[str, SourceCount]:
        key = copy.history, part.name
        with self._lock:
            counts = self._counts.get(key)
        if counts is None:
            time_limit.check()
            counts = count_by_source(part.blocks([], ("iteration", "data_source")))
            with self._lock:
                self._counts[key] = counts
        return counts


def _read_part(part: CopyPart, source: str | None) -> RecordBlock:
    columns: Iterable[str] = COLUMNS if source is None else (*COLUMNS, SOURCE)
    return join_blocks(read_record_blocks(part.blocks([TARGET_ITERATION], list(columns)), source))
