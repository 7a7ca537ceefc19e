"""One query in several encodings: NDJSON, CSV and columns return the same data points as the contract's JSON."""

import csv
import io
import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.performance.points.text_encodings import write_csv_text
from tests.conftest import Ask, Row, Store, at, strict_json

Point = tuple[Any, ...]
FIELDS = ("metric_name", "value", "timestamp", "iteration", "data_source")
ODD_NAMES = ["a,b", 'say "hi"', "=1+1", "+x", "-x", "@x", "é/ü", "line\nbreak", " blank ", "%s", "'", "\x7f"]
ROWS = [
    Row({"loss": 0.5, "lr": 1e-5, **dict.fromkeys(ODD_NAMES, -1)}, 1, at(1000)),
    Row({"loss": "NaN", "lr": 2, "text": "a,b"}, 2, at(2000), "wandb"),
    Row({"loss": 3}, None, None, None),
    Row('{"loss": 1e400, "lr": -0.25}', 4, "infinity", "tensorflow"),
]
QUESTIONS = ["data", "data?metrics=loss,lr", "data?metric=a,b&metric=%3D1%2B1&metric=say+%22hi%22", "iteration-times"]


def ask_form(client: FlaskClient, uid: str, question: str, **query: str) -> Any:
    address = f"/lens/v1/workloads/{uid}/metrics/{question}{'&' if '?' in question else '?'}"
    response = client.get(address + "&".join(f"{name}={value}" for name, value in query.items()))
    assert response.status_code == 200, response.text
    return response


def as_tuples(points: Any) -> list[Point]:
    return [tuple(point[field] for field in FIELDS) for point in points]


@pytest.fixture
def stored(store: Store, uid: str) -> str:
    store(uid, ROWS)
    return uid


@pytest.mark.parametrize("question", QUESTIONS)
def test_lines_are_the_points(client: FlaskClient, stored: str, question: str) -> None:
    expected = strict_json(ask_form(client, stored, question).text)["data"]
    lines = ask_form(client, stored, question, format="ndjson")
    assert lines.mimetype == "application/x-ndjson"
    assert [strict_json(line) for line in lines.text.splitlines()] == expected
    assert lines.text.endswith("\n")


@pytest.mark.parametrize("question", QUESTIONS)
def test_csv_is_the_points(client: FlaskClient, stored: str, question: str) -> None:
    expected = strict_json(ask_form(client, stored, question).text)["data"]
    answer = ask_form(client, stored, question, format="csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith(f'attachment; filename="{stored}-')
    header, *rows = csv.reader(io.StringIO(answer.text))
    assert header == list(FIELDS)
    for row, point in zip(rows, expected, strict=True):
        name, value, timestamp, iteration, source = row
        assert name.removeprefix("'").replace("\\n", "\n").replace("\\u007f", "\x7f") == point[
            "metric_name"
        ].removeprefix("'")
        assert json.loads(value) == point["value"]
        assert [timestamp, iteration, source] == [
            "" if point[field] is None else str(point[field]) for field in FIELDS[2:]
        ]


@pytest.mark.parametrize("question", QUESTIONS)
def test_columns_are_the_points(client: FlaskClient, stored: str, question: str) -> None:
    plain = strict_json(ask_form(client, stored, question).text)
    answer = strict_json(ask_form(client, stored, question, layout="columns").text)
    expected: dict[Any, Any] = {}
    for point in plain["data"]:
        key = point["metric_name"], point["data_source"]
        expected.setdefault(key, []).append((point["iteration"], point["timestamp"], point["value"]))
    found = {
        (series["metric_name"], series["data_source"]): list(
            zip(series["iterations"], series["timestamps"], series["values"], strict=True)
        )
        for series in answer["series"]
    }
    assert found == expected
    assert list(found) == list(expected)
    assert answer["total_count"] == plain["total_count"]
    assert {"workload_uid", "series", "total_count"} == set(answer)


def test_columns_are_a_fifth_of_the_size(client: FlaskClient, store: Store, uid: str) -> None:
    store(
        uid,
        [Row({"lm_loss": 2.5 + index / 1000}, index, at(index * 20_000 + 1_700_000_000_000)) for index in range(500)],
    )
    plain = ask_form(client, uid, "data")
    assert len(ask_form(client, uid, "data", layout="columns").data) < len(plain.data) / 4


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "application/json"),
        ("", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("text/csv", "text/csv"),
        ("text/csv;q=0.5, application/x-ndjson", "application/x-ndjson"),
        ("application/json, text/csv;q=0.9", "application/json"),
        ("image/png", "application/json"),
        ("text/csv; charset=utf-8", "text/csv"),
        ("text/csv;charset=utf-8, */*;q=0.1", "text/csv"),
        ("application/json; charset=utf-8, text/csv;q=0.9", "application/json"),
    ],
)
def test_accept_chooses(client: FlaskClient, stored: str, accept: str, media_type: str) -> None:
    address = f"/lens/v1/workloads/{stored}/metrics/data"
    answer = client.get(address, headers={"Accept": accept})
    assert answer.mimetype == media_type
    assert "Accept" in answer.vary
    assert client.get(f"{address}?format=json", headers={"Accept": accept}).mimetype == "application/json"


@pytest.mark.parametrize(
    ("accept", "format_name"),
    [
        ("text/csv", "csv"),
        ("application/vnd.apache.parquet, text/csv;q=0.5, */*;q=0.1", "parquet"),
        ("application/json, text/csv;q=0.5", "csv"),
    ],
)
def test_accept_chooses_the_encoding_of_a_wide_table(
    client: FlaskClient, stored: str, accept: str, format_name: str
) -> None:
    address = f"/lens/v1/workloads/{stored}/metrics/data?layout=wide"
    answer = client.get(address, headers={"Accept": accept})
    assert (answer.status_code, answer.data) == (200, client.get(f"{address}&format={format_name}").data)
    assert "Accept" in answer.vary
    refused = client.get(f"{address}&after=a", headers={"Accept": accept})
    assert refused.status_code == 400
    assert "use format=json" in refused.get_json()["message"]


@pytest.mark.parametrize("accept", ["", "*/*", "text/*", "application/json", "text/csv;q=0"])
def test_accept_without_the_type_of_a_table(client: FlaskClient, stored: str, accept: str) -> None:
    answer = client.get(f"/lens/v1/workloads/{stored}/metrics/data?layout=wide", headers={"Accept": accept})
    assert answer.status_code == 400
    assert answer.get_json()["errors"] == {"query": {"layout": ["layout=wide requires format=csv or format=parquet"]}}


def test_errors_are_json_in_every_form(client: FlaskClient) -> None:
    answer = client.get("/lens/v1/workloads/w/metrics/data?format=csv&start=1")
    assert (answer.status_code, answer.mimetype) == (400, "application/json")


def test_an_odd_uid_makes_no_odd_file_name(client: FlaskClient) -> None:
    answer = client.get('/lens/v1/workloads/a"b%0D%0Ac;é/metrics/data?format=csv')
    assert answer.headers["Content-Disposition"] == 'attachment; filename="a_b_c_-data.csv"'
    assert answer.text == "metric_name,value,timestamp,iteration,data_source\n"


def test_nothing_is_no_line(client: FlaskClient, uid: str) -> None:
    assert ask_form(client, uid, "data", format="ndjson").data == b""


@pytest.mark.parametrize("metrics", ["", "&metrics=loss,lr"])
@pytest.mark.parametrize("form", ["json", "columns"])
def test_non_finite_texts_are_points_if_asked_for(
    client: FlaskClient, store: Store, uid: str, metrics: str, form: str
) -> None:
    texts = ["NaN", "Infinity", "-Infinity", "nan", "Inf", ""]
    store(uid, [Row({"loss": text, "lr": index}, index) for index, text in enumerate(texts)])
    without = strict_json(ask_form(client, uid, "data", non_finite="false").text)
    assert without["total_count"] == len(texts)
    layout = {} if form == "json" else {"layout": "columns"}
    answer = ask_form(client, uid, "data?non_finite=true" + metrics, **layout).json
    assert answer["total_count"] == len(texts) + 3
    values = (
        [point["value"] for point in answer["data"] if point["metric_name"] == "loss"]
        if form == "json"
        else next(series["values"] for series in answer["series"] if series["metric_name"] == "loss")
    )
    assert values == ["NaN", "Infinity", "-Infinity"]


def test_iteration_ranges(ask: Ask, store: Store, uid: str) -> None:
    store(uid, [Row({"loss": index}, index) for index in range(10)] + [Row({"loss": 99}, None)])

    def iterations(endpoint: str, **query: Any) -> list[Any]:
        return [point["iteration"] for point in ask(endpoint, **query)["data"]]

    for endpoint in ("data", "iteration-times"):
        assert iterations(endpoint, start_iteration=3, end_iteration=5) == [3, 4, 5]
        assert iterations(endpoint, start_iteration=8) == [8, 9]
        assert iterations(endpoint, end_iteration=1) == [0, 1]
        assert iterations(endpoint, start_iteration=2**31, end_iteration=2**62) == []
        assert iterations(endpoint, start_iteration=-(2**63), end_iteration=2**63 - 1) == list(range(10))


@given(text=st.text(max_size=12))
def test_no_field_of_csv_is_a_formula_or_two(text: str) -> None:
    written = write_csv_text(text)
    assert "\n" not in written
    assert "\r" not in written
    ((field,),) = csv.reader([written]) if written else (("",),)
    assert not field.startswith(("=", "+", "-", "@", "\t"))
