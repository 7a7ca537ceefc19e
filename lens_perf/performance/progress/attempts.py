"""Collects the latest attempts of a workload, block by block."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from lens_perf.performance.progress.facts import Attempt
from lens_perf.performance.progress.record_blocks import NO_SERIAL, Booleans, Records

MOST_ATTEMPTS = 100
# 2000-01-01 UTC, in milliseconds since 1970.
EPOCH = 946_684_800_000


def to_timestamp(microseconds: int) -> int:
    """Return a time in microseconds since 2000-01-01 UTC as milliseconds since 1970, rounded down."""
    return int(microseconds) // 1000 + EPOCH


@dataclass(frozen=True)
class Attempts:
    """The latest MOST_ATTEMPTS attempts; ``count`` is the number of all attempts."""

    latest: tuple[Attempt, ...] = ()
    count: int = 0

    def add(self, records: Records, is_restart: Booleans) -> "Attempts":
        """Return the attempts with ``records`` added.

        ``is_restart`` has an element for each record, except for the very first one of the workload.
        """
        starts = (np.flatnonzero(is_restart) + (len(records.ids) - len(is_restart))).tolist()
        if not self.latest:
            starts.insert(0, 0)
        until = starts[0] if starts else len(records.ids)
        latest = [*self.latest[:-1], _extend(self.latest[-1], records.take(slice(until)))] if until else [*self.latest]
        kept = starts[-MOST_ATTEMPTS:]
        count = self.count + len(starts)
        for number, (start, end) in enumerate(pairwise([*kept, len(records.ids)]), count - len(kept) + 1):
            latest.append(_begin(number, records.take(slice(start, end))))
        return Attempts(tuple(latest[-MOST_ATTEMPTS:]), count)

    def list(self) -> tuple[Attempt, ...]:
        """Return the latest attempts, each with the lowest of its iterations that a later attempt redid."""
        found: list[Attempt] = []
        lowest: int | None = None
        for attempt in reversed(self.latest):
            is_redone = lowest is not None and lowest <= attempt.last_iteration
            found.append(replace(attempt, discarded_from=lowest if is_redone else None))
            lowest = attempt.first_iteration if lowest is None else min(lowest, attempt.first_iteration)
        return tuple(reversed(found))


def _begin(number: int, records: Records) -> Attempt:
    serial = int(records.serials[0])
    return Attempt(
        number=number,
        serial=None if serial == NO_SERIAL else serial,
        first_iteration=int(records.iterations[0]),
        last_iteration=int(records.iterations[-1]),
        first_timestamp=to_timestamp(records.times[0]),
        last_timestamp=to_timestamp(records.times[-1]),
        records=len(records.ids),
    )


def _extend(attempt: Attempt, records: Records) -> Attempt:
    return replace(
        attempt,
        last_iteration=int(records.iterations[-1]),
        last_timestamp=to_timestamp(records.times[-1]),
        records=attempt.records + len(records.ids),
    )
