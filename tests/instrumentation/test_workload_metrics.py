"""``/metrics/workloads``: its content, and that clusters are queried rarely, regardless of the number of scrapes."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lens_perf.api.workload_gauges import FRESH_SECONDS, WorkloadGauges
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.errors import ClusterUnreachableError, CopyNotReadyError, LensError
from lens_perf.performance.selection import Selection
from lens_perf.performance.workload_list import ListQuery
from tests.conftest import Row, at, insert_rows, running_app
from tests.databases import database
from tests.instrumentation.exposition import read_samples, value_of
from tests.test_serving import on_one_version
from tests.watch.workloads import progress_at

STATE = "lens_perf_workload_state"


class World:
    """Clusters with listed workloads; each returns its ``progress``, or raises it."""

    names = ("alpha", "beta")

    def __init__(self) -> None:
        self.now = 0.0
        self.progress: dict[tuple[str, str], Any] = {}
        self.asked: list[str] = []
        self.listed = 0
        self.delay = 0.0
        self.gauges = WorkloadGauges(self, self, 50, lambda: self.now)

    def list_workloads(self, query: ListQuery, *, must_answer: bool) -> dict[str, Any]:
        assert (query.clusters, query.page_size, must_answer) == (self.names, 50, False)
        self.listed += 1
        time.sleep(self.delay)
        return {
            "workloads": [
                {"cluster": cluster, "workload_uid": uid, "last_timestamp": 100_000} for cluster, uid in self.progress
            ],
            "warnings": [],
        }

    def read_progress(self, cluster: str | None, selection: Selection, /) -> dict[str, Any]:
        self.asked.append(selection.workload_uid)
        found = self.progress[str(cluster), selection.workload_uid]
        if isinstance(found, LensError):
            raise found
        return {**found, "workload_uid": selection.workload_uid}

    def scrape(self) -> str:
        return self.gauges.expose().decode()

    def later(self) -> str:
        self.now += FRESH_SECONDS
        return self.scrape()


def test_what_is_reported() -> None:
    world = World()
    world.progress["alpha", 'odd "name"\n'] = progress_at(300, non_finite={"loss": 50})
    text = world.scrape()
    labels = {"cluster": "alpha", "workload": 'odd \\"name\\"\\n'}
    assert 'lens_perf_workload_state{cluster="alpha",state="stalled",workload="odd \\"name\\"\\n"} 1.0' in text
    assert text.count(f"{STATE}{{") == 4
    assert f'lens_perf_workload_iteration{{cluster="alpha",workload="{labels["workload"]}"}} 100.0' in text
    since = "lens_perf_workload_non_finite_since_timestamp_seconds"
    assert f'{since}{{cluster="alpha",data_source="log",metric="loss",workload="{labels["workload"]}"}} 50.0' in text
    assert value_of(text, "lens_perf_workloads_unread", cluster="alpha") == 0


def test_workloads_without_iterations_are_not_reported() -> None:
    world = World()
    nothing = progress_at(0) | {"state": None, "last_timestamp": None, "current_iteration": None}
    world.progress["alpha", "w"] = nothing | {"target_iteration": None, "seconds_per_iteration": None}
    found = {name for name, _ in read_samples(world.scrape())}
    assert found == {STATE, "lens_perf_workloads_unread"}


def test_clusters_are_queried_rarely() -> None:
    world = World()
    world.progress["alpha", "w"] = progress_at(100)
    for _ in range(10):
        world.scrape()
    assert world.asked == ["w"]
    world.later()
    assert world.asked == ["w", "w"]


def test_concurrent_scrapes_share_one_query() -> None:
    world = World()
    world.progress["alpha", "w"] = progress_at(100)
    world.delay = 0.2
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(world.scrape())) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (world.listed, len(set(answers)), "lens_perf_workload_state" in answers[0]) == (1, 1, True)


def test_ended_workloads_are_not_queried_again() -> None:
    world = World()
    world.progress["alpha", "over"] = progress_at(200_000)
    world.progress["alpha", "runs"] = progress_at(100)
    world.scrape()
    assert value_of(world.later(), STATE, cluster="alpha", workload="over", state="ended") == 1
    assert world.asked == ["over", "runs", "runs"]


def test_an_unavailable_cluster_keeps_its_last_values() -> None:
    world = World()
    for uid in ("one", "two"):
        world.progress["alpha", uid] = progress_at(100)
    world.progress["beta", "three"] = progress_at(300)
    world.scrape()
    world.progress["alpha", "one"] = ClusterUnreachableError("away")
    world.asked.clear()
    text = world.later()
    assert world.asked == ["one", "three"], "no second try of a cluster that is away"
    assert value_of(text, STATE, cluster="alpha", workload="two", state="running") == 1
    assert value_of(text, "lens_perf_workloads_unread", cluster="alpha") == 1
    assert value_of(text, "lens_perf_workloads_unread", cluster="beta") == 0


def test_a_workload_that_cannot_be_read_does_not_affect_others() -> None:
    world = World()
    world.progress["alpha", "long"] = CopyNotReadyError("half", 0.5)
    world.progress["alpha", "short"] = progress_at(100)
    text = world.scrape()
    assert value_of(text, STATE, cluster="alpha", workload="short", state="running") == 1
    assert (STATE, frozenset({("cluster", "alpha"), ("workload", "long"), ("state", "running")})) not in read_samples(
        text
    )


@on_one_version
def test_the_path_is_off_unless_enabled(
    postgres: EmbeddedPostgres, write_settings: Callable[[str], Path], uid: str
) -> None:
    now = time.time()
    rows = [Row({"loss": 1}, number, at(round((now - 50 + number) * 1000))) for number in range(1, 50)]
    with database(postgres, "gauges") as dsn:
        insert_rows(postgres.dsn("gauges"), uid, rows)
        clusters = f"""
            current_cluster = "alpha"
            [clusters.alpha]
            dsn = "{dsn}"
            [clusters.unreachable]
            dsn = "host=127.0.0.1 port=1"
        """
        with running_app(write_settings(clusters)) as app:
            assert app.test_client().get("/metrics/workloads").status_code == 404
        with running_app(write_settings(f"{clusters}\n[http]\nworkload_metrics = 5\n")) as app:
            answer = app.test_client().get("/metrics/workloads")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.content_type.startswith("text/plain; version=")
    assert value_of(answer.text, STATE, cluster="alpha", workload=uid, state="running") == 1
    assert value_of(answer.text, "lens_perf_workload_iteration", cluster="alpha", workload=uid) == 49
    assert value_of(answer.text, "lens_perf_workloads_unread", cluster="unreachable") == 1
