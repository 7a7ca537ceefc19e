"""Counts and limits the data points of a response."""

from collections.abc import Callable

from lens_perf.errors import ResultTooLargeError

# Writing more points than this takes over ten milliseconds, so the read counts as heavy.
HEAVY_POINTS = 50_000


class PointCount:
    """The number of data points of a response so far.

    ``on_heavy`` is called once, when there are more than HEAVY_POINTS; its exceptions propagate. ``before`` is the
    number of points of other workloads in the same answer, which count towards ``max_points``.
    """

    def __init__(self, max_points: int, on_heavy: Callable[[], None] | None = None, *, before: int = 0) -> None:
        self._max_points = max_points
        self._before = before
        self._on_heavy = on_heavy
        self.value = 0

    def restart(self) -> None:
        """Set the count to 0. A heavy read stays heavy."""
        self.value = 0

    def add(self, count: int) -> None:
        """Add ``count`` data points. Raises ResultTooLargeError."""
        self.value += count
        self.expect(0)

    def expect(self, count: int) -> None:
        """Check the limits for ``count`` more data points, before they are read. Raises ResultTooLargeError."""
        total = self.value + count
        if self._on_heavy is not None and total > HEAVY_POINTS:
            self._on_heavy()
            self._on_heavy = None
        if self._before + total > self._max_points:
            raise ResultTooLargeError(
                f"The result has more than {self._max_points} data points; "
                "limit it with metrics, data_source, start and end, or max_points"
            )
