"""Checks of workloads by a service with given answers, and real listeners."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lens_perf.commands.watch_command import find_newly_missing
from lens_perf.errors import ClusterUnreachableError, LensError
from lens_perf.performance.points.query import PointAnswer, PointQuery
from lens_perf.performance.selection import Selection
from lens_perf.watch.known import StateFile
from lens_perf.watch.messages import Format
from lens_perf.watch.observation import Observation
from lens_perf.watch.watcher import CheckResult, Named, Watcher
from lens_perf.watch.webhooks import Poster, Webhook
from tests.watch.listener import Listener, run_listener
from tests.watch.workloads import progress_at

RUN = Named("alpha", "run")


@dataclass
class Service:
    """Answers with ``progress`` of each workload, or raises it."""

    progress: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def list_sources(self, _cluster: str | None, workload_uid: str) -> dict[str, Any]:
        return {"total_count": int(workload_uid in self.progress)}

    def read_progress(self, _cluster: str | None, selection: Selection) -> dict[str, Any]:
        self.asked.append(selection.workload_uid)
        found = self.progress[selection.workload_uid]
        if isinstance(found, LensError):
            raise found
        return dict(found)

    def list_available(self, *_: str | None) -> dict[str, Any]:
        return {"metrics": [{"name": "lr"}]}

    def read_points(self, _query: PointQuery) -> PointAnswer:
        raise AssertionError("lr is no loss")


@dataclass
class World:
    """A watcher that can be started again with the same state file, and its service."""

    service: Service
    path: Path
    listed: dict[str, Any] = field(default_factory=lambda: {"workloads": [], "warnings": []})

    def start(self, *webhooks: Webhook, named: tuple[Named, ...] = (RUN,)) -> Watcher:
        posters = [Poster(webhook, lambda: 0.0) for webhook in webhooks]
        return Watcher(self.service, lambda: self.listed, named, posters, StateFile(self.path))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Service(), tmp_path / "watch.json")


def hook(listener: Listener, format_: Format = "json") -> Webhook:
    return Webhook(f"{listener.url}/", format_)


def posted(listener: Listener) -> list[list[str]]:
    return [[event["event"] for event in body["events"]] for body in listener.bodies]


def test_an_event_is_posted_once_also_by_the_next_watcher(world: World) -> None:
    with run_listener() as listener:
        for now, iteration in ((100, 100), (300, 100), (310, 100), (320, 300), (320, 300)):
            world.service.progress["run"] = progress_at(now, iteration)
            assert world.start(hook(listener)).check(60, now).posted
        assert posted(listener) == [["stalled"], ["resumed"]]


def test_failed_posts_are_posted_later(world: World) -> None:
    with run_listener(500, 200) as listener, run_listener() as other:
        world.service.progress["run"] = progress_at(300)
        assert not world.start(hook(listener), hook(other, "slack")).check(60, 300).posted
        world.service.progress["run"] = progress_at(320, 320)
        assert world.start(hook(listener), hook(other, "slack")).check(60, 320).posted
        assert posted(listener) == [["stalled", "resumed"]]
        assert [body["text"].count("\n") for body in other.bodies] == [0, 0]


def test_a_lost_cluster_is_waited_for(world: World, caplog: pytest.LogCaptureFixture) -> None:
    watcher = world.start(named=(RUN, Named("beta", "other")))
    world.service.progress = {
        "run": ClusterUnreachableError("Cluster alpha cannot be reached now"),
        "other": progress_at(300),
    }
    for _ in range(3):
        result = watcher.check(60, 300)
        assert (result.read, len(result.seen)) == (False, 1)
    assert caplog.text.count("cannot be reached now") == 1
    world.service.progress["run"] = progress_at(300)
    result = watcher.check(60, 300)
    assert ([event.workload_uid for event in result.events], result.read) == (["run"], True)
    assert "alpha can be read again" in caplog.text


def test_alerts_are_sent_for_as_long_as_they_hold(world: World) -> None:
    with run_listener() as listener:
        for now, iteration in ((300, 100), (330, 100), (360, 360)):
            world.service.progress["run"] = progress_at(now, iteration)
            assert world.start(hook(listener, "alertmanager")).check(60, now).posted
        assert [[alert["labels"]["alertname"] for alert in body] for body in listener.bodies] == [
            ["LensWorkloadStalled"],
            ["LensWorkloadStalled"],
        ]


def test_ended_workloads_are_not_read_again(world: World) -> None:
    def list_one(uid: str, last: int | None) -> None:
        world.listed["workloads"] = [{"cluster": "alpha", "workload_uid": uid, "last_timestamp": last}]

    watcher, now = world.start(named=()), 10_000_000
    for uid, iteration in (("done", now - 10), ("old", 5), ("timeless", None)):
        world.service.progress[uid] = progress_at(now, iteration or 1, target_iteration=7)
        list_one(uid, None if iteration is None else iteration * 1000)
        for _ in range(2):
            watcher.check(60, now)
    assert world.service.asked == ["done"]
    list_one("done", now * 1000)
    watcher.check(60, now)
    assert world.service.asked == ["done", "done"]


def test_a_cluster_that_cannot_be_listed_is_reported(world: World) -> None:
    world.listed["warnings"] = [{"cluster": "beta", "message": "Cluster beta did not answer in time"}]
    assert not world.start(named=()).check(60, 0).read


@pytest.mark.parametrize(
    ("now", "changes", "severity"),
    [
        (100, {}, "ok"),
        (300, {}, "critical"),
        (100, {"non_finite": {"loss": 50}}, "critical"),
        (100, {"non_finite": {"lr": 50}}, "warning"),
        (200_000, {}, "warning"),
    ],
)
def test_severity(world: World, now: float, changes: dict[str, Any], severity: str) -> None:
    world.service.progress["run"] = progress_at(now, **changes)
    assert world.start().check(60, now).severity == severity


def test_a_missing_workload_is_reported_again_only_after_it_was_seen() -> None:
    reported = set[str]()
    seen = Observation("alpha", "w", {})
    checks: list[tuple[list[Observation], list[str]]] = [
        *(([], ["w"]), ([], ["w"])),
        *(([], []), ([], ["w"])),  # the cluster did not answer in between
        *(([seen], []), ([], ["w"])),
    ]
    found = [
        find_newly_missing(CheckResult(seen_now, [], missing, read=True, posted=True), reported)
        for seen_now, missing in checks
    ]
    assert found == [["w"], [], [], [], [], ["w"]]
