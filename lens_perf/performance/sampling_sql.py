"""How series are thinned out, by M4: of each bucket the first, last, least and greatest point, all of them real.

U. Jugel et al., "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB 2014: at twice the width of a chart
in points, its lines look just as those of all points would. Buckets are a power of two wide and begin at multiples of
it, so that what was chosen stays chosen while a workload grows, until two buckets become one.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

from lens_perf.performance.metric_fields import NON_FINITE_TEXTS
from lens_perf.performance.notations import TIMESTAMP
from lens_perf.performance.selection import Selection
from lens_perf.performance.survey_queries import Survey

Axis = Literal["iteration", "time"]
Method = Literal["m4", "stride"]
AXES: dict[Axis, str] = {"iteration": "iteration::bigint", "time": TIMESTAMP}
# Of parts, there is a group each to keep; of the records of a part, one each to fetch.
MOST_PARTS = 16_384
# Of so many parts of a bucket, as a binary logarithm, four are looked at.
PARTS_SHIFT = 3


@dataclass(frozen=True)
class Sampling:
    """How series are thinned out: each to ``max_points`` at most, by buckets along ``axis``.

    ``non_finite`` keeps one text for NaN or infinity of each bucket, too. ``part_shift`` is the binary logarithm of the
    number of iterations in a part. With the method ``"stride"``, points of evenly spaced iterations are taken instead,
    which is quick, and shows no more than that.
    """

    max_points: int
    axis: Axis = "iteration"
    non_finite: bool = False
    part_shift: int = 0
    method: Method = "m4"

    @property
    def buckets(self) -> int:
        """The most buckets that there may be."""
        return max(1, self.max_points // self.points_per_bucket)

    @property
    def points_per_bucket(self) -> int:
        """The most points of a bucket."""
        return min(self.max_points, 5 if self.non_finite else 4)

    def suit(self, survey: Survey, selection: Selection) -> "Sampling":
        """Return the sampling with parts that suit the workload: few enough to keep, small enough to look at.

        None is wider than a bucket, along iterations.
        """
        first, last = survey.first_iteration or 0, survey.last_iteration or 0
        if selection.iteration_range is not None:
            first, last = max(first, selection.iteration_range[0]), min(last, selection.iteration_range[1])
        span = max(0, last - first)
        widest = (span // self.buckets).bit_length() - PARTS_SHIFT
        return replace(self, part_shift=max(0, min((span // MOST_PARTS).bit_length(), widest)))

    def parameters(self) -> dict[str, Any]:
        """Return the values that the statements bind."""
        return {
            "max_points": self.max_points,
            "buckets": self.buckets,
            "points_per_bucket": self.points_per_bucket,
            "part_shift": self.part_shift,
            "non_finite": sorted(text.decode() for text in NON_FINITE_TEXTS),
        }


# Of candidates, all real points, the four of each bucket, and one that is no number; of a small series all.
CHOOSE_POINTS = """bucket AS (
        SELECT metric, source, bucket, min(axis) AS first, max(axis) AS last, min(value) AS lowest,
            max(value) AS highest
        FROM candidate
        WHERE NOT small
        GROUP BY metric, source, bucket
    ),
    picked AS (
        SELECT metric, id FROM candidate WHERE small
        UNION
        SELECT metric, unnest((ARRAY[
            max(id) FILTER (WHERE axis = last), min(id) FILTER (WHERE value = highest),
            min(id) FILTER (WHERE value = lowest), min(id) FILTER (WHERE axis = first),
            min(id) FILTER (WHERE value IS NULL)
        ])[:%(points_per_bucket)s])
        FROM candidate
        JOIN bucket USING (metric, source, bucket)
        WHERE NOT small
        GROUP BY metric, source, bucket
    )"""


def read_number(value: str) -> str:
    """Return the SQL for a JSONB value as a number; NULL where it is none."""
    return f"CASE jsonb_typeof({value}) WHEN 'number' THEN ({value})::numeric END"
