"""Log lines: one line of strict JSON each, for any content."""

import logging
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.instrumentation import request_log
from lens_perf.instrumentation.timing import end_timings, start_timings
from tests.conftest import strict_json

PRINTABLE = re.compile(r"[ -~]+")


def line_of(message: str, *arguments: object, **extra: Any) -> Any:
    record = logging.getLogger("tests.log").makeRecord(
        "tests.log", logging.WARNING, "", 0, message, arguments, None, extra=extra
    )
    line = request_log.JsonFormatter().format(record)
    assert PRINTABLE.fullmatch(line), line
    return strict_json(line)


@pytest.fixture
def request_id() -> Iterator[str]:
    start_timings().request_id = "id-1"
    yield "id-1"
    end_timings()


def test_the_fields_of_a_line() -> None:
    line = line_of("cluster %s: away", "alpha")
    assert list(line) == ["time", "level", "logger", "message"]
    assert line["message"] == "cluster alpha: away"
    assert (line["level"], line["logger"]) == ("WARNING", "tests.log")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert datetime.fromisoformat(line["time"]).utcoffset() is not None


def test_a_line_logged_in_a_request_has_its_id(request_id: str) -> None:
    assert line_of("anything")["request_id"] == request_id


def test_fields() -> None:
    assert line_of("request", fields={"status": 200, "token": None})["status"] == 200


@given(st.text())
def test_any_text(text: str) -> None:
    assert line_of("%s", text, fields={"path": text})["message"] == text


@pytest.mark.parametrize("text", ["a\r\nb", "\x1b[31mred", "\x7f", "\x9b31m", "\u2028", "\0", "\ud800", '"}\n{"'])
def test_control_characters(text: str) -> None:
    assert line_of(text)["message"] == text


def test_an_exception_is_on_one_line() -> None:
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError("first\nsecond")
    record = logging.makeLogRecord({"exc_info": (caught.type, caught.value, caught.tb)})
    line = request_log.JsonFormatter().format(record)
    assert PRINTABLE.fullmatch(line)
    assert "RuntimeError: first\nsecond" in strict_json(line)["exception"]


@pytest.mark.parametrize("given_id", ["a", "A-1_b.c", "9" * 128])
def test_a_valid_id_is_used(given_id: str) -> None:
    assert request_log.choose_request_id(given_id) == given_id


@pytest.mark.parametrize("given_id", [None, "", "9" * 129, "a b", "a\n", "a\r\nX: y", "\x1b[1m", "é", 'a"b', "a,b"])
def test_an_invalid_id_is_replaced(given_id: str | None) -> None:
    chosen = request_log.choose_request_id(given_id)
    assert re.fullmatch("[0-9a-f]{32}", chosen)
    assert chosen != request_log.choose_request_id(given_id)


@pytest.mark.parametrize(
    ("target", "path"),
    [("/a", "/a"), ("/a?token=x", "/a"), ("/a#b?c", "/a"), ("/a%0d", "/a%0d"), ("/" + "a" * 600, "/" + "a" * 511)],
)
def test_paths(target: str, path: str) -> None:
    assert request_log.bare_path(target) == path
