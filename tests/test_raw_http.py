"""Unusual bytes sent to a real gunicorn: each request gets its own answer, and none affects another."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import requests

import lens_perf
from lens_perf.clusters.transaction import BEGIN_SNAPSHOT, format_limits
from lens_perf.config import load_settings
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import READER, Row, Store, two_clusters
from tests.faults import wait_until
from tests.front.raw_http import converse
from tests.test_serving import gunicorn, on_one_version

HOST = b"Host: lens\r\n"
NEXT = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
# The last request of each connection: its 200 shows that the server has processed the bytes before it.
LAST = b"GET /healthz HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
EMPTY_CHUNK = b"0\r\n\r\n" + NEXT
WORKLOADS = b"/lens/v1/workloads"
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50)


def get(target: bytes = b"/healthz", method: bytes = b"GET", version: bytes = b"HTTP/1.1") -> bytes:
    return method + b" " + target + b" " + version + b"\r\n" + HOST + b"\r\n"


def head(lines: bytes, body: bytes = b"", method: bytes = b"GET") -> bytes:
    return method + b" /healthz HTTP/1.1\r\n" + HOST + lines + b"\r\n" + body


# If the end of a body is ambiguous, the server closes the connection. Well-formed requests are understood.
FRAMINGS = {
    "length and chunks": (head(b"Content-Length: 5\r\n" + CHUNKED, EMPTY_CHUNK), [400]),
    "chunks and length": (head(CHUNKED + b"Content-Length: 5\r\n", EMPTY_CHUNK), [400]),
    "two lengths": (head(b"Content-Length: 0\r\nContent-Length: 40\r\n", NEXT), [400]),
    "two equal lengths": (head(b"Content-Length: 0\r\nContent-Length: 0\r\n", NEXT), [400]),
    "list of lengths": (head(b"Content-Length: 0, 0\r\n", NEXT), [400]),
    "length with plus": (head(b"Content-Length: +0\r\n", NEXT), [400]),
    "negative length": (head(b"Content-Length: -1\r\n", NEXT), [400]),
    "hexadecimal length": (head(b"Content-Length: 0x0\r\n", NEXT), [400]),
    "length with underscore": (head(b"Content-Length: 0_0\r\n", NEXT), [400]),
    "empty length": (head(b"Content-Length: \r\n", NEXT), [400]),
    "unknown coding": (head(b"Transfer-Encoding: xchunked\r\n", EMPTY_CHUNK), [501]),
    "coding behind vertical tab": (head(b"Transfer-Encoding: \x0bchunked\r\n", EMPTY_CHUNK), [400]),
    "blank before colon": (head(b"Transfer-Encoding : chunked\r\n", EMPTY_CHUNK), [400]),
    "folded coding": (head(b"Transfer-Encoding:\r\n chunked\r\n", EMPTY_CHUNK), [400]),
    "two codings": (head(CHUNKED + b"Transfer-Encoding: identity\r\n", EMPTY_CHUNK), [400]),
    "chunked not last": (head(b"Transfer-Encoding: chunked, identity\r\n", EMPTY_CHUNK), [400]),
    "chunked twice": (head(b"Transfer-Encoding: chunked, chunked\r\n", EMPTY_CHUNK), [400]),
    "identity": (head(b"Transfer-Encoding: identity\r\n", NEXT), [400]),
    "chunks of HTTP/1.0": (b"GET /healthz HTTP/1.0\r\n" + CHUNKED + b"\r\n" + EMPTY_CHUNK, [400]),
    "size that is none": (head(CHUNKED, b"zz\r\n\r\n" + NEXT), [200, 400]),
    "size with prefix": (head(CHUNKED, b"0x0\r\n\r\n" + NEXT), [200, 400]),
    "chunk ended by bare LF": (head(CHUNKED, b"4\nabcd\n0\n\n" + NEXT), [200, 400]),
    "bare LF in chunk extension": (head(CHUNKED, b"0;a=\nb\r\n\r\n" + NEXT), [200, 400]),
    "well-formed chunks": (head(CHUNKED, EMPTY_CHUNK), [200, 404, 200]),
    "well-formed chunks behind tab": (head(b"Transfer-Encoding:\tchunked\r\n", EMPTY_CHUNK), [200, 404, 200]),
    "chunks nobody asked for": (head(CHUNKED, b"4\r\nabcd\r\n0\r\n\r\n" + NEXT, b"POST"), [405, 404, 200]),
    "a request as a body": (head(b"Content-Length: %d\r\n" % len(NEXT), NEXT + NEXT), [200, 404, 200]),
    "pipeline": (get() + get(b"/nowhere") + get(b"/lens/openapi.json"), [200, 404, 200, 200]),
    "pipeline with rubbish": (get() + b"RUBBISH\r\n\r\n" + get(), [200, 400]),
}
LINES = {
    "bare LF": (get().replace(b"\r\n", b"\n"), [400]),
    "bare LF in header": (head(b"X: y\nZ: z\r\n"), [400]),
    "bare CR in header": (head(b"X: y\rZ: z\r\n"), [400]),
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", [400]),
    "HTTP/1.0": (b"GET /healthz HTTP/1.0\r\n\r\n", [200]),
    "HTTP/2.0": (get(version=b"HTTP/2.0"), [400]),
    "HTTP/9.9": (get(version=b"HTTP/9.9"), [400]),
    "HTTP/2 by prior knowledge": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
    "TLS": (HELLO, [400]),
    "PROXY protocol": (b"PROXY TCP4 6.6.6.6 127.0.0.1 1 2\r\n" + get(), [400]),
    "empty lines": (b"\r\n\r\n" + get(), [400]),
    "small letters": (get(method=b"get"), [400]),
    "unknown method": (get(method=b"FROB"), [405, 200]),
    "TRACE": (get(method=b"TRACE"), [405, 200]),
    "control character in method": (get(method=b"G\x01T"), [400]),
    "no method": (get(method=b""), [400]),
    "tunnel": (get(b"evil.org:443", b"CONNECT"), [404]),
    "blank in target": (get(b"/a b"), [400]),
    "tabs between": (b"GET\t/healthz\tHTTP/1.1\r\n" + HOST + b"\r\n", [400]),
    "9 kB target": (get(b"/lens/v1/workloads/w/metrics/data?metrics=" + b"a" * 9000), [414]),
    "9 kB method": (get(method=b"A" * 9000), [414]),
    "line without end": (b"A" * 70000, [414]),
}
HEADERS = {
    "9 kB": (head(b"X: " + b"a" * 9000 + b"\r\n"), [431]),
    "1 MB": (head(b"X: " + b"a" * 1_000_000 + b"\r\n"), [431]),
    "too many": (head(b"".join(b"X-%d: 1\r\n" % number for number in range(101))), [431]),
    "control character": (head(b"X-Request-Id: a\x01b\r\n"), [400]),
    "NUL": (head(b"X: a\x00b\r\n"), [400]),
    "DEL": (head(b"X: a\x7fb\r\n"), [400]),
    "no ASCII": (head(b"X-Request-Id: \xff\xfe\r\n"), [200, 200]),
    "blank in name": (head(b"X y: 1\r\n"), [400]),
    "no name": (head(b": 1\r\n"), [400]),
    "no colon": (head(b"nonsense\r\n"), [400]),
    "two hosts": (head(b"Host: evil.org\r\n"), [400]),
    "host that is none": (b"GET /healthz HTTP/1.1\r\nHost: a b/\\@\r\n\r\n", [200, 200]),
    "expectation": (head(b"Expect: 100-continue\r\n"), [100, 200, 200]),
    "odd expectation": (head(b"Expect: frob\r\n"), [417]),
    "upgrade": (
        head(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
        [200, 200],
    ),
    # Neither header is trusted, because gunicorn's settings trust no proxy.
    "path of another": (head(b"PATH_INFO: /nowhere\r\nSCRIPT_NAME: /evil\r\n"), [200, 200]),
    "two schemes": (head(b"X-Forwarded-Proto: https\r\nX-Forwarded-Protocol: http\r\n"), [200, 200]),
    "range": (head(b"Range: bytes=0-1\r\n"), [200, 200]),
}
TARGETS = {
    "absolute": (get(b"http://evil.org" + WORKLOADS + b"//metrics/sources"), [400, 200]),
    "absolute, unknown path": (get(b"http://evil.org/nowhere"), [404, 200]),
    "asterisk": (get(b"*"), [400]),
    "asterisk, as it may be": (get(b"*", b"OPTIONS"), [404, 200]),
    "no slash": (get(b"lens/docs"), [400]),
    "two slashes, a host": (get(b"//evil.org/lens/openapi.json"), [404, 200]),
    "two slashes within": (get(b"/lens//openapi.json"), [404, 200]),
    "dots": (get(b"/lens/../healthz"), [404, 200]),
    "encoded dots": (get(b"/lens/%2e%2e/healthz"), [404, 200]),
    "out of the assets": (get(b"/lens/docs/assets/../../../../../../etc/passwd"), [404, 200]),
    "out of the assets, encoded": (get(b"/lens/docs/assets/..%2f..%2f..%2f..%2f..%2fetc/passwd"), [404, 200]),
    "NUL in an asset": (get(b"/lens/docs/assets/swagger-ui.css%00.js"), [404, 200]),
    "empty uid": (get(WORKLOADS + b"//metrics/sources"), [400, 200]),
    "encoded slash": (get(WORKLOADS + b"/a%2fb/metrics/sources"), [200, 200]),
    "encoded NUL": (get(WORKLOADS + b"/a%00b/metrics/sources"), [400, 200]),
    "raw NUL": (get(WORKLOADS + b"/a\x00b/metrics/sources"), [400]),
    "no UTF-8": (get(WORKLOADS + b"/%ff/metrics/sources"), [200, 200]),
    "no UTF-8, raw": (get(WORKLOADS + b"/\xff/metrics/sources"), [400]),
    "no UTF-8 in query": (get(WORKLOADS + b"/w/metrics/data?metrics=%ff%fe"), [200, 200]),
    "half an escape": (get(WORKLOADS + b"/%/metrics/sources"), [200, 200]),
    "surrogate": (get(WORKLOADS + b"/%ed%a0%80/metrics/data"), [200, 200]),
}
CORPUS = {
    f"{part}: {name}": case
    for part, cases in (("framing", FRAMINGS), ("line", LINES), ("header", HEADERS), ("target", TARGETS))
    for name, case in cases.items()
}


@pytest.fixture(scope="module")
def settings(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("raw_http") / "lens_perf.toml"
    path.write_text(two_clusters(postgres), "utf-8")
    return path


@pytest.fixture(scope="module")
def port(settings: Path) -> Iterator[int]:
    with gunicorn(settings) as address:
        yield int(address.rpartition(":")[2])


@on_one_version
@pytest.mark.parametrize("case", CORPUS)
def test_each_request_gets_its_answer(port: int, case: str) -> None:
    sent, expected = CORPUS[case]
    answers = converse(port, sent + LAST)
    assert answers.statuses == expected
    assert "Traceback" not in answers.text
    assert "root:" not in answers.text
    assert converse(port, LAST).statuses == [200]


# Bound values are texts or numbers in the statement.
LITERAL = re.compile(r"\bE'(?:''|\\.|[^'\\])*'|'(?:''|[^'])*'|\b\d+(?:\.\d+)?(?:e[+-]?\d+)?\b")
NAME = re.compile(r"/\* lens_perf: (\w+) \*/")
ATTACKS = ["'; DROP TABLE training_performance; --", "\\'; SELECT 1; --", "a\\", "%(workload_uid)s", "%s", "{columns}",
           "E'", "*/ SELECT 1 /*", "$$", "\u2019 OR 1=1", "\x1b[2J", "'||(SELECT 1)||'", '"', "\t\r\n;"]  # fmt: skip
QUERIES = ("sources", "available", "available?data_source=wandb", "data", "data?start=5&end=6", "iteration-times",
             "data?data_source=wandb", "data?metrics=step&data_source=wandb")  # fmt: skip


@pytest.fixture
def read_statements(postgres: EmbeddedPostgres) -> Iterator[Callable[[], list[str]]]:
    """Make the server log all statements of the service's role; yield a function that returns them."""
    log = postgres.socket_dir / "log"
    begins = log.stat().st_size
    with closing(psycopg2.connect(postgres.dsn("alpha"))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"ALTER ROLE {READER} SET log_statement = 'all'")

        def read() -> list[str]:
            with log.open("rb") as file:
                file.seek(begins)
                text = file.read().decode("utf-8", "replace")
            return re.findall(r"LOG:  statement: (.*?)(?=^\d{4}-\d\d-\d\d |\Z)", text, re.MULTILINE | re.DOTALL)

        yield read
        cursor.execute(f"ALTER ROLE {READER} RESET log_statement")


def ask_everything(session: requests.Session, address: str, word: str) -> None:
    """Send each request with ``word`` as uid, and the one for data also with it as the name of a metric."""
    for question in QUERIES:
        quoted = requests.utils.quote(word, safe="")
        status = session.get(f"{address}/lens/v1/workloads/{quoted}/metrics/{question}").status_code
        assert status == 200, question
    path = f"{address}/lens/v1/workloads/w/metrics/data"
    assert session.get(path, params={"metric": [word]}).status_code == 200
    assert session.get(path, params={"cluster": word}).status_code == 400


@on_one_version
def test_no_statement_but_the_known_ones(
    settings: Path, read_statements: Callable[[], list[str]], store: Store, uid: str
) -> None:
    """For any request, the statements are those of a plain request, except for bound values."""
    store(uid, [Row({"loss": 1})])
    with gunicorn(settings) as address, requests.Session() as session:
        session.trust_env = False
        for plain_uid in (uid, f"{uid}-unknown"):
            ask_everything(session, address, plain_uid)
        wait_until(lambda: len(read_statements()) >= 2 * (len(QUERIES) + 1))
        plain = read_statements()
        for sent, _ in CORPUS.values():
            converse(int(address.rpartition(":")[2]), sent + LAST)
        for attack in ATTACKS:
            ask_everything(session, address, attack)
        session.get(f"{address}/lens/v1/workloads/finished/metrics/sources")
        wait_until(lambda: any("'finished'" in statement for statement in read_statements()))
        said = read_statements()
    assert len(said) > len(ATTACKS) * len(QUERIES)
    limits = LITERAL.sub("?", format_limits(load_settings(settings, {}).limits).decode())
    known = set(NAME.findall("".join(path.read_text() for path in Path(lens_perf.__path__[0]).rglob("*.py"))))
    shapes = {" ".join(LITERAL.sub("?", statement).split()) for statement in said}
    begin = BEGIN_SNAPSHOT.decode()
    for shape in shapes - {"COMMIT", "ROLLBACK"}:
        name = NAME.match(shape.removeprefix(begin).lstrip().removeprefix(" ".join(limits.split())).lstrip())
        assert name is not None, shape
        assert name.group(1) in known
    assert shapes - {" ".join(LITERAL.sub("?", statement).split()) for statement in plain} == set()
