"""The data of an import: observations, which readers yield, and records, which become rows of the table."""

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
    """Some metrics of an iteration, from one line, event or row.

    Observations of one ``series`` (a form of line, a tag) are in the order of training, so that a decreasing iteration
    shows a restart. Series None has no order: it only adds to its iteration, in another record if that has other
    values. ``created_at`` has a time zone, or is None if the source has no time; ``iteration`` is None if the source
    has none.
    """

    series: str | None
    iteration: int | None
    created_at: datetime | None
    performance: Performance


class Mark(Enum):
    """A signal of a reader between observations."""

    PAUSE = "nothing more for now: store what there is"
    SESSION = "another start of the training program begins"


@dataclass(frozen=True)
class Record:
    """The metrics of an iteration, or some of them, to be added to the stored ones.

    ``serial`` counts the restarts before this record. If a source has several values of one metric for one iteration
    without a restart, ``ordinal`` numbers the records of that iteration from 0.
    """

    iteration: int | None
    created_at: datetime | None
    serial: int
    performance: Performance
    ordinal: int = 0

    @property
    def key(self) -> tuple[int, int | None, int]:
        """The key of the record within a workload and data source."""
        return self.serial, self.iteration, self.ordinal
