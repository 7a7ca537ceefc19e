"""Reads the rows in which PostgreSQL has written data points itself, and leaves out what is no data point."""

import re

from lens_perf.performance.metric_fields import SURELY_FINITE_LENGTH, is_finite_number
from lens_perf.performance.point_writer import PointWriter
from lens_perf.performance.queries import POINT_MARK

MARK = POINT_MARK.encode()

# A value other than a number too short to be infinite. Within the name of a metric, the quotes would be escaped.
DOUBTFUL = re.compile(rb'","value":(?![-0-9.]{1,%d}+,)' % SURELY_FINITE_LENGTH)
POINT = re.compile(rb',\{"metric_name":"(?:[^"\\]|\\.)*","value":(-?[0-9.]+),')


class MarkedPoints:
    """Takes the rows of a COPY whose columns are data points behind a POINT_MARK, and gives ``writer`` the points.

    PostgreSQL writes whatever value a metric has: to test it there costs as much as to write it. Here one search tells
    whether a block holds finite numbers alone; only a block that does not is read point by point.
    """

    def __init__(self, writer: PointWriter) -> None:
        self._writer = writer

    def take(self, block: bytes) -> None:
        """Take a block of rows."""
        if DOUBTFUL.search(block):
            block = b"".join(MARK + text for text in block.split(MARK) if _is_point(text))
        # The joints of the COPY's columns and rows are no part of JSON text either. Three passes for a rare byte each
        # are faster than one that looks at every byte, and what the first takes away is the number of points.
        points = block.replace(MARK, b"")
        self._writer.write_points(points.replace(b"\n", b"").replace(b"\t", b""), len(block) - len(points))


def _is_point(text: bytes) -> bool:
    match = POINT.match(text)
    return match is not None and is_finite_number(match[1])
