"""Uids with any characters, including slashes, at every endpoint and in every valid spelling of the URL."""

import http.client
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from lens_perf.api.arguments import NOT_BLANK
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance import workload_list
from tests.conftest import Row, Store, at, running_app, strict_json, two_clusters
from tests.test_serving import gunicorn, on_one_version

ENDPOINTS = ("metrics/sources", "metrics/available", "metrics/data", "metrics/iteration-times", "progress")
STORABLE = st.characters(exclude_characters="\0", exclude_categories=("Cs",))
# Mainly characters with a meaning in URLs, and those that replace slashes.
SPECIAL = st.sampled_from(["/", "//", "%", "%2F", "%2f", "%25", "?", "#", ";", "\ue000", "\ue001", "/metrics/data"])
UIDS = st.lists(SPECIAL | st.text(STORABLE, max_size=4), min_size=1, max_size=8).map("".join)
# The characters that need no escaping in a segment of a path, or none of them; RFC 3986, section 3.3.
SAFE = st.sampled_from(["", "!$&'()*+,;=:@"])
HARD = ["a/b", "a//b", "/", "//", "/a", "a/", "a%2Fb", "50%/", "a/metrics/data", "x\ue000/y", "é/ü", "a?b/c#d;e=f"]


def hold(fetch: Callable[[str], object], path: str, uid: str, endpoint: str, records: int) -> None:
    answer = fetch(f"/lens/v1/workloads/{path}/{endpoint}")
    assert isinstance(answer, dict), answer
    assert answer["workload_uid"] == uid
    if endpoint == "metrics/sources":
        assert answer["data_sources"] == ([{"name": "log", "count": records}] if records else [])


def fetch_from(client: FlaskClient) -> Callable[[str], object]:
    def fetch(path: str) -> object:
        response = client.get(path)
        return strict_json(response.text) if response.status_code == 200 else response.text

    return fetch


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(uid=UIDS.filter(NOT_BLANK.search), safe=SAFE, lower=st.booleans())
def test_any_characters(client: FlaskClient, uid: str, safe: str, lower: bool) -> None:
    path = quote(uid, safe=safe)
    for endpoint in ENDPOINTS:
        hold(fetch_from(client), path.replace("%2F", "%2f") if lower else path, uid, endpoint, 0)


def test_listed_workloads_can_be_requested(
    client: FlaskClient, store: Store, uid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workload_list, "FRESH_SECONDS", -1.0)
    for hard in HARD:
        store(f"{uid}{hard}", [Row({"loss": 1}, 1, at(1))])
    listed = client.get("/lens/v1/workloads", query_string={"search": uid}).json["workloads"]
    assert {each["workload_uid"] for each in listed} == {f"{uid}{hard}" for hard in HARD}
    for each in listed:
        for endpoint in ENDPOINTS:
            hold(fetch_from(client), quote(each["workload_uid"], safe=""), each["workload_uid"], endpoint, 1)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_slashes_count_as_characters(client: FlaskClient, endpoint: str) -> None:
    assert client.get(f"/lens/v1/workloads/{'%2F' * 256}/{endpoint}").status_code == 200
    assert client.get(f"/lens/v1/workloads/{'%2F' * 257}/{endpoint}").status_code == 400
    assert client.get(f"/lens/v1/workloads/a%2F%00/{endpoint}").status_code == 400


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST"])
def test_other_methods(client: FlaskClient, method: str) -> None:
    plain, slashed = (client.open(f"/lens/v1/workloads/{uid}/metrics/data", method=method) for uid in ("w", "a%2Fb"))
    assert plain.status_code == slashed.status_code
    assert plain.headers.get("Allow") == slashed.headers.get("Allow")


@on_one_version
@pytest.mark.parametrize("prefix", ["", "/behind/a proxy"])
def test_below_a_path(app: Flask, monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    """Both if the application is mounted there, and if a proxy removes the path and sends it in a header."""
    if prefix:
        monkeypatch.setattr(app, "wsgi_app", DispatcherMiddleware(lambda *_: [], {prefix: app.wsgi_app}))
    for uid in HARD:
        path = quote(f"{prefix}/lens/v1/workloads/") + quote(uid, safe="") + "/metrics/sources"
        assert app.test_client().get(path).json["workload_uid"] == uid


@on_one_version
def test_behind_a_proxy_that_removes_a_path(postgres: EmbeddedPostgres, write_settings: Callable[[str], Path]) -> None:
    with running_app(write_settings(two_clusters(postgres) + "\n[http]\ntrusted_proxies = 1\n")) as app:
        for uid in HARD:
            path = f"/lens/v1/workloads/{quote(uid, safe='')}/metrics/sources"
            answer = app.test_client().get(path, headers={"X-Forwarded-Prefix": "/lens"})
            assert answer.json["workload_uid"] == uid


@on_one_version
def test_under_gunicorn(postgres: EmbeddedPostgres, write_settings: Callable[[str], Path]) -> None:
    """Also with an absolute URL as target, as proxies send it."""
    with gunicorn(write_settings(two_clusters(postgres))) as address:
        host = urlsplit(address).netloc
        with closing(http.client.HTTPConnection(host, timeout=20)) as connection:

            def fetch(target: str) -> object:
                connection.request("GET", target)
                return strict_json(connection.getresponse().read().decode())

            for start in ("", address):
                for uid in HARD:
                    hold(lambda path, start=start: fetch(start + path), quote(uid, safe=""), uid, ENDPOINTS[0], 0)
                assert fetch(f"{start}/lens/v1/workloads//metrics/sources")["message"] == "workload_uid is required"  # type: ignore[index]
                assert fetch(f"{start}/lens/v1/workloads/a/b/metrics/sources")["code"] == 404  # type: ignore[index]
