"""Chooses how data points are read; nothing else makes this choice."""

from enum import Enum

from lens_perf.performance.points.query import WIDE, PointQuery

# Up to this number PostgreSQL selects the metrics; beyond it, reading whole records is faster.
MOST_NAMED_METRICS = 4


class Plan(Enum):
    """Where the data points of an answer are read from."""

    CHANGES = "the records that changed since a cursor"
    PREVIEW = "the records of evenly spaced iterations"
    TABLE = "the named metrics of all records"
    COPY = "the columnar copy"


def choose_plan(query: PointQuery, *, has_copy: bool, has_changes: bool) -> Plan:
    """Return how to answer ``query``.

    ``has_copy`` says whether there is a copy with the named metrics, ``has_changes`` whether the changes since the
    query's cursor are known.
    """
    if has_changes:
        return Plan.CHANGES
    if is_preview(query):
        return Plan.PREVIEW
    return Plan.COPY if has_copy or reads_whole_records(query) else Plan.TABLE


def reads_whole_records(query: PointQuery) -> bool:
    """Return whether the response needs more than a few named metrics."""
    if query.sampling is not None or query.encoding in WIDE:
        return True
    return query.kind == "data" and (query.metrics is None or len(query.metrics) > MOST_NAMED_METRICS)


def is_preview(query: PointQuery) -> bool:
    """Return whether a preview is requested."""
    return query.sampling is not None and query.sampling.method == "stride"
