"""The OpenAPI description: valid, complete, and consistent with the responses of the service."""

import re
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import validate
from schemathesis.generation import GenerationMode

from lens_perf.api import schemas
from lens_perf.api.point_arguments import MOST_PREVIEWED
from lens_perf.api.point_queries import MEDIA_TYPES
from lens_perf.api.summary_schemas import SUMMARY_EXAMPLE
from tests.conftest import Row, Store, at
from tests.test_serving import on_one_version

PREFIX = "/lens/v1/workloads/{uid}/metrics/"
POINTS = {
    *("start_iteration", "end_iteration", "max_points", "maxDataPoints", "axis"),
    *("serial", "include", "split", "format", "layout", "after"),
}
PARAMETERS = {
    "sources": {"uid", "cluster"},
    "available": {"uid", "cluster", "data_source"},
    "data": {"uid", "cluster", "data_source", "start", "end", "metrics", "metric", "non_finite", "method", *POINTS},
    "iteration-times": {"uid", "cluster", "data_source", "start", "end", *POINTS},
    "summary": {"uid", "cluster", "data_source", "metrics", "metric", "serial", "split"},
}
# In addition to the contract's endpoints.
DATA = {"data_source", "start", "end", "metrics", "metric", "non_finite", "method", *POINTS}
OTHERS = {
    "/lens/v1/workloads/summary": {"cluster", "search", "page_size", "page_token", "metrics", "metric"},
    "/lens/v1/metrics/data": {"workload", *DATA},
    "/lens/v1/metrics/summary": {"workload", "data_source", "metrics", "metric", "serial", "split"},
    "/lens/v1/metrics/progress": {"workload", "data_source"},
    "/lens/v1/clusters": set[str](),
    "/lens/v1/workloads": {"cluster", "search", "page_size", "page_token"},
    "/lens/v1/workloads/{uid}/progress": {"uid", "cluster", "data_source"},
}
EXAMPLES = {
    "sources": schemas.SOURCES_EXAMPLE,
    "available": schemas.AVAILABLE_EXAMPLE,
    "data": schemas.DATA_EXAMPLE,
    "iteration-times": schemas.ITERATION_TIMES_EXAMPLE,
    "summary": SUMMARY_EXAMPLE,
}


@pytest.fixture
def spec(client: FlaskClient) -> Any:
    return client.get("/lens/openapi.json").json


def test_valid(spec: Any) -> None:
    validate(spec)
    assert set(spec["paths"]) == {PREFIX + name for name in PARAMETERS} | set(OTHERS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_has_an_example(spec: Any, name: str) -> None:
    path = spec["paths"][PREFIX + name]
    parameters = [*path.get("parameters", []), *path["get"].get("parameters", [])]
    assert {parameter["name"] for parameter in parameters} == PARAMETERS[name]
    for parameter in parameters:
        assert parameter["description"]
        assert "example" in parameter or "example" in parameter["schema"], parameter["name"]


@pytest.mark.parametrize("path", OTHERS)
def test_endpoints_beyond_the_contract_are_described(spec: Any, path: str) -> None:
    operation = spec["paths"][path]["get"]
    parameters = [*spec["paths"][path].get("parameters", []), *operation.get("parameters", [])]
    assert {parameter["name"] for parameter in parameters} == OTHERS[path]
    for parameter in parameters:
        assert parameter["description"]
        assert "example" in parameter or "example" in parameter["schema"], parameter["name"]
    assert set(operation["responses"]) >= {"200", "400", "401", "403", "404", "405", "500", "503", "504"}
    assert operation["responses"]["200"]["content"]["application/json"]["example"]


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_status_has_its_body(spec: Any, name: str) -> None:
    responses = spec["paths"][PREFIX + name]["get"]["responses"]
    expected = {"200", "400", "401", "403", "404", "405", "500", "503", "504"}
    if name in {"data", "iteration-times"}:
        expected |= {"413", "416"}
        assert set(responses["304"]) == {"description"}
        assert set(responses["200"]["content"]) == set(MEDIA_TYPES.values())
    assert set(responses) - {"default", "304"} == expected
    assert responses["200"]["content"]["application/json"]["example"] == EXAMPLES[name]
    for status in expected - {"200"}:
        content = responses[status]["content"]["application/json"]
        assert content["schema"] == {"$ref": "#/components/schemas/Error"}
        assert content["example"]["code"] == int(status)
        assert content["example"]["message"]


@pytest.mark.parametrize("name", PARAMETERS)
def test_responses_match_the_description(app: Flask, store: Store, name: str) -> None:
    store("abc123", [Row({"loss": index, "accuracy": "NaN"}, index, at(index), "wandb") for index in range(3)])
    check_against_the_description(app, PREFIX + name)


# Other tests ask every version of PostgreSQL for the same; this is about the description.
@on_one_version
@pytest.mark.parametrize("path", OTHERS)
def test_responses_beyond_the_contract_match_the_description(app: Flask, store: Store, uid: str, path: str) -> None:
    store(uid, [Row({"loss": index}, index, at(index)) for index in range(3)])
    check_against_the_description(app, path)


def check_against_the_description(app: Flask, path: str) -> None:
    operation = schemathesis.openapi.from_wsgi("/lens/openapi.json", app)[path]["GET"]
    sensible = operation.as_strategy(generation_mode=GenerationMode.POSITIVE).map(make_valid)
    kinds = [sensible]
    # An endpoint without parameters has no invalid ones in the description.
    if OTHERS.get(path, {"some"}):
        kinds.append(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE).filter(is_invalid_as_text))
    for cases in kinds:

        @settings(max_examples=50, suppress_health_check=list(HealthCheck))
        @given(case=cases)
        def check(case: schemathesis.Case) -> None:
            # Without a server, schemathesis does not decompress responses.
            case.call_and_validate(headers={"Accept-Encoding": "identity"})

        check()


REPEATABLE = {"metric", "serial", "workload"}
SERIAL_AS_TEXT = re.compile("none|-?[0-9]+")


def is_invalid_as_text(case: schemathesis.Case) -> bool:
    """Return whether the values are also invalid as the texts of a query string.

    There, a scalar is a list of one, an empty object or list is absent or an empty text, and digits are a number.
    """
    return not any(
        value in ({}, [])
        or (name in REPEATABLE and not isinstance(value, list))
        or (name == "serial" and all(SERIAL_AS_TEXT.fullmatch(str(each)) for each in value))
        for name, value in (case.query or {}).items()
    )


WITHOUT_STRIDE = {"axis", "start", "end", "maxDataPoints", "after"}


def make_valid(case: schemathesis.Case) -> schemathesis.Case:
    """Apply the rules that the schema cannot express: an existing cluster, ordered ranges, no excluded combinations."""
    query = dict(case.query or {})
    query |= {name: value for name, value in (("cluster", "alpha"), ("after", ""), ("page_token", "")) if name in query}
    bounds = [query.pop(name) for name in ("start", "end") if name in query]
    if len(bounds) == 2:
        query["start"], query["end"] = sorted(bounds)
    bounds = [query.pop(name) for name in ("start_iteration", "end_iteration") if query.get(name, "") != ""]
    query |= dict(zip(("start_iteration", "end_iteration"), sorted(bounds), strict=False))
    if query.get("max_points", "") != "":
        query.pop("maxDataPoints", None)
    if query.get("layout") == "columns":
        query.pop("format", None)
    if query.get("layout") == "wide":
        query["format"] = "parquet"
        query |= {"metrics": "loss"} if "workload" in query else {}
    if case.path.endswith("/workloads/summary"):
        query["metrics"] = "loss"
    if "workload" in query:
        query["workload"] = [f"alpha/{each.partition('/')[2]}"[:200] for each in query["workload"]]
    case.query = complete_sampling(query)
    return case


def complete_sampling(query: dict[str, Any]) -> dict[str, Any]:
    """Add ``max_points`` where other parameters require it, and remove those that a preview excludes."""
    if query.get("method") == "stride":
        query = {name: value for name, value in query.items() if name not in WITHOUT_STRIDE}
    if query.get("method") == "stride" or (query.get("axis") and not query.get("maxDataPoints")):
        query["max_points"] = min(query.get("max_points") or 7, MOST_PREVIEWED)
    return query
