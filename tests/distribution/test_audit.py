"""The audit reports known vulnerabilities, and says so if there is no database."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.audit import audit, judge
from tests.distribution.commands import need_package
from tests.test_serving import free_port

REQUIREMENTS = "".join(f"{name}==1.0 --hash=sha256:{'0' * 64}\n" for name in ("bad-package", "good-package"))


@pytest.fixture(autouse=True)
def needs_pip_audit() -> None:
    need_package("pip-audit", "release")


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.txt"
    path.write_text(REQUIREMENTS)
    return path


class Database(BaseHTTPRequestHandler):
    """Answers as OSV's API does: one of the packages has a vulnerability."""

    known: tuple[str, ...] = ()

    def do_POST(self) -> None:
        package = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]
        body = json.dumps({"vulns": [self.vulnerability(package)]} if package["name"] in self.known else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @staticmethod
    def vulnerability(package: dict[str, str]) -> dict[str, Any]:
        ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0"}]}]
        affected = [{"package": {"name": package["name"], "ecosystem": package["ecosystem"]}, "ranges": ranges}]
        return {"id": "TEST-1", "summary": "words", "affected": affected}

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        pass


@contextmanager
def database(*known: str) -> Iterator[list[str]]:
    handler = type("Handler", (Database,), {"known": known})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield ["--vulnerability-service", "osv", "--osv-url", f"http://127.0.0.1:{server.server_port}/"]
        finally:
            server.shutdown()
            thread.join()


def test_a_vulnerability_is_found(requirements: Path, tmp_path: Path) -> None:
    with database("bad-package") as arguments:
        found = audit(requirements, [*arguments, "--cache-dir", str(tmp_path / "cache")])
    assert found == ("bad-package 1.0: TEST-1, fixed in 2.0", 1)


def test_none_is_found(requirements: Path, tmp_path: Path) -> None:
    with database() as arguments:
        found = audit(requirements, [*arguments, "--cache-dir", str(tmp_path / "cache")])
    assert found == ("no known vulnerability in 2 packages", 0)


def test_without_a_database_the_audit_is_skipped(requirements: Path, tmp_path: Path) -> None:
    unreachable = ["--vulnerability-service", "osv", "--osv-url", f"http://127.0.0.1:{free_port()}/"]
    found = audit(requirements, [*unreachable, "--cache-dir", str(tmp_path / "cache")])
    assert found == ("skipped: no database of vulnerabilities can be reached", 0)


def test_a_bad_file_fails(tmp_path: Path) -> None:
    words, status = audit(tmp_path / "nowhere.txt", [])
    assert (status, "nowhere.txt" in words) == (2, True)


def test_packages_that_the_database_does_not_know() -> None:
    good, unknown = {"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "not found"}
    assert judge([unknown]) == ("skipped: the database of vulnerabilities knows none of the packages", 0)
    assert judge([good, unknown]) == ("not audited: b", 1)
