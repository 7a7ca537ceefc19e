"""pandas, polars and DuckDB read a workload from its URL, or from the file that curl saves, in one line."""

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pytest
import requests

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import Row, Store, at, two_clusters
from tests.test_serving import METRICS, gunicorn, on_one_version

RECORDS = 3000
COLUMNS = ["iteration", "timestamp", "data_source", "lr", "loss"]


@pytest.fixture
def address(postgres: EmbeddedPostgres, write_settings: Callable[[str], Path], store: Store, uid: str) -> Iterator[str]:
    """The URL of a workload; gunicorn sends large answers from a file and small ones from memory."""
    store(uid, [Row({"loss": index / 7, "lr": index}, index, at(index)) for index in range(RECORDS)])
    with gunicorn(write_settings(two_clusters(postgres) + "\n[limits]\nmemory_mib = 0")) as base:
        yield f"{base}{METRICS.format(uid=uid)}/data?format=parquet&layout=wide"


@on_one_version
def test_a_workload_in_one_line(address: str, tmp_path: Path) -> None:
    frame = pd.read_parquet(address)
    assert list(frame.columns) == COLUMNS
    assert frame["lr"].tolist() == list(range(RECORDS))
    table = pl.read_parquet(address)
    assert table.columns == COLUMNS
    assert table["loss"].to_list() == [index / 7 for index in range(RECORDS)]
    path = tmp_path / "run.parquet"
    path.write_bytes(requests.get(address, timeout=10).content)
    assert duckdb.sql(f"SELECT count(*), max(lr) FROM '{path}'").fetchall() == [(RECORDS, RECORDS - 1)]


@on_one_version
def test_ranges_of_a_parquet_file(address: str) -> None:
    whole = requests.get(address, timeout=10)
    assert (whole.status_code, whole.headers["Accept-Ranges"]) == (200, "bytes")
    ranges = {
        "bytes=-8": whole.content[-8:],
        "bytes=4-9": whole.content[4:10],
        f"bytes=-{len(whole.content) + 1}": whole.content,
    }
    for wanted, part in ranges.items():
        answer = requests.get(address, headers={"Range": wanted}, timeout=10)
        assert (answer.status_code, answer.content) == (206, part)
        assert answer.headers["Content-Range"].endswith(f"/{len(whole.content)}")
        assert int(answer.headers["Content-Length"]) == len(part)
    beyond = requests.get(address, headers={"Range": f"bytes={len(whole.content)}-"}, timeout=10)
    assert beyond.status_code == 416
    other_unit = requests.get(address, headers={"Range": "rows=0-3"}, timeout=10)
    assert (other_unit.status_code, other_unit.content) == (200, whole.content)
