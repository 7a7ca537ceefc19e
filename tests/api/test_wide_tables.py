"""Wide tables: their rows, the order of rows, and the types of the columns of Parquet."""

import io

import polars as pl
import pytest
from flask.testing import FlaskClient

from tests.conftest import Row, Store, at

LARGE = 2**53 + 1


def read(client: FlaskClient, path: str, **query: object) -> pl.DataFrame:
    response = client.get(f"/lens/v1/{path}", query_string={"layout": "wide", "format": "parquet", **query})
    assert response.status_code == 200, response.text
    return pl.read_parquet(io.BytesIO(response.data))


@pytest.mark.parametrize("sampling", [{}, {"max_points": 5}])
def test_a_workload_without_values_leaves_integers_of_others_exact(
    client: FlaskClient, store: Store, uid: str, sampling: dict[str, int]
) -> None:
    store(uid, [Row({"tokens": LARGE})])
    store(f"{uid}-other", [Row({"loss": 1})])
    names = [f"alpha/{uid}{suffix}" for suffix in ("", "-other", "-none")]
    table = read(client, "metrics/data", workload=names, metrics="tokens,loss,nothing", **sampling)
    assert table["tokens"].dtype == pl.Int64
    assert table.filter(pl.col("workload_uid") == uid)["tokens"].to_list() == [LARGE]
    store(f"{uid}-other", [Row({"tokens": 0.5}, 2)])
    assert read(client, "metrics/data", workload=names, metrics="tokens", **sampling)["tokens"].dtype == pl.Float64


@pytest.mark.parametrize("sampling", [{"max_points": 2}, {"max_points": 3}, {"max_points": 3, "method": "stride"}])
def test_a_sample_has_the_rows_with_points_and_their_types(
    client: FlaskClient, store: Store, uid: str, sampling: dict[str, object]
) -> None:
    store(uid, [Row({"loss": 1.5}, 1, at(1)), Row({"lr": 3}, 2, at(2)), Row({"loss": LARGE, "lr": "NaN"}, 3, at(3))])
    path = f"workloads/{uid}/metrics/data"
    table = read(client, path, metrics="loss", **sampling)
    assert (table["iteration"].to_list(), table["loss"].dtype) == ([1, 3], pl.Float64)
    table = read(client, path, metrics="loss", start_iteration=2, **sampling)
    assert (table["iteration"].to_list(), table["loss"].dtype) == ([3], pl.Int64)
    assert table["loss"].to_list() == [LARGE]
    # Without sampling, every record has a row.
    assert read(client, path, metrics="loss")["iteration"].to_list() == [1, 2, 3]


@pytest.mark.parametrize("sampling", [{}, {"max_points": 1}, {"max_points": 9}])
def test_iteration_times_of_attempts_are_sorted_by_data_source(
    client: FlaskClient, store: Store, uid: str, sampling: dict[str, int]
) -> None:
    rows = [Row({"loss": 1}, 5, at(1), "wandb", 0), Row({"loss": 1}, 5, at(2), "log", 1), Row({}, 4, at(3), "log", 7)]
    store(uid, rows)
    table = read(client, f"workloads/{uid}/metrics/iteration-times", split="serial", **sampling)
    assert table.select("iteration", "data_source", "serial").rows() == [(4, "log", 7), (5, "log", 1), (5, "wandb", 0)]
