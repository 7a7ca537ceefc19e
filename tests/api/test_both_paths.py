"""The columnar copy and the table give the same bytes, also after records were added, corrected and removed."""

import json
from contextlib import closing
from itertools import count
from typing import Any

import psycopg2
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lens_perf.api.metrics_views import SERVICE
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance.workload_copies import WorkloadCopies
from tests.conftest import Row, Store, at
from tests.few_points import FEW, few_points

NUMBER = count()
NAMES = ["loss", "lr", "step", 'say "hi"', "a,b", "=1", "é", "target_iteration"]
VALUES = st.sampled_from(
    [
        *("0", "1", "-1", "2.50", "0.00001", "1e400", "12345678901234567890", "0.1234567890123456789", "1e-9"),
        *('"NaN"', '"Infinity"', '"-Infinity"', '"text"', '"1.0"', "null", "true", "[1, 2]", '{"a": 1}'),
        "9223372036854775808",
        "-9223372036854775808",
    ]
)
PERFORMANCES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4).map(
    lambda members: "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in members.items()) + "}"
) | st.sampled_from(["[]", "null", '"text"', "7"])
ROWS = st.lists(
    st.tuples(
        PERFORMANCES,
        st.none() | st.integers(0, 6) | st.sampled_from([-(2**31), 2**31 - 1]),
        st.none() | st.integers(0, 5) | st.sampled_from(["infinity", "-infinity", "4713-01-01 BC", "294276-12-31"]),
        st.sampled_from(["log", "wandb", None]),
        st.sampled_from([None, 0, 1]),
    ),
    min_size=1,
    max_size=12,
)
QUERIES = (
    "sources",
    "data?metrics=loss,lr,step&metric=a,b",
    "data?metric==1&metric=é&metric=target_iteration&non_finite=true&format=csv",
    'data?metric=say "hi"&format=ndjson&include=serial',
    "data?metrics=loss&layout=columns&non_finite=true",
    "data?metrics=lr,loss&data_source=wandb&start=0&end=3",
    "data?metrics=loss&start_iteration=1&end_iteration=4&format=csv",
    "iteration-times",
    "iteration-times?data_source=log&format=csv&include=serial",
    "iteration-times?layout=columns&start=1&end=4",
    "data?metrics=loss&split=serial",
    "data?metrics=loss,lr&split=serial&layout=columns",
    "iteration-times?split=serial",
    "iteration-times?split=serial&serial=1&layout=columns",
)
CHANGE = """
DELETE FROM training_performance WHERE workload_uid = %s AND iteration IS NOT DISTINCT FROM %s
"""


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(rows=ROWS, more=ROWS, removed=st.none() | st.integers(0, 6), few=FEW)
def test_same_bytes(
    app: Flask,
    store: Store,
    postgres: EmbeddedPostgres,
    *,
    rows: list[Any],
    more: list[Any],
    removed: int | None,
    few: int,
) -> None:
    uid = f"both-paths-{next(NUMBER)}"
    copies: WorkloadCopies = app.extensions[SERVICE].copies
    store(uid, [_row(*each) for each in rows])
    with few_points(few):
        compare(app, copies, uid)
    with closing(psycopg2.connect(postgres.dsn("alpha"))) as connection, connection, connection.cursor() as cursor:
        cursor.execute(CHANGE, (uid, removed))
    store(uid, [_row(*each) for each in more])
    refreshed = ask_all(app, uid)
    copies.columns.drop(copies.make_key("alpha", uid))
    assert ask_all(app, uid) == refreshed


def compare(app: Flask, copies: WorkloadCopies, uid: str) -> None:
    """Compare the answers without a copy and with one."""
    from_table = ask_all(app, uid)
    assert not copies.exists("alpha", uid)
    assert app.test_client().get(f"/lens/v1/workloads/{uid}/metrics/available").status_code == 200
    assert copies.exists("alpha", uid)
    assert ask_all(app, uid) == from_table


def ask_all(app: Flask, uid: str) -> dict[str, bytes]:
    """Return the body of each query's answer."""
    answers = {}
    for query in QUERIES:
        response = app.test_client().get(f"/lens/v1/workloads/{uid}/metrics/{query}")
        assert response.status_code == 200, response.text
        answers[query] = response.data
    return answers


def _row(performance: str, iteration: int | None, time: Any, source: str | None, serial: int | None) -> Row:
    return Row(performance, iteration, at(time) if type(time) is int else time, source, serial)
