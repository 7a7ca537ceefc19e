"""Lists the workloads of several clusters page by page, the most recently active first, with warnings for failures."""

import hashlib
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lens_perf.errors import InvalidParameterError, LensError
from lens_perf.performance.cluster_interface import Clusters
from lens_perf.performance.grouped_workload_queries import select_grouped_activity, select_grouped_details
from lens_perf.performance.payloads import ListedWorkload, WorkloadPage
from lens_perf.performance.source_names import name_source
from lens_perf.performance.workload_queries import select_activity, select_details

# The time limit for all clusters together. A cluster that does not respond delays a page no longer than this.
BOUND_SECONDS = 2.5
# Listing thousands of workloads takes about ten milliseconds, so requests within this time share the result.
FRESH_SECONDS = 1.0
NOT_A_TOKEN = "page_token must be the next_page_token of an earlier answer to the same request"  # noqa: S105 - none

Key = tuple[int, str, str]
# The id that selects all records: for first pages, and for clusters that did not answer for the first page.
LATEST = 2**63 - 1
Found = TypeVar("Found")


@dataclass(frozen=True)
class ListQuery:
    """Selects a page of the workloads of ``clusters`` whose uid contains ``search``; ``page_token`` continues one."""

    clusters: tuple[str, ...]
    search: str
    page_size: int
    page_token: str | None

    def digest(self) -> str:
        """Return a digest of the query without the page."""
        return hashlib.blake2b(json.dumps([self.clusters, self.search]).encode(), digest_size=6).hexdigest()


@dataclass(frozen=True)
class Activity:
    """When a workload was last active, in milliseconds since 1970; None if no record has a time."""

    cluster: str
    workload_uid: str
    last_timestamp: int | None

    def key(self) -> Key:
        """Return the sort key: the most recent first, workloads without a time last."""
        newest_first = 2**63 if self.last_timestamp is None else -self.last_timestamp
        return newest_first, self.cluster, self.workload_uid


@dataclass(frozen=True)
class Position:
    """The start of a page: after ``key``, None for the first page.

    ``as_of`` is the newest record id of each cluster when the list was begun.
    """

    key: Key | None
    as_of: Mapping[str, int]


@dataclass(frozen=True)
class ClusterActivity:
    """The workloads of a cluster as of the record ``as_of``, read at ``read_at``, a time of ``time.monotonic``."""

    read_at: float
    as_of: int
    workloads: Sequence[Activity]

    def serves(self, as_of: int) -> bool:
        """Return whether this was read recently, and has the state ``as_of``."""
        return as_of in (self.as_of, LATEST) and time.monotonic() <= self.read_at + FRESH_SECONDS


class WorkloadLister:
    """Answers ListQuerys. Safe to use from several threads."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters
        self._known: dict[str, ClusterActivity] = {}

    def list(self, query: ListQuery, *, must_answer: bool) -> WorkloadPage:
        """Return one page, the number of workloads on all pages, and warnings for clusters that did not answer.

        All pages have the order of the first one, so that writes between requests do not move workloads between pages.
        With ``must_answer``, the ClusterError or DeadlineExceededError of a cluster is raised instead of a warning.
        Raises InvalidParameterError for an invalid token.
        """
        start = _parse_token(query)
        activities, failures = self._ask_all(
            ("activity", *sorted(start.as_of.items())),
            query.clusters,
            lambda name: self._find_activity(name, start.as_of.get(name, LATEST)),
        )
        wanted = query.search.lower()
        found = [
            each
            for activity in activities.values()
            for each in activity.workloads
            if wanted in each.workload_uid.lower()
        ]
        following = sorted((each for each in found if start.key is None or each.key() > start.key), key=Activity.key)
        page, rest = following[: query.page_size], following[query.page_size :]
        uids = {name: [each.workload_uid for each in page if each.cluster == name] for name in activities}
        listed = [name for name in uids if uids[name]]
        key = "details", tuple((name, *uids[name]) for name in listed)
        details, detail_failures = self._ask_all(key, listed, lambda name: self._describe(name, uids[name]))
        failures |= detail_failures
        if must_answer and failures:
            raise next(iter(failures.values()))
        return {
            "workloads": [
                _describe_workload(each, details[each.cluster][each.workload_uid])
                for each in page
                if each.workload_uid in details.get(each.cluster, {})
            ],
            "total_count": len(found),
            "next_page_token": _write_token(query, page[-1], activities) if rest else None,
            "warnings": [{"cluster": name, "message": failures[name].message} for name in sorted(failures)],
        }

    def _find_activity(self, name: str, as_of: int) -> ClusterActivity:
        known = self._known.get(name)
        if known is not None and known.serves(as_of):
            return known
        with self._clusters.read(name, BOUND_SECONDS) as transaction:
            rows = (select_grouped_activity if transaction.is_citus else select_activity)(transaction, as_of)
        latest_id = rows[0][2] if rows else 0
        workloads = [Activity(name, uid, last) for uid, last, _ in rows]
        found = ClusterActivity(time.monotonic(), min(as_of, latest_id), workloads)
        if as_of == LATEST:
            self._known[name] = found
        return found

    def _describe(self, name: str, workload_uids: Sequence[str]) -> Mapping[str, tuple[Any, ...]]:
        with self._clusters.read(name, BOUND_SECONDS) as transaction:
            select = select_grouped_details if transaction.is_citus else select_details
            return {row[0]: row for row in select(transaction, workload_uids)}

    def _ask_all(
        self, key: Hashable, names: Sequence[str], ask: Callable[[str], Found]
    ) -> tuple[Mapping[str, Found], dict[str, LensError]]:
        """Return the results of clusters by name, and the errors of the others in the order of ``names``."""
        found, failures = self._clusters.ask_all(key, names, ask, BOUND_SECONDS)
        return found, {name: failures[name] for name in names if name in failures}


def _describe_workload(activity: Activity, row: tuple[Any, ...]) -> ListedWorkload:
    uid, data_sources, records, first_timestamp, last_iteration = row
    return {
        "cluster": activity.cluster,
        "workload_uid": uid,
        "data_sources": list(dict.fromkeys(map(name_source, data_sources or []))),
        "records": records,
        "first_timestamp": first_timestamp,
        "last_timestamp": activity.last_timestamp,
        "last_iteration": last_iteration,
    }


def _write_token(query: ListQuery, last: Activity, activities: Mapping[str, ClusterActivity]) -> str:
    as_of = [activities[name].as_of if name in activities else LATEST for name in query.clusters]
    return urlsafe_b64encode(json.dumps([query.digest(), last.key(), as_of]).encode()).decode().rstrip("=")


def _parse_token(query: ListQuery) -> Position:
    """Return the start of the page. Raises InvalidParameterError."""
    if query.page_token is None:
        return Position(None, {})
    try:
        digest, (newest_first, cluster, uid), as_of = json.loads(urlsafe_b64decode(query.page_token.encode() + b"=="))
    except (ValueError, TypeError, RecursionError):
        digest, newest_first, cluster, uid, as_of = None, 0, "", "", []
    is_whole = [type(each) for each in (newest_first, cluster, uid, as_of)] == [int, str, str, list]
    if digest != query.digest() or not is_whole or not _are_ids(as_of, len(query.clusters)):
        raise InvalidParameterError(NOT_A_TOKEN, {"query": {"page_token": [NOT_A_TOKEN]}})
    return Position((newest_first, cluster, uid), dict(zip(query.clusters, as_of, strict=True)))


def _are_ids(values: Sequence[Any], count: int) -> bool:
    return len(values) == count and all(type(each) is int and 0 <= each <= LATEST for each in values)
