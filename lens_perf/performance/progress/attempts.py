"""Collects the attempts of a workload block by block, and keeps the latest."""

from collections import deque
from dataclasses import replace
from itertools import pairwise

import numpy as np

from lens_perf.performance.progress.facts import Attempt
from lens_perf.performance.progress.record_blocks import NO_SERIAL, Records
from lens_perf.performance.progress.steps import Steps

MOST_ATTEMPTS = 100
# 2000-01-01 UTC, in milliseconds since 1970.
EPOCH = 946_684_800_000


def to_timestamp(microseconds: int) -> int:
    """Return a time as milliseconds since 1970, rounded down."""
    return int(microseconds) // 1000 + EPOCH


class AttemptList:
    """The latest MOST_ATTEMPTS attempts."""

    def __init__(self) -> None:
        self._attempts: deque[Attempt] = deque(maxlen=MOST_ATTEMPTS)
        self._count = 0

    def add(self, steps: Steps) -> None:
        """Add the records at the end of ``steps``."""
        records = steps.records
        # No step leads to the first record.
        starts = (np.flatnonzero(steps.is_restart) + (len(records.ids) - len(steps.is_restart))).tolist()
        if until := starts[0] if starts else len(records.ids):
            self._add(records.take(slice(until)), is_new=not self._attempts)
        kept = starts[-MOST_ATTEMPTS:]
        self._count += len(starts) - len(kept)
        for start, end in pairwise([*kept, len(records.ids)]):
            self._add(records.take(slice(start, end)), is_new=True)

    def _add(self, records: Records, *, is_new: bool) -> None:
        last = {"last_iteration": int(records.iterations[-1]), "last_timestamp": to_timestamp(records.times[-1])}
        if not is_new:
            known = self._attempts.pop()
            self._attempts.append(replace(known, records=known.records + len(records.ids), **last))
            return
        self._count += 1
        serial = int(records.serials[0])
        self._attempts.append(
            Attempt(
                number=self._count,
                serial=None if serial == NO_SERIAL else serial,
                first_iteration=int(records.iterations[0]),
                first_timestamp=to_timestamp(records.times[0]),
                records=len(records.ids),
                **last,
            )
        )

    def list(self) -> tuple[Attempt, ...]:
        """Return the attempts, each with the iteration from which its results were discarded."""
        found: list[Attempt] = []
        lowest: int | None = None
        for attempt in reversed(self._attempts):
            is_redone = lowest is not None and lowest <= attempt.last_iteration
            found.append(replace(attempt, discarded_from=lowest if is_redone else None))
            lowest = attempt.first_iteration if lowest is None else min(lowest, attempt.first_iteration)
        return tuple(reversed(found))
