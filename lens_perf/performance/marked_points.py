"""Reads the rows in which PostgreSQL has written data points itself, and leaves out what is no data point."""

from lens_perf.performance.notations import Notation, is_data_point
from lens_perf.performance.point_writer import PointSink
from lens_perf.performance.queries import POINT_MARK

MARK = POINT_MARK.encode()


class MarkedPoints:
    """Takes the rows of a COPY whose columns are data points behind a POINT_MARK, and gives ``writer`` the points.

    PostgreSQL writes whatever value a metric has: to test it there costs as much as to write it. Here one search tells
    whether a block holds finite numbers alone; only a block that does not is read point by point.
    """

    def __init__(self, notation: Notation, writer: PointSink, *, non_finite: bool = False) -> None:
        self._notation = notation
        self._writer = writer
        self._non_finite = non_finite

    def take(self, block: bytes) -> None:
        """Take a block of rows."""
        if self._notation.doubtful.search(block):
            block = b"".join(MARK + text for text in block.split(MARK) if self._is_point(text))
        # The joints of the COPY's columns and rows are no part of a point. Passes for a rare byte each are faster than
        # one that looks at every byte.
        points = block.replace(b"\n", b"").replace(b"\t", b"").replace(MARK, self._notation.separator)
        self._writer.write_points(points, block.count(MARK))

    def _is_point(self, text: bytes) -> bool:
        match = self._notation.point.match(text)
        return match is not None and is_data_point(match[1], non_finite=self._non_finite)


class SampledPoints:
    """Takes the rows of a COPY whose first is the number of all data points, in which the others were chosen."""

    def __init__(self, notation: Notation, writer: PointSink, *, non_finite: bool = False) -> None:
        self._points = MarkedPoints(notation, writer, non_finite=non_finite)
        self._begun = False
        self.total = 0

    def take(self, block: bytes) -> None:
        """Take a block of whole rows."""
        if not self._begun and block:
            number, _, block = block.partition(b"\n")
            self.total = int(number)
            self._begun = True
        self._points.take(block)
