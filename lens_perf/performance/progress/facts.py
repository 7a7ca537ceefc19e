"""Facts about a workload's progress that depend only on its records."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Attempt:
    """The records between two restarts. Times in milliseconds since 1970; ``number`` counts from 1.

    ``discarded_from`` is the lowest iteration that a later attempt redid, or None.
    """

    number: int
    serial: int | None
    first_iteration: int
    last_iteration: int
    first_timestamp: int
    last_timestamp: int
    records: int
    discarded_from: int | None = None


@dataclass(frozen=True)
class NonFiniteMetric:
    """A metric whose values are NaN or infinite from an iteration and a time on, in milliseconds since 1970."""

    metric_name: str
    data_source: str | None
    since_iteration: int | None
    since_timestamp: int | None


@dataclass(frozen=True)
class ProgressFacts:
    """Facts from the records of one data source. Times in milliseconds since 1970, spans in seconds.

    ``pace`` is (10th percentile, median, 90th percentile) of the seconds per iteration of the latest intervals, whose
    number is ``intervals`` and which cover the iterations from ``first_recent`` to ``last_recent``. ``spacing_seconds``
    is the median time between their records, ``longest_wait`` the longest time between two of the latest records
    except at restarts. ``attempts`` are the latest attempts.
    """

    source: str | None = None
    records: int = 0
    current_iteration: int | None = None
    target_iteration: int | None = None
    first_timestamp: int | None = None
    last_timestamp: int | None = None
    restarts: int = 0
    iterations_repeated: int = 0
    seconds_wall: float | None = None
    seconds_lost: float = 0.0
    seconds_paused: float = 0.0
    intervals: int = 0
    first_recent: int | None = None
    last_recent: int | None = None
    pace: tuple[float, float, float] | None = None
    spacing_seconds: float | None = None
    longest_wait: float | None = None
    attempts: tuple[Attempt, ...] = ()
    non_finite: tuple[NonFiniteMetric, ...] = ()
