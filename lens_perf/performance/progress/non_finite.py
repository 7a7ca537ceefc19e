"""Finds metrics whose latest values are NaN or infinite, in the statistics of a columnar copy."""

from collections.abc import Iterator, Mapping

from lens_perf.performance.columns.field_stats import FieldStats
from lens_perf.performance.columns.times import INFINITIES
from lens_perf.performance.progress.attempts import to_timestamp
from lens_perf.performance.progress.facts import NonFiniteMetric

MOST_LISTED = 100


def list_non_finite(
    fields: Mapping[tuple[str | None, str], FieldStats], data_source: str | None = None
) -> tuple[NonFiniteMetric, ...]:
    """Return at most MOST_LISTED metrics whose latest values are NaN or infinite, those with the earliest times first.

    ``data_source`` is that of the metrics, None for all.
    """
    found = sorted(_find(fields, data_source), key=_make_sort_key)
    return tuple(found[:MOST_LISTED])


def _find(fields: Mapping[tuple[str | None, str], FieldStats], data_source: str | None) -> Iterator[NonFiniteMetric]:
    for (source, name), stats in fields.items():
        since = stats.non_finite_since
        if since is not None and data_source in {None, source}:
            time = None if since.created_us in INFINITIES else since.created_us
            yield NonFiniteMetric(name, source, since.iteration, None if time is None else to_timestamp(time))


def _make_sort_key(metric: NonFiniteMetric) -> tuple[bool, int, str, str]:
    return (
        metric.since_timestamp is None,
        metric.since_timestamp or 0,
        metric.metric_name,
        metric.data_source or "",
    )
