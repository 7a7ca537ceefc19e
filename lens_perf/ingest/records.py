"""What travels through an import: observations, as a reader finds them, and records, future rows of the table."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NamedTuple

MetricValue = float | int | str | None
Performance = Mapping[str, MetricValue]
"""Metric names and JSON values; NaN and the infinities are the texts ``"NaN"``, ``"Infinity"``, ``"-Infinity"``,
for which JSONB has no numbers."""


class Observation(NamedTuple):
    """What one line, event or row tells of an iteration: some of its metrics.

    Observations of one ``series`` (a form of line, a tag) come in the order of training, so that an iteration which
    goes back in it shows a restart. Series None has no order: it only adds to its iteration, in another record where
    that has other values. ``created_at`` carries a time zone, or is None where the source tells no time; ``iteration``
    is None where it tells none.
    """

    series: str | None
    iteration: int | None
    created_at: datetime | None
    performance: Performance


class Mark(Enum):
    """What a reader says between observations."""

    PAUSE = "nothing more for now: store what there is"
    SESSION = "another start of the training program begins"


@dataclass(frozen=True)
class Record:
    """One iteration's metrics, or some of them; what is stored of it already is added to.

    ``serial`` counts the restarts before this record. Where a source tells several values of one metric for one
    iteration without a restart, ``ordinal`` numbers the records of that iteration from 0.
    """

    iteration: int | None
    created_at: datetime | None
    serial: int
    performance: Performance
    ordinal: int = 0

    @property
    def key(self) -> tuple[int, int | None, int]:
        """What the record is known by within a workload and data source."""
        return self.serial, self.iteration, self.ordinal
