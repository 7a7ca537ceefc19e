"""Computes the statistics of all fields that have entries instead of columns, in one pass."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from lens_perf.performance.columns.field_stats import Coordinates, FieldStats, Point
from lens_perf.performance.columns.rest import read_rest

RECORD = ("created_at", "iteration", "data_source", "serial")


def compute_rest(frame: pl.DataFrame, *, by_serial: bool) -> dict[tuple[Any, ...], FieldStats]:
    """Return the statistics of entries by (data source, field), with ``by_serial`` by (data source, field, serial)."""
    keys = ["data_source", "name", *(["serial"] if by_serial else [])]
    entries = read_rest(frame)
    if not len(entries):
        return {}
    records = frame.select(pl.int_range(pl.len(), dtype=pl.Int64).alias("row"), *RECORD)
    entries = entries.join(records, on="row", how="left", maintain_order="left")
    is_point, is_text = pl.col("text").is_not_null(), pl.col("code").is_not_null()
    is_trailing = is_text & (pl.col("row") > pl.col("row").filter(is_point).max().fill_null(-1))
    point = pl.struct("text", "iteration", "created_at")
    value = pl.col("value").filter(is_point)
    points = point.filter(is_point)
    found = entries.group_by(keys, maintain_order=True).agg(
        is_point.sum().alias("count"),
        is_text.sum().alias("non_finite"),
        pl.len().alias("all"),
        points.first().alias("first"),
        points.last().alias("last"),
        # Among equal values, the first one counts.
        points.filter(value == value.min()).first().alias("least"),
        points.filter(value == value.max()).first().alias("greatest"),
        pl.struct("iteration", "created_at").filter(is_trailing).first().alias("since"),
    )
    return {tuple(row[key] for key in keys): _read_stats(row) for row in found.iter_rows(named=True)}


def _read_stats(row: Mapping[str, Any]) -> FieldStats:
    others = row["all"] - row["count"] - row["non_finite"]
    first, last, least, greatest = (_read_point(row[end]) for end in ("first", "last", "least", "greatest"))
    since = _read_coordinates(row["since"])
    return FieldStats(row["count"], row["non_finite"], others, first, last, least, greatest, since)


def _read_point(point: Mapping[str, Any] | None) -> Point | None:
    return None if point is None else Point(point["text"], point["iteration"], point["created_at"])


def _read_coordinates(coordinates: Mapping[str, Any] | None) -> Coordinates | None:
    return None if coordinates is None else Coordinates(coordinates["iteration"], coordinates["created_at"])
