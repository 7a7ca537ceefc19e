"""Answers queries for the progress of a workload, and caches the facts of a copy while it does not change."""

import threading
import time
from collections.abc import Iterable
from dataclasses import replace

import polars as pl
from cachetools import LRUCache

from lens_perf.performance.columns.workload_copy import WorkloadCopy
from lens_perf.performance.patience import Patience
from lens_perf.performance.payloads import Progress
from lens_perf.performance.progress.compute import compute_facts
from lens_perf.performance.progress.facts import ProgressFacts
from lens_perf.performance.progress.non_finite import list_non_finite
from lens_perf.performance.progress.record_blocks import (
    COLUMNS,
    SOURCE,
    TARGET,
    choose_source,
    count_by_source,
    read_record_blocks,
)
from lens_perf.performance.progress.rules import judge_progress
from lens_perf.performance.selection import Selection
from lens_perf.performance.workload_copies import WorkloadCopies

MOST_KEPT = 512

# A state of a copy, and the requested data source.
Key = tuple[str, int, str | None]


class ProgressReader:
    """Reads progress. Safe to use from several threads."""

    def __init__(self, copies: WorkloadCopies) -> None:
        self._copies = copies
        self._lock = threading.Lock()
        self._facts = LRUCache[Key, ProgressFacts](MOST_KEPT)

    def read(
        self, cluster: str | None, selection: Selection, patience: Patience, now_seconds: float | None = None
    ) -> Progress:
        """Return the progress at ``now_seconds``, by default now; ``patience`` limits the time of reading.

        Raises as ``WorkloadCopies.answer`` does.
        """
        facts = self._copies.answer(
            cluster,
            selection.workload_uid,
            patience,
            lambda copy: self._find_facts(copy, selection.data_source, patience),
        )
        fields = judge_progress(facts, time.time() if now_seconds is None else now_seconds)
        if selection.data_source is not None:
            return {"workload_uid": selection.workload_uid, "data_source": selection.data_source, **fields}
        return {"workload_uid": selection.workload_uid, **fields}  # type: ignore[typeddict-item]  # it is not required

    def _find_facts(self, copy: WorkloadCopy, data_source: str | None, patience: Patience) -> ProgressFacts:
        key = copy.history, copy.generation, data_source
        with self._lock:
            known = self._facts.get(key)
        if known is None:
            known = _compute(copy, data_source, patience)
            with self._lock:
                self._facts[key] = known
        return known


def _compute(copy: WorkloadCopy, data_source: str | None, patience: Patience) -> ProgressFacts:
    non_finite = list_non_finite(copy.fields, data_source)

    def read_frames(*columns: str, fields: Iterable[str] = ()) -> Iterable[pl.DataFrame]:
        for frame in copy.blocks(list(fields), columns=columns):
            patience.check()
            yield frame

    source = data_source or _choose_source(copy, read_frames("iteration", "data_source"))
    if source is None:
        return ProgressFacts(non_finite=non_finite)
    # Reading and comparing sources takes as long as everything else, and most workloads have only one.
    is_only = set(copy.sources) == {source}
    columns, wanted = (COLUMNS, None) if is_only else ((*COLUMNS, SOURCE), source)
    facts = compute_facts(lambda: read_record_blocks(read_frames(*columns, fields=[TARGET]), wanted), source=source)
    return replace(facts, non_finite=non_finite)


def _choose_source(copy: WorkloadCopy, frames: Iterable[pl.DataFrame]) -> str | None:
    """Return the data source with the most records that have an iteration."""
    sources = [source for source in copy.sources if source is not None]
    return sources[0] if len(copy.sources) == 1 and sources else choose_source(count_by_source(frames))
