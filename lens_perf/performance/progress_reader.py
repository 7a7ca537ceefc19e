"""Answers how a workload is getting on, and remembers what the records told for as long as they are the same."""

import threading
import time
from collections import OrderedDict
from typing import Any

from lens_perf.performance.freshness import Seen, find_unchanged
from lens_perf.performance.point_reader import Clusters
from lens_perf.performance.progress.facts import ProgressFacts
from lens_perf.performance.progress.rules import judge_progress
from lens_perf.performance.progress_queries import select_progress_records
from lens_perf.performance.queries import Transaction
from lens_perf.performance.selection import Selection
from lens_perf.performance.survey_queries import select_survey

MOST_REMEMBERED = 512

Key = tuple[str, str, str | None]
Found = tuple[Seen, ProgressFacts]


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
            known = self._remembered.get(key)
            if known is None or find_unchanged(transaction, selection, [known[0]]) is None:
                known = self._read_anew(transaction, key, selection)
        _seen, facts = known
        labels = {"workload_uid": selection.workload_uid}
        if selection.data_source is not None:
            labels["data_source"] = selection.data_source
        return labels | judge_progress(facts, time.time() if now_seconds is None else now_seconds)

    def _read_anew(self, transaction: Transaction, key: Key, selection: Selection) -> Found:
        # What is seen is noted first: what comes while it is being read is then read again.
        seen = Seen.at("", select_survey(transaction, selection))
        facts = _compute(transaction, selection)
        with self._lock:
            self._remembered[key] = seen, facts
            self._remembered.move_to_end(key)
            if len(self._remembered) > MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        return seen, facts


def _compute(transaction: Transaction, selection: Selection) -> ProgressFacts:
    import polars as pl  # noqa: PLC0415 - its threads must start in the worker, not before it is forked

    from lens_perf.performance.progress.compute import compute_facts  # noqa: PLC0415 - imports polars
    from lens_perf.performance.progress.record_blocks import (  # noqa: PLC0415 - likewise
        choose_source,
        count_by_source,
        read_record_blocks,
    )

    columns = {"id": pl.Int64, "created_at": pl.Int64, "iteration": pl.Int32, "serial": pl.Int32}
    schema = {**columns, "data_source": pl.String, "t:target_iteration": pl.String}
    rows = select_progress_records(transaction, selection)
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        pl.col("t:target_iteration").cast(pl.Float64).alias("v:target_iteration")
    )
    source = selection.data_source or choose_source(count_by_source([frame]))
    return (
        ProgressFacts() if source is None else compute_facts(lambda: read_record_blocks([frame], source), source=source)
    )
