"""The progress of workloads as the service returns it, computed from facts by the same rules."""

from dataclasses import replace
from typing import Any

from lens_perf.performance.progress.facts import Attempt, NonFiniteMetric, ProgressFacts
from lens_perf.performance.progress.rules import compute_progress
from lens_perf.watch.observation import Observation

# A workload with one iteration each second; the last record is at the second with its number.
FACTS = ProgressFacts(
    source="log",
    records=100,
    current_iteration=100,
    target_iteration=1000,
    first_timestamp=0,
    last_timestamp=100_000,
    seconds_wall=100.0,
    intervals=99,
    first_recent=1,
    last_recent=100,
    pace=(1.0, 1.0, 1.0),
    spacing_seconds=1.0,
    longest_wait=1.0,
    attempts=(Attempt(1, 0, 1, 100, 0, 100_000, 100),),
)


def progress_at(now: float, iteration: int = 100, **changes: Any) -> dict[str, Any]:
    """Return the progress at ``now`` seconds, with the last record of ``iteration`` at that second."""
    non_finite = tuple(
        NonFiniteMetric(name, "log", since, since * 1000) for name, since in changes.pop("non_finite", {}).items()
    )
    facts = replace(
        FACTS, current_iteration=iteration, last_timestamp=iteration * 1000, non_finite=non_finite, **changes
    )
    return {"workload_uid": "run", **compute_progress(facts, now)}


def seen_at(now: float, iteration: int = 100, **changes: Any) -> Observation:
    return Observation("alpha", "run", progress_at(now, iteration, **changes))
