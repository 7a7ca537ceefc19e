"""Checks workloads at intervals: observes them, finds events, saves the state, and posts."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from lens_perf.errors import LensError
from lens_perf.watch.events import Event, compare
from lens_perf.watch.known import StateFile
from lens_perf.watch.messages import write_alerts, write_events, write_slack
from lens_perf.watch.observation import Observation, Service, observe
from lens_perf.watch.webhooks import Poster

logger = logging.getLogger(__name__)

# A workload without newer records has ended long ago, or is very slow and already known.
RECENT_SECONDS = 7 * 86_400
OVER = frozenset({"ended", "finished"})
# An alert survives two failed checks.
ALERT_INTERVALS = 3

ListWorkloads = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class Named:
    """A workload that is watched by name."""

    cluster: str
    workload_uid: str


class Outcome(Enum):
    """The outcome of the check of one workload."""

    READ = "its records were read"
    MISSING = "the cluster has no records of it"
    FAILED = "the cluster did not answer"


@dataclass(frozen=True)
class CheckResult:
    """The result of a check: the observed workloads, the events, and whether all were read and posted.

    ``missing`` are the named workloads of which no cluster has records.
    """

    seen: Sequence[Observation]
    events: Sequence[Event]
    missing: Sequence[str]
    read: bool
    posted: bool

    @property
    def severity(self) -> str:
        """The worst of the workloads' health and of the events' severity."""
        found = {each.progress["health"]["status"] for each in self.seen} | {event.severity for event in self.events}
        return next((each for each in ("critical", "warning") if each in found), "ok")


class Watcher:
    """Watches workloads: those ``named``, else the ones that ``list_workloads`` lists as recently active."""

    def __init__(
        self,
        service: Service,
        list_workloads: ListWorkloads,
        named: Sequence[Named],
        posters: Sequence[Poster],
        state_file: StateFile,
    ) -> None:
        self._service = service
        self._list_workloads = list_workloads
        self._named = named
        self._posters = posters
        self._state_file = state_file
        self._memory = state_file.load()
        self._failing: set[str] = set()

    def check(self, interval_seconds: float, now_seconds: float | None = None) -> CheckResult:
        """Check all workloads once, and post. Raises ConfigError if the state file cannot be written."""
        now = time.time() if now_seconds is None else now_seconds
        seen: list[Observation] = []
        events: list[Event] = []
        chosen, could_list = self._choose(now)
        outcomes = [(each.workload_uid, self._check_workload(each, now, seen, events)) for each in chosen]
        self._queue(events)
        # Saved before posting: an event may be posted twice, with the same id, but is never lost.
        self._state_file.save(self._memory)
        posted = self._post(seen, events, now, interval_seconds)
        read = could_list and all(outcome is not Outcome.FAILED for _, outcome in outcomes)
        return CheckResult(seen, events, _list_missing(outcomes), read, posted)

    def post_again(self, result: CheckResult, interval_seconds: float) -> bool:
        """Wait until failed posts may be retried, and retry them; return whether all are accepted now."""
        time.sleep(max((poster.wait_seconds for poster in self._posters), default=0.0))
        return self._post(result.seen, result.events, time.time(), interval_seconds)

    def _check_workload(self, each: Named, now: float, seen: list[Observation], events: list[Event]) -> Outcome:
        known = self._memory.recall(each.cluster, each.workload_uid)
        try:
            # Before anything that would build a copy.
            if self._named and not self._has_records(each):
                self._report(each.cluster, None)
                return Outcome.MISSING
            observation = observe(self._service, each.cluster, each.workload_uid, known)
        except LensError as error:
            self._report(each.cluster, error.message)
            return Outcome.FAILED
        self._report(each.cluster, None)
        if observation.progress["state"] is None and not observation.progress["non_finite"]:
            return Outcome.READ
        found, known = compare(known, observation, now)
        self._memory.remember(each.cluster, each.workload_uid, known)
        seen.append(observation)
        events += found
        return Outcome.READ

    def _has_records(self, each: Named) -> bool:
        return bool(self._service.list_sources(each.cluster, each.workload_uid)["total_count"])

    def _choose(self, now: float) -> tuple[Sequence[Named], bool]:
        """Return which workloads to check, and whether all clusters answered."""
        if self._named:
            return self._named, True
        try:
            answer = self._list_workloads()
        except LensError as error:
            self._report("The list of workloads", error.message)
            return [], False
        self._report("The list of workloads", None)
        for warning in answer["warnings"]:
            logger.warning("%s", warning["message"])
        return list(self._select_listed(answer["workloads"], now)), not answer["warnings"]

    def _select_listed(self, workloads: Iterable[Mapping[str, Any]], now: float) -> Iterator[Named]:
        """Yield the workloads that may have changed: not those that have ended or finished and have no new records."""
        for each in workloads:
            known = self._memory.recall(each["cluster"], each["workload_uid"])
            last = each["last_timestamp"]
            if known is None:
                if last is not None and now - last / 1000 <= RECENT_SECONDS:
                    yield Named(each["cluster"], each["workload_uid"])
            elif known.state not in OVER or last != known.last_timestamp:
                yield Named(each["cluster"], each["workload_uid"])

    def _queue(self, events: Sequence[Event]) -> None:
        names = {poster.webhook.name for poster in self._posters if poster.webhook.format != "alertmanager"}
        self._memory.pending = {name: queued for name, queued in self._memory.pending.items() if name in names}
        if events:
            for name in names:
                self._memory.queue(name, [event.as_json() for event in events])

    def _post(self, seen: Sequence[Observation], events: Sequence[Event], now: float, interval_seconds: float) -> bool:
        """Post waiting events and active alerts; return whether all were accepted."""
        done = True
        for poster in self._posters:
            if poster.webhook.format == "alertmanager":
                alerts = write_alerts(seen, events, now, ALERT_INTERVALS * interval_seconds)
                done = (not alerts or poster.post(alerts)) and done
                continue
            pending = self._memory.pending.get(poster.webhook.name, [])
            write = write_slack if poster.webhook.format == "slack" else write_events
            if pending and poster.post(write(pending)):
                del self._memory.pending[poster.webhook.name]
                self._state_file.save(self._memory)
            done = done and poster.webhook.name not in self._memory.pending
        return done

    def _report(self, what: str, problem: str | None) -> None:
        """Log a problem when it begins and when it ends."""
        if problem is not None and what not in self._failing:
            self._failing.add(what)
            logger.warning("%s", problem)
        elif problem is None and what in self._failing:
            self._failing.discard(what)
            logger.warning("%s can be read again", what)


def _list_missing(outcomes: Sequence[tuple[str, Outcome]]) -> Sequence[str]:
    """Return the workloads that are missing from every cluster in which they are watched."""
    found = {uid for uid, outcome in outcomes if outcome is not Outcome.MISSING}
    return [uid for uid in dict.fromkeys(uid for uid, _ in outcomes) if uid not in found]
