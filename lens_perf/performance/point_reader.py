"""Answers queries for data points: checks the client's ETags and cursor, chooses a plan, and runs it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from lens_perf.errors import InvalidParameterError
from lens_perf.performance.cluster_interface import Clusters
from lens_perf.performance.copy_interface import Copy
from lens_perf.performance.freshness.checkpoint import Position, read_position
from lens_perf.performance.freshness.cursor import Cursor
from lens_perf.performance.freshness.entity_tag import EntityTag
from lens_perf.performance.freshness.statements import select_count, select_rewrites
from lens_perf.performance.freshness.tokens import NotATokenError, digest
from lens_perf.performance.heavy_queries import HeavyQueries
from lens_perf.performance.plan import Plan, choose_plan, is_preview
from lens_perf.performance.point_changes import Changes, Observation, count_records, describe_changes, find_changes
from lens_perf.performance.points.answers import answer_from_copy
from lens_perf.performance.points.fetched_records import fetch_records
from lens_perf.performance.points.point_count import PointCount
from lens_perf.performance.points.preview_statement import copy_preview
from lens_perf.performance.points.query import PointAnswer, PointQuery
from lens_perf.performance.points.spool import PointBody, Spool
from lens_perf.performance.points.table_points import write_table_points
from lens_perf.performance.statements import Transaction
from lens_perf.performance.time_limit import TimeLimit
from lens_perf.performance.workload_copies import WorkloadCopies
from lens_perf.settings import LimitSettings

NOT_A_CURSOR = "after must be the cursor of an earlier answer for this workload; leave it empty to start"


@dataclass(frozen=True)
class _Work:
    """The context of a plan: the query, its time limits, the spool, and the state of the table in its snapshot."""

    query: PointQuery
    time_limit: TimeLimit
    spool: Spool
    count: PointCount
    observation: Observation
    changes: Changes | None


class PointReader:
    """Answers PointQueries, in constant memory. Safe to use from several threads."""

    def __init__(self, clusters: Clusters, copies: WorkloadCopies, limits: LimitSettings) -> None:
        self._clusters = clusters
        self._copies = copies
        self._limits = limits
        self._heavy_queries = HeavyQueries()
        self._plans: Mapping[Plan, Callable[[_Work], PointAnswer]] = {
            Plan.CHANGES: self._answer_changes,
            Plan.PREVIEW: self._answer_preview,
            Plan.TABLE: self._answer_from_table,
            Plan.COPY: self._answer_from_copy,
        }

    def read(self, query: PointQuery, time_limit: TimeLimit | None = None, *, points_before: int = 0) -> PointAnswer:
        """Return the answer. ``points_before`` is the number of data points of other workloads in the same response.

        Raises InvalidParameterError for a cursor of another query, ResultTooLargeError, DeadlineExceededError,
        ClientLeftError, CopyNotReadyError, and the ClusterErrors of the query's cluster.
        """
        time_limit = time_limit or TimeLimit(self._limits.deadline_seconds)
        subject = self._digest_subject(query)
        tag = digest(subject, replace(query, cluster=None, known=()))
        before = _parse_cursor(query, subject)
        current = self._find_current(query, tag, time_limit)
        if current is not None:
            return PointAnswer(None, current.encode())
        changes = None if before is None else self._find_changes(query, before, time_limit)
        plan = choose_plan(
            query,
            has_copy=self._copies.exists(query.cluster, query.selection.workload_uid, query.names),
            has_changes=changes is not None,
        )
        with self._admit(query, points_before) as count, Spool(self._memory_bytes) as spool:
            work = _Work(query, time_limit, spool, count, Observation(query, subject, tag), changes)
            return replace(self._plans[plan](work), points=count.value)

    def check(self, query: PointQuery) -> None:
        """Raise InvalidParameterError for a cursor of another query, and UnknownClusterError."""
        _parse_cursor(query, self._digest_subject(query))

    def find_etag(self, query: PointQuery) -> str | None:
        """Return the current ETag of the response without reading it; None for previews and for changes.

        Raises as ``read`` does, except for errors that depend on the data points.
        """
        time_limit = TimeLimit(self._limits.deadline_seconds)
        subject = self._digest_subject(query)
        tag = digest(subject, replace(query, cluster=None, known=()))
        _parse_cursor(query, subject)
        current = self._find_current(query, tag, time_limit)
        if current is not None:
            return current.encode()
        if is_preview(query):
            with self._clusters.read(query.cluster, time_limit.seconds_left):
                return None
        observation = Observation(query, subject, tag)
        with self._open_position(query, time_limit) as (transaction, position):
            if query.after is not None:
                return None
            observation.note(transaction, position)
            return observation.make_etag(lambda: select_count(transaction, query.basis))

    def _digest_subject(self, query: PointQuery) -> str:
        """Return a digest of the subject of a cursor: the workload and the data source. Ranges may differ."""
        selection = query.selection
        return digest(self._clusters.resolve(query.cluster), selection.workload_uid, selection.data_source)

    def _find_current(self, query: PointQuery, tag: str, time_limit: TimeLimit) -> EntityTag | None:
        """Return the client's ETag that is current, or None."""
        known = _parse_etags(query.known, tag)
        if not known:
            return None
        with self._open_position(query, time_limit) as (transaction, position):
            current = (each for each in known if each.is_current(transaction, query.basis, position))
            return next(current, None)

    def _find_changes(self, query: PointQuery, before: Cursor, time_limit: TimeLimit) -> Changes | None:
        with self._open_position(query, time_limit) as (transaction, position):
            return find_changes(
                transaction, position, query, before, most_fields=self._copies.most_fields, check=time_limit.check
            )

    @contextmanager
    def _open_position(self, query: PointQuery, time_limit: TimeLimit) -> Iterator[tuple[Transaction, Position]]:
        with self._clusters.read(query.cluster, time_limit.seconds_left) as transaction:
            rewrites = select_rewrites(transaction, query.selection.workload_uid)
            with transaction.snapshot():
                yield transaction, read_position(transaction, query.selection.workload_uid, rewrites)

    def _answer_changes(self, work: _Work) -> PointAnswer:
        assert work.changes is not None  # noqa: S101 - this plan is chosen only if there are changes
        cursor, pairs, records = work.changes
        extra = describe_changes(cursor, pairs, reset=False)
        # The client dropped all points of the pairs, so it needs all current ones, not a sample.
        query = replace(work.query, sampling=None)
        return PointAnswer(self._write(work, records, query, extra), None, cursor, changes=extra)

    def _answer_preview(self, work: _Work) -> PointAnswer:
        query, sampling = work.query, work.query.sampling
        assert sampling is not None  # noqa: S101 - a preview is a sampling method
        with self._clusters.read(query.cluster, work.time_limit.seconds_left) as transaction:
            records = fetch_records(
                lambda sink: copy_preview(transaction, query.selection, sampling.max_points, sink),
                self._copies.most_fields,
                work.time_limit.check,
                names=query.names,
            )
        return PointAnswer(self._write(work, records, query, {}), None)

    def _answer_from_table(self, work: _Work) -> PointAnswer:
        with self._open_position(work.query, work.time_limit) as (transaction, position):
            work.observation.note(transaction, position)
            etag = work.observation.make_etag(lambda: select_count(transaction, work.query.basis))
            cursor, extra = work.observation.describe()
            body = write_table_points(
                transaction, work.query, work.spool, work.count, memory_bytes=self._memory_bytes, extra=extra
            )
        return PointAnswer(body, etag, cursor, changes=extra)

    def _answer_from_copy(self, work: _Work) -> PointAnswer:
        query = work.query

        def read(copy: Copy) -> PointAnswer:
            etag = work.observation.make_etag(lambda: count_records(copy, query.basis.data_source))
            cursor, extra = work.observation.describe()
            return PointAnswer(self._write(work, copy, query, extra), etag, cursor, changes=extra)

        return self._copies.answer(
            query.cluster,
            query.selection.workload_uid,
            work.time_limit,
            read,
            names=query.names,
            observe=work.observation.note,
        )

    @property
    def _memory_bytes(self) -> int:
        return self._limits.memory_mib * 2**20

    def _write(self, work: _Work, copy: Copy, query: PointQuery, extra: Mapping[str, Any]) -> PointBody:
        return answer_from_copy(
            copy,
            query,
            work.spool,
            work.count,
            memory_bytes=self._memory_bytes,
            check=work.time_limit.check,
            extra=extra,
        )

    @contextmanager
    def _admit(self, query: PointQuery, points_before: int) -> Iterator[PointCount]:
        """Count the points. A query that becomes heavy, or was heavy the last time, needs a heavy-read slot."""
        heavy_query = replace(query, known=())
        with ExitStack() as held:

            def admit() -> None:
                self._heavy_queries.add(heavy_query)
                held.enter_context(self._clusters.admit_heavy_read(query.cluster))

            known = heavy_query in self._heavy_queries
            if known:
                admit()
            yield PointCount(self._limits.max_points, None if known else admit, before=points_before)


def _parse_cursor(query: PointQuery, subject: str) -> Cursor | None:
    if not query.after:
        return None
    try:
        return Cursor.parse(query.after, subject)
    except NotATokenError:
        raise InvalidParameterError(NOT_A_CURSOR, {"query": {"after": [NOT_A_CURSOR]}}) from None


def _parse_etags(texts: Sequence[str], tag: str) -> list[EntityTag]:
    """Return the ETags that belong to this query."""
    found = []
    for text in texts:
        with suppress(NotATokenError):
            found.append(EntityTag.parse(text, tag))
    return found
