"""Joins the bodies of single workloads into one body for several workloads."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import orjson
import polars as pl

from lens_perf.performance.points.parquet_writer import find_schema, sink_frames, sink_parquet
from lens_perf.performance.points.query import CURSOR_SEPARATOR, ORIGIN_FIELDS, PointAnswer, PointQuery
from lens_perf.performance.points.spool import PointBody, Spool
from lens_perf.performance.points.text_encodings import SHARED_FIELDS
from lens_perf.performance.points.wide import list_titles, list_types, write_wide_header
from lens_perf.performance.points.writers import TEXT_ENCODINGS, list_extra

ARRAYS = {"json": b'{"data":[', "columns": b'{"series":['}
PARQUET = frozenset({"parquet", "wide-parquet"})


class JoinedBody:
    """The body for ``queries``, which differ only in workload and cursor. It is written to ``spool``."""

    def __init__(self, queries: Sequence[PointQuery], spool: Spool) -> None:
        query = queries[0]
        self._spool = spool
        self._query = query
        # A workload without an answer keeps its cursor.
        self._cursors = {tuple(each.origin.values()): each.after or "" for each in queries}
        self._changes: list[Mapping[str, Any]] = []
        self._encoding = query.encoding
        self._is_empty = True
        self._samplings: list[Mapping[str, Any]] = []
        self._files: list[PointBody] = []
        self.points = 0
        spool.write(ARRAYS.get(query.encoding) or _write_header(query))

    def add(self, query: PointQuery, answer: PointAnswer) -> None:
        """Add the answer to ``query``, one of the queries."""
        part = answer.body
        assert part is not None  # noqa: S101 - only a query with an ETag has no body
        self.points += answer.points
        if answer.cursor is not None:
            self._cursors[tuple(query.origin.values())] = answer.cursor
            sampling = {} if part.sampling is None else {"sampling": part.sampling}
            self._changes.append({**query.origin, **answer.changes, **sampling})
        if part.sampling is not None:
            self._samplings.append(part.sampling)
        if self._encoding in PARQUET:
            self._files.append(part)
            return
        if self._encoding in ARRAYS and part.size:
            self._spool.write(b"" if self._is_empty else b",")
            self._is_empty = False
        self._spool.append(part)

    def close(self) -> None:
        """Close the files of answers that have not been joined."""
        for part in self._files:
            part.open().close()

    def finish(self, warnings: Sequence[Mapping[str, Any]]) -> PointBody:
        """Complete and return the body, which includes ``warnings`` if it is an object."""
        if self._encoding in PARQUET:
            self._write_parquet()
        elif self._encoding in ARRAYS:
            sampling = {"sampling": _join_samplings(self._samplings)} if self._samplings else {}
            rest = {"total_count": self.points, **sampling, "warnings": warnings, **self._describe_changes()}
            self._spool.write(b"]," + orjson.dumps(rest)[1:] + b"\n")
        return self._spool.finish()

    def _describe_changes(self) -> dict[str, Any]:
        if self._query.after is None:
            return {}
        return {"cursor": CURSOR_SEPARATOR.join(self._cursors.values()), "workloads": self._changes}

    def _write_parquet(self) -> None:
        if not self._files:
            sink_parquet([], _find_schema(self._query), self._spool)
            return
        with ExitStack() as stack:
            files = [stack.enter_context(part.open()) for part in self._files]
            # A metric may be int64 in one workload and float64 in another.
            sink_frames(pl.concat([pl.scan_parquet(file) for file in files], how="vertical_relaxed"), self._spool)


def _write_header(query: PointQuery) -> bytes:
    if query.encoding == "wide-csv":
        return write_wide_header(_list_titles(query))
    if query.encoding in PARQUET:
        return b""
    fields = (*SHARED_FIELDS, *list_extra(query), *ORIGIN_FIELDS)
    return TEXT_ENCODINGS[query.encoding].write_header(fields).encode()


def _list_titles(query: PointQuery) -> list[str]:
    return list_titles(ORIGIN_FIELDS, list_extra(query), query.metrics or ())


def _find_schema(query: PointQuery) -> Mapping[str, Any]:
    """Return the names and types of the columns of a Parquet file without rows."""
    if query.encoding == "parquet":
        return find_schema(list_extra(query), ORIGIN_FIELDS)
    metrics = [pl.Float64] * len(query.metrics or ())
    types = list_types(ORIGIN_FIELDS, list_extra(query), metrics)
    return dict(zip(_list_titles(query), types, strict=True))


def _join_samplings(samplings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sampling of all workloads: the method that drops most points, and the sums."""
    methods = {each["method"] for each in samplings}
    totals = [each["points_total"] for each in samplings]
    return {
        "method": next(method for method in ("stride", "m4", "none") if method in methods),
        "points_total": None if None in totals else sum(totals),
        "points_returned": sum(each["points_returned"] for each in samplings),
    }
