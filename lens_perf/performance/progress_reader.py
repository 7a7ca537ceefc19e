"""Answers how a workload is getting on, and remembers what the records told for as long as they are the same."""

import threading
import time
from collections import OrderedDict
from typing import Any

from lens_perf.performance.freshness.checkpoint import read_position
from lens_perf.performance.freshness.entity_tag import EntityTag, read_entity_tag
from lens_perf.performance.freshness.statements import select_rewrites
from lens_perf.performance.point_reader import Clusters
from lens_perf.performance.progress import judge_progress
from lens_perf.performance.progress_queries import ProgressFacts, select_progress, select_progress_source
from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import Transaction

MOST_REMEMBERED = 512

Key = tuple[str, str, str | None]
Found = tuple[EntityTag, str | None, ProgressFacts | None]


class ProgressReader:
    """Reads progress. Safe to use from several threads."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters
        self._lock = threading.Lock()
        self._remembered: OrderedDict[Key, Found] = OrderedDict()

    def read(self, cluster: str | None, selection: Selection, now_seconds: float | None = None) -> dict[str, Any]:
        """Return the progress at ``now_seconds``, by default now. Raises the LensError of what keeps it from that."""
        key = self._clusters.resolve(cluster), selection.workload_uid, selection.data_source
        with self._clusters.read(cluster) as transaction:
            rewrites = select_rewrites(transaction)
            with transaction.snapshot():
                position = read_position(transaction, rewrites)
                known = self._remembered.get(key)
                if known is None or not known[0].is_current(transaction, selection, position):
                    tag = read_entity_tag(transaction, selection, position, "")
                    known = self._read_facts(transaction, key, selection, tag)
        _tag, source, facts = known
        labels = {"workload_uid": selection.workload_uid}
        if selection.data_source is not None:
            labels["data_source"] = selection.data_source
        return labels | judge_progress(source, facts, time.time() if now_seconds is None else now_seconds)

    def _read_facts(self, transaction: Transaction, key: Key, selection: Selection, tag: EntityTag) -> Found:
        source = selection.data_source or select_progress_source(transaction, selection)
        facts = None
        if source is not None:
            facts = select_progress(transaction, Selection(selection.workload_uid, source))
        with self._lock:
            self._remembered[key] = tag, source, facts
            self._remembered.move_to_end(key)
            if len(self._remembered) > MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        return tag, source, facts
