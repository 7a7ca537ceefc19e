"""No space for temporary files: requests that need one get 503, the others succeed, and no file remains open."""

import errno
import resource
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import polars as pl
import pytest
from flask import Flask

from lens_perf.app import REGISTRY
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance.points.full_disk import find_errno
from tests.conftest import READER, Row, Store, running_app, strict_json
from tests.test_serving import on_one_version

LARGE = ("data", "data?format=csv", "data?format=ndjson", "data?layout=columns", "data?metrics=m1,m2")


@pytest.fixture
def app(postgres: EmbeddedPostgres, write_settings: Callable[[str], Path]) -> Iterator[Flask]:
    """An application that keeps only small responses in memory."""
    text = f'[limits]\nmemory_mib = 1\n[clusters.alpha]\ndsn = "{postgres.dsn("alpha", READER)}"'
    with running_app(write_settings(text)) as app:
        yield app


@pytest.fixture
def large(store: Store, uid: str) -> str:
    store(uid, [Row({f"m{name}": index / 7 for name in range(5)}, index) for index in range(12_000)])
    return uid


@contextmanager
def full() -> Iterator[None]:
    """Limit the size of files to 64 KiB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 2**10, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def absent() -> Iterator[None]:
    """Make the directory of temporary files unavailable."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", "/nonexistent")
        yield


def open_temporary_files() -> list[str]:
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the descriptor by which this directory is read
            found.append(str(link.readlink()))
    return [target for target in found if target.endswith("(deleted)") and not target.startswith("/memfd:")]


def test_polars_reports_the_errno_as_text() -> None:
    """A frame that is written to a full disk fails without an errno."""
    with full(), tempfile.TemporaryFile(buffering=0) as file, pytest.raises(OSError, match="os error") as failure:
        pl.DataFrame({"text": ["x" * 100] * 20_000}).write_csv(file)
    assert find_errno(failure.value) == errno.EFBIG
    assert find_errno(OSError(errno.ENOSPC, "No space left on device")) == errno.ENOSPC
    assert find_errno(OSError("something else")) is None


@on_one_version
@pytest.mark.parametrize("endpoint", LARGE)
@pytest.mark.parametrize("fault", [full, absent])
def test_only_requests_that_need_a_file_are_refused(
    app: Flask, large: str, endpoint: str, fault: Callable[[], AbstractContextManager[None]]
) -> None:
    client, path = app.test_client(), f"/lens/v1/workloads/{large}/metrics/"
    before = open_temporary_files()
    with fault():
        for _ in range(3):
            response = client.get(path + endpoint)
            assert response.status_code == 503
            assert response.headers["Retry-After"] == "1"
            assert strict_json(response.text)["message"].startswith("The service has no room for large answers now")
            assert client.get(path + "sources").status_code == 200
        assert open_temporary_files() == before
        assert app.extensions[REGISTRY].connections_in_use("alpha") == 0
    held = []
    for _ in range(3):
        with client.get(path + endpoint) as response:
            assert response.status_code == 200
            assert len(response.data) > 64 * 2**10
        held.append(len(open_temporary_files()))
    # The columnar copy keeps its own files; answers keep none.
    assert held[1] == held[2]


@on_one_version
def test_other_errors_of_files_are_errors_of_the_service(
    app: Flask, large: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError(5, "I/O error of the code's own making")

    monkeypatch.setattr("lens_perf.performance.service.PerformanceService.list_sources", fail)
    assert app.test_client().get(f"/lens/v1/workloads/{large}/metrics/sources").status_code == 500
