"""When a request is complete: independent of its division into pieces, and each byte is examined only a few times."""

from itertools import pairwise

import pytest
from gunicorn.http.errors import InvalidRequestLine, LimitRequestHeaders
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.capacity import LARGEST_BODY
from lens_perf.serving.arriving_request import LARGEST_HEAD, ArrivingRequest

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /d HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


def arrive(*pieces: bytes) -> ArrivingRequest:
    request = ArrivingRequest()
    for piece in pieces:
        if request.is_ready:
            break
        request.add(piece)
    return request


@pytest.mark.parametrize(
    ("sent", "is_ready"),
    [
        (GET, True),
        (GET[:-1], False),
        (b"\r\n" + GET, True),
        (POST % 5 + b"12345", True),
        (POST % 5 + b"1234", False),
        (POST % 5 + b"12345" + GET, True),
        (POST.replace(b"C", b"c") % 5 + b"1234", False),
        (POST % 0, True),
        # Requests that the parser or the application refuses are ready at once.
        (POST % (LARGEST_BODY + 1), True),
        ((POST % 5).replace(b": 5", b": +5"), True),
        ((POST % 5).replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n"), True),
        (b"POST /d HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", True),
        # Only headers count, not the request line.
        (b"GET /?content-length:5 HTTP/1.1\r\nHost: x\r\n\r\n", True),
    ],
)
def test_when_it_is_ready(sent: bytes, is_ready: bool) -> None:
    request = arrive(sent)
    assert request.is_ready is is_ready
    assert request.fault is None


@pytest.mark.parametrize(
    ("sent", "fault"),
    [
        (b"\x16\x03\x01\x02", InvalidRequestLine),
        (b"\x00", InvalidRequestLine),
        (b"GET / HTTP/1.1\nHost: x\n\n", InvalidRequestLine),
        (b"\n", InvalidRequestLine),
        (b"A" * (LARGEST_HEAD + 1), LimitRequestHeaders),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000, LimitRequestHeaders),
    ],
)
def test_requests_without_an_end_are_ready_with_an_error(sent: bytes, fault: type[Exception]) -> None:
    request = arrive(sent)
    assert request.is_ready
    assert type(request.fault) is fault


WHOLES = [GET, POST % 7 + b"a=b&c=d", POST % 3 + b"a=b" + GET, b"GET / HTTP/1.1\nHost: x\n\n", b"\r\n" + GET + GET]


@given(st.sampled_from(WHOLES), st.lists(st.integers(0, 120), max_size=20))
def test_the_pieces_make_no_difference(whole: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    pieces = [whole[start:end] for start, end in pairwise(places) if end > start]
    request, at_once = arrive(*pieces), arrive(whole)
    assert request.is_ready
    assert type(request.fault) is type(at_once.fault)
    # Bytes after the request may not have been read yet.
    assert bytes(at_once.received).startswith(bytes(request.received))


@given(st.binary(max_size=300))
def test_any_bytes_can_arrive(content: bytes) -> None:
    for pieces in ([content], [content[:index] for index in (0, 1)], [bytes([byte]) for byte in content]):
        arrive(*(piece for piece in pieces if piece))


def test_an_expectation_is_met_once() -> None:
    lines = b"Expect: 100-Continue\r\n", b"Content-Length: 3\r\n"
    for head in (b"".join(lines), b"".join(reversed(lines))):
        request = arrive(b"POST /d HTTP/1.1\r\n" + head + b"\r\n")
        assert request.awaits_continue
        assert not request.is_ready
        request.add(b"a=b")
        assert request.is_ready
        assert bytes(request.received) == b"POST /d HTTP/1.1\r\nContent-Length: 3\r\n\r\na=b"


@pytest.mark.parametrize(
    ("line", "is_probe"),
    [
        (b"GET /healthz HTTP/1.1", True),
        (b"HEAD /readyz?x=1 HTTP/1.0", True),
        (b"GET /metrics HTTP/1.1", True),
        (b"GET /metricsx HTTP/1.1", False),
        (b"POST /metrics HTTP/1.1", False),
        (b"GET /lens/healthz HTTP/1.1", False),
        (b"GET //healthz HTTP/1.1", False),
        (b"GET /lens/v1/workloads/w/metrics/data HTTP/1.1", False),
    ],
)
def test_probes(line: bytes, is_probe: bool) -> None:
    assert arrive(line + b"\r\nHost: x\r\n\r\n").is_probe is is_probe
