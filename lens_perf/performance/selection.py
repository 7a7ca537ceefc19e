"""The selection of records, and its parameters for statements."""

from dataclasses import dataclass
from typing import Any

MILLISECONDS_PER_DAY = 86_400_000
# The range of PostgreSQL's timestamps: the whole days from 4714-11-24 BC to 294276-12-31.
FIRST_MILLISECOND = -2_440_588 * MILLISECONDS_PER_DAY
LAST_MILLISECOND = 106_762_940 * MILLISECONDS_PER_DAY - 1


@dataclass(frozen=True)
class Selection:
    """Selects records of a workload.

    ``time_range`` is inclusive, in int64 milliseconds since 1970, and excludes records without a finite time.
    ``iteration_range`` is inclusive and excludes records without an iteration. ``ids`` excludes all other records.
    """

    workload_uid: str
    data_source: str | None = None
    time_range: tuple[int, int] | None = None
    iteration_range: tuple[int, int] | None = None
    ids: tuple[int, ...] | None = None

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the conditions RECORDS, IN_RANGES and IN_IDS."""
        start, end = _clamp(self.time_range or (0, 0))
        start_days, start_ms = divmod(start, MILLISECONDS_PER_DAY)
        end_days, end_ms = divmod(end, MILLISECONDS_PER_DAY)
        first, last = self.iteration_range or (0, 0)
        return {
            "workload_uid": self.workload_uid,
            "data_source": self.data_source,
            "any_iteration": self.iteration_range is None,
            "first_iteration": first,
            "last_iteration": last,
            "any_id": self.ids is None,
            "ids": list(self.ids or ()),
            "any_time": self.time_range is None,
            "start_days": start_days,
            "start_seconds": start_ms / 1000,
            "end_days": end_days,
            # The last microsecond of the end's millisecond.
            "end_seconds": end_ms / 1000 + 0.000999,
        }


def _clamp(time_range: tuple[int, int]) -> tuple[int, int]:
    """Return ``time_range`` limited to the range of timestamps; an empty range if it lies outside."""
    start, end = time_range
    if start > LAST_MILLISECOND or end < FIRST_MILLISECOND:
        return LAST_MILLISECOND, FIRST_MILLISECOND
    return max(start, FIRST_MILLISECOND), min(end, LAST_MILLISECOND)
