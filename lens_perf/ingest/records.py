"""What an import reads out of a file: records, each one future row of ``training_performance``."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

MetricValue = float | int | str | None


@dataclass(frozen=True)
class Record:
    """One iteration's metrics.

    ``performance`` maps metric names to JSON values; NaN and the infinities stand there as the texts ``"NaN"``,
    ``"Infinity"`` and ``"-Infinity"``, for which JSONB has no numbers. ``created_at`` carries a time zone, or is None
    when the source tells no time. ``serial`` counts the restarts before this record, from 0.
    """

    iteration: int
    created_at: datetime | None
    serial: int
    performance: Mapping[str, MetricValue]
