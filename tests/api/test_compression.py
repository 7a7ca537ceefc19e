"""Compressed responses: which ones are compressed, and that they have the same content."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import READER, Row, Store, running_app

GZIP = {"Accept-Encoding": "gzip, deflate"}


@pytest.fixture
def address(store: Store, uid: str) -> str:
    store(uid, [Row({"loss": index / 7}, index) for index in range(200)])
    return f"/lens/v1/workloads/{uid}/metrics/data"


@pytest.mark.parametrize("form", ["", "?format=csv", "?format=ndjson", "?layout=columns"])
def test_a_compressed_response_has_the_same_content(client: FlaskClient, address: str, form: str) -> None:
    plain = client.get(address + form)
    packed = client.get(address + form, headers=GZIP)
    if packed.headers["ETag"] != plain.headers["ETag"]:
        # An ETag holds the second in which it was taken, which may have ended between the two.
        plain = client.get(address + form)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(packed.data) == plain.data
    assert packed.content_length == len(packed.data) < len(plain.data) / 3
    assert packed.headers["ETag"] == plain.headers["ETag"]
    for answer in (plain, packed):
        assert "Accept-Encoding" in answer.vary


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "identity, gzip;q=0.5"])
def test_clients_that_refuse_compression_get_none(client: FlaskClient, address: str, accepted: str) -> None:
    answer = client.get(address, headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in answer.headers


def test_small_responses_errors_and_head_are_not_compressed(client: FlaskClient, address: str) -> None:
    for path in (address + "?end_iteration=3", address + "?start=1"):
        assert "Content-Encoding" not in client.get(path, headers=GZIP).headers
    assert "Content-Encoding" not in client.head(address, headers=GZIP).headers


@pytest.fixture(params=[0, 1], ids=["direct", "behind a proxy"])
def proxies(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture
def app_with_files(postgres: EmbeddedPostgres, write_settings: Callable[[str], Path], proxies: int) -> Iterator[Flask]:
    """An application that keeps no answer in memory."""
    settings = f"""
        [http]
        trusted_proxies = {proxies}
        [limits]
        memory_mib = 0
        [clusters.alpha]
        dsn = "{postgres.dsn("alpha", READER)}"
    """
    with running_app(write_settings(settings)) as app:
        yield app


def test_a_large_response_is_compressed_while_sent_unless_a_proxy_is_trusted(
    app_with_files: Flask, store: Store, uid: str, proxies: int
) -> None:
    store(uid, [Row({"loss": index / 7}, index) for index in range(3000)])
    client, path = app_with_files.test_client(), f"/lens/v1/workloads/{uid}/metrics/data"
    with client.get(path) as plain, client.get(path, headers=GZIP) as answer:
        assert (answer.headers.get("Content-Encoding") == "gzip") == (proxies == 0)
        assert (gzip.decompress(answer.data) if proxies == 0 else answer.data) == plain.data
        assert plain.content_length == len(plain.data)
