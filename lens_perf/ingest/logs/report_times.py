"""The times of reports: from their lines, else computed from a start and elapsed times."""

from bisect import bisect_left
from collections import deque
from datetime import datetime, timedelta

from lens_perf.ingest.logs.forms import Line
from lens_perf.ingest.logs.metric_names import ELAPSED
from lens_perf.ingest.logs.options import LogOptions
from lens_perf.ingest.logs.stamps import find_time
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import MetricValue

# Number of reports whose times are kept for evaluations of an earlier iteration.
MOST_REMEMBERED = 1000


class TimesByIteration:
    """The times at which training reached the latest iterations."""

    def __init__(self) -> None:
        self._iterations: deque[int] = deque(maxlen=MOST_REMEMBERED)
        self._times: deque[datetime | None] = deque(maxlen=MOST_REMEMBERED)

    def add(self, iteration: int, moment: datetime | None) -> None:
        """Store the time of a report; a restart clears earlier times."""
        last = self._iterations[-1] if self._iterations else None
        if iteration == last:
            return
        if last is not None and iteration < last:
            self._iterations.clear()
            self._times.clear()
        self._iterations.append(iteration)
        self._times.append(moment)

    def find(self, iteration: int) -> datetime | None:
        """Return the time at which training reached ``iteration``, or None if it is not stored."""
        place = bisect_left(self._iterations, iteration)
        if place == 0 and len(self._iterations) == MOST_REMEMBERED and iteration != self._iterations[0]:
            return None
        return self._times[place] if place < len(self._iterations) else None

    def has_passed(self, iteration: int) -> bool:
        """Return whether training is beyond ``iteration``."""
        return bool(self._iterations) and iteration < self._iterations[-1]


class ReportTimes:
    """Finds the times of lines, in the text before them or from a start and elapsed times."""

    def __init__(self, summary: ReadSummary, options: LogOptions) -> None:
        self._summary = summary
        self._options = options
        self._clock = options.start_time
        self._last: datetime | None = None
        self._reached = TimesByIteration()
        self._other: tuple[int | None, datetime] | None = None

    def note_other(self, line: Line) -> None:
        """Note the time of a line of another dialect for its iteration."""
        if self._last is None and (moment := find_time(line.prefix, self._options.timezone)):
            self._other = line.iteration, moment

    def is_over(self, prefix: str) -> bool:
        """Return whether a line has a time that is not after the last report."""
        moment = find_time(prefix, self._options.timezone) if self._last else None
        return moment is not None and self._last is not None and moment <= self._last

    def find(
        self, prefix: str, performance: dict[str, MetricValue], iteration: int | None, before: int | None
    ) -> datetime | None:
        """Return the time of a line that reports ``iteration``, the one after ``before``; None if unknown."""
        found = self._find(prefix, performance, iteration, before)
        if iteration is not None:
            self._reached.add(iteration, found)
        return found

    def find_other(self, prefix: str, iteration: int | None) -> datetime | None:
        """Return the time of a line that is not a report.

        A line of an earlier iteration has the time at which training reached it: otherwise times would suggest that
        training went back.
        """
        if iteration is not None and self._reached.has_passed(iteration):
            return self._reached.find(iteration)
        return find_time(prefix, self._options.timezone, self._last)

    def _find(
        self, prefix: str, performance: dict[str, MetricValue], iteration: int | None, before: int | None
    ) -> datetime | None:
        rises = iteration is None or before is None or iteration > before
        moment = find_time(prefix, self._options.timezone, self._last if rises else None)
        if moment is not None:
            self._last = moment
        elif self._other is not None and iteration is not None and self._other[0] == iteration:
            moment = self._other[1]
        if moment is not None:
            self._summary.note(f"times are the log's own; those without a zone are taken as {self._options.timezone}")
            return moment
        elapsed = performance.get(ELAPSED)
        if self._clock is None or not isinstance(elapsed, (int, float)):
            return None
        passed = 1 if before is None or iteration is None else max(iteration - before, 1)
        try:
            self._clock += timedelta(milliseconds=elapsed * passed)
        except OverflowError:
            return None
        self._summary.note("times are reckoned from --start-time and the elapsed times")
        return self._clock
