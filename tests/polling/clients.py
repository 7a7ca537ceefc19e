"""Polling clients: each keeps a copy by the rule of docs/polling.rst, and the ETag of the last full answer."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from lens_perf.api.metrics_views import SERVICE

DOCUMENT = Path(__file__).parents[2] / "docs" / "polling.rst"
QUERIES = (
    "data",
    "data?format=ndjson",
    "data?layout=columns",
    "data?metrics=loss&data_source=log",
    "data?non_finite=true&metrics=lr,loss",
    "iteration-times",
    "iteration-times?layout=columns",
    "iteration-times?data_source=wandb&format=ndjson",
)

LABELS = ("metric_name", "data_source")
FIELDS = ("iteration", "timestamp", "value")


def load_rule() -> Callable[[list[dict[str, Any]], dict[str, Any]], str]:
    """Return the function ``update`` as it is printed in docs/polling.rst."""
    match = re.search(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)", DOCUMENT.read_text("utf-8"))
    assert match
    names: dict[str, Any] = {}
    exec(dedent(match[1]), names)
    update: Callable[[list[dict[str, Any]], dict[str, Any]], str] = names["update"]
    return update


def parse_answer(response: Any) -> dict[str, Any]:
    """Return an answer of any encoding as JSON points."""
    if response.mimetype == "application/x-ndjson":
        lines = [json.loads(line) for line in response.text.splitlines()]
        changes = lines.pop(0) if lines and "cursor" in lines[0] else {}
        return {"data": lines, **changes}
    answer: dict[str, Any] = response.get_json()
    if "series" in answer:
        answer["data"] = [
            {
                "metric_name": each["metric_name"],
                "data_source": each["data_source"],
                **dict(zip(FIELDS, point, strict=True)),
            }
            for each in answer["series"]
            for point in zip(each["iterations"], each["timestamps"], each["values"], strict=True)
        ]
    return answer


def count_points(points: list[dict[str, Any]]) -> Counter[str]:
    """Return points without their order, because a client's copy has none."""
    return Counter(json.dumps(point, sort_keys=True) for point in points)


def check_copy(app: Flask, uid: str) -> None:
    """Check that the service's own copy, from which full answers are read, is equal to the table."""
    comparison = app.extensions[SERVICE].copies.verify("alpha", uid)
    assert comparison is None or comparison.is_good, comparison


class PollingClient:
    """One client of one query: its copy, its cursor, and the last full answer with its ETag."""

    def __init__(self, client: FlaskClient, uid: str, query: str, update: Callable[[Any, Any], str]) -> None:
        self._client = client
        self._address = f"/lens/v1/workloads/{uid}/metrics/{query}{'&' if '?' in query else '?'}"
        self._update = update
        self._points: list[dict[str, Any]] = []
        self._cursor = ""
        self._etag = ""
        self._body = b""
        self.resets = 0

    def connect(self, client: FlaskClient) -> None:
        """Continue with another instance of the service."""
        self._client = client

    def poll(self) -> None:
        """Request the changes and apply them."""
        response = self._client.get(f"{self._address}after={self._cursor}")
        assert response.status_code == 200, response.text
        answer = parse_answer(response)
        assert answer["cursor"] == response.headers["X-Cursor"]
        self.resets += bool(self._cursor) and answer["reset"]
        self._cursor = self._update(self._points, answer)

    def validate(self) -> None:
        """Send a request with the ETag and check that 304 is returned only for an unchanged answer."""
        response = self._client.get(self._address, headers={"If-None-Match": self._etag} if self._etag else {})
        full = self._client.get(self._address)
        if response.status_code == 304:
            assert full.data == self._body, f"304, but {self._body!r} has changed"
        else:
            assert response.status_code == 200, response.text
            assert response.data == full.data
        self._etag, self._body = full.headers["ETag"], full.data

    def is_up_to_date(self) -> bool:
        """Poll, and return whether the copy then equals a full read."""
        self.poll()
        full = parse_answer(self._client.get(self._address))
        return count_points(self._points) == count_points(full["data"])

    def check(self) -> None:
        """Check that the copy equals a full read."""
        full = parse_answer(self._client.get(self._address))
        assert count_points(self._points) == count_points(full["data"])
