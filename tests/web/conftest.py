"""Workloads for the pages, and a service for them."""

import time
from collections.abc import Iterator

import pytest

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import Row, Store, at
from tests.test_serving import gunicorn
from tests.web.pages import BEGAN, one_cluster


@pytest.fixture
def workloads(store: Store, uid: str) -> list[str]:
    """Two workloads: one with a restart and a NaN, one straight; a spike in each."""
    first, second = f"{uid}-first", f"{uid}-second"
    falling = [*range(1, 200), *range(150, 300)]
    values = {50: "NaN", 77: 9}
    rows = [
        Row(
            {"loss": values.get(index, 2 / (1 + index / 50)), "lr": 1e-4, "target_iteration": 1000},
            index,
            at(BEGAN + 1000 * place),
        )
        for place, index in enumerate(falling)
    ]
    store(first, rows)
    store(second, [Row({"loss": 3 / (1 + index / 40)}, index, at(BEGAN + 900 * index)) for index in range(1, 3000)])
    return [first, second]


@pytest.fixture(scope="module")
def address(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service with one cluster."""
    path = tmp_path_factory.mktemp("settings") / "lens_perf.toml"
    path.write_text(one_cluster(postgres), "utf-8")
    with gunicorn(path) as address:
        yield address


@pytest.fixture
def running(store: Store, uid: str) -> str:
    """A workload whose last record, with iteration 300, has the current time."""
    now = time.time() * 1000
    rows = [
        Row({"loss": 1 / index, "lr": 1e-4, "target_iteration": 1000}, index, at(now - 1000 * (300 - index)))
        for index in range(1, 301)
    ]
    store(uid, rows)
    return uid
