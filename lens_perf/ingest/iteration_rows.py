"""Keeps rows of one iteration in one record while they do not contradict each other."""

from collections.abc import Set as AbstractSet

from lens_perf.ingest.records import MetricValue

Row = dict[str, MetricValue]


class IterationRows:
    """Removes from each row the metrics that an earlier row of its iteration reported with the same value.

    Programs report an iteration in several rows (training, then evaluation), and repeat the epoch in each. A metric
    with another value makes the row a separate record. ``varying`` names metrics whose values always differ;
    ``counts_repeats`` says whether a row without new metrics is a separate record, too.
    """

    def __init__(self, varying: AbstractSet[str] = frozenset(), *, counts_repeats: bool = False) -> None:
        self._varying = varying
        self._counts_repeats = counts_repeats
        self._iteration: int | None = None
        self._reported: Row = {}

    def start_session(self) -> None:
        """Do not compare the following rows with previous ones."""
        self._iteration, self._reported = None, {}

    def reduce(self, iteration: int | None, row: Row) -> Row:
        """Return the new metrics of the row; all of them if it needs a separate record; none if it is repeated."""
        reported = self._reported
        if iteration is None or iteration != self._iteration:
            self._iteration, self._reported = iteration, dict(row)
            return row
        known = [name for name in row if name in reported]
        is_repeated = len(known) == len(row) and self._counts_repeats
        if is_repeated or any(reported[name] != row[name] for name in known if name not in self._varying):
            self._reported = dict(row)
            return row
        new = {name: value for name, value in row.items() if name not in reported}
        reported.update(new)
        return new
