"""pandas, polars and DuckDB read Parquet answers and wide CSV tables without options."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest

from lens_perf.performance.points.query import Encoding, PointQuery
from lens_perf.performance.selection import Selection
from tests.performance.points.copies import TO_2000, Record
from tests.performance.points.test_answers import answer

HUGE = 9_007_199_254_740_993
RECORDS = [
    Record(1, 0, 1, 1, "log", {"loss": "2.50", "tokens": "1", "acc": '"NaN"'}),
    Record(2, 5_500, 2, 1, "log", {"loss": '"Infinity"', "tokens": str(HUGE)}),
    Record(3, 9_000, 2, 1, "wandb", {"loss": "0.125"}),
    # The second attempt goes back to iteration 2.
    Record(4, 2**63 - 1, 2, 2, "log", {"loss": "7"}),
    Record(5, None, None, None, None, {"loss": "-1"}),
]
Read = Callable[[Path], list[dict[str, Any]]]


def read_with_pandas(path: Path) -> list[dict[str, Any]]:
    frame = pd.read_parquet(path, dtype_backend="numpy_nullable")
    return [
        {name: None if value is pd.NA or value is None else value for name, value in row.items()}
        for row in frame.astype(object).to_dict("records")
    ]


def read_with_polars(path: Path) -> list[dict[str, Any]]:
    return pl.read_parquet(path).to_dicts()


def read_with_duckdb(path: Path) -> list[dict[str, Any]]:
    relation = duckdb.read_parquet(str(path))
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


READERS = pytest.mark.parametrize("read", [read_with_pandas, read_with_polars, read_with_duckdb])


def save(directory: Path, encoding: Encoding, **query: Any) -> Path:
    path = directory / "answer"
    path.write_bytes(answer(RECORDS, PointQuery(None, Selection("w"), encoding=encoding, **query)))
    return path


@READERS
def test_a_row_for_each_point(tmp_path: Path, read: Read) -> None:
    rows = read(save(tmp_path, "parquet", metrics=("loss",), include_serial=True))
    assert [tuple(row.values()) for row in rows] == [
        ("loss", 2.5, TO_2000, 1, "log", 1),
        ("loss", 0.125, TO_2000 + 9, 2, "wandb", 1),
        ("loss", 7.0, None, 2, "log", 2),
        ("loss", -1.0, None, None, None, None),
    ]
    assert list(rows[0]) == ["metric_name", "value", "timestamp", "iteration", "data_source", "serial"]


@READERS
def test_non_finite_texts_are_numbers(tmp_path: Path, read: Read) -> None:
    rows = read(save(tmp_path, "parquet", metrics=("loss", "acc"), non_finite=True))
    assert [row["value"] for row in rows if row["metric_name"] == "loss"] == [2.5, math.inf, 0.125, 7, -1]
    (nan,) = (row["value"] for row in rows if row["metric_name"] == "acc")
    assert nan is None or math.isnan(nan)  # pandas takes NaN for missing


@READERS
def test_a_row_for_each_iteration(tmp_path: Path, read: Read) -> None:
    rows = read(save(tmp_path, "wide-parquet"))
    assert rows == [
        {"iteration": 1, "timestamp": TO_2000, "data_source": "log", "acc": None, "loss": 2.5, "tokens": 1},
        {"iteration": 2, "timestamp": TO_2000 + 5, "data_source": "log", "acc": None, "loss": 7.0, "tokens": HUGE},
        {"iteration": 2, "timestamp": TO_2000 + 9, "data_source": "wandb", "acc": None, "loss": 0.125, "tokens": None},
        {"iteration": None, "timestamp": None, "data_source": None, "acc": None, "loss": -1.0, "tokens": None},
    ]


@READERS
def test_a_row_for_each_iteration_of_an_attempt(tmp_path: Path, read: Read) -> None:
    rows = read(save(tmp_path, "wide-parquet", metrics=("loss",), include_serial=True))
    assert [(row["iteration"], row["serial"], row["loss"]) for row in rows] == [
        (1, 1, 2.5),
        (2, 1, None),
        (2, 2, 7.0),
        (2, 1, 0.125),
        (None, None, -1.0),
    ]


def test_tables_of_csv(tmp_path: Path) -> None:
    path = save(tmp_path, "wide-csv", metrics=("loss", "tokens"), non_finite=True)
    frame = pd.read_csv(path)
    assert list(frame.columns) == ["iteration", "timestamp", "data_source", "loss", "tokens"]
    assert frame["loss"].tolist() == [2.5, 7.0, 0.125, -1.0]
    table = duckdb.read_csv(str(path)).fetchall()
    assert [row[4] for row in table] == [1, HUGE, None, None]
    assert path.read_text().splitlines()[1] == f"1,{TO_2000},log,2.50,1"
