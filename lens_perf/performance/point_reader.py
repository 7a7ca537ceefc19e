"""Answers questions for data points: whether anything is new, then the points, in flat memory."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any, Protocol

import orjson

from lens_perf.config import LimitSettings
from lens_perf.errors import InvalidParameterError
from lens_perf.performance import queries
from lens_perf.performance.column_writer import ColumnWriter
from lens_perf.performance.freshness.checkpoint import Position, read_position
from lens_perf.performance.freshness.cursor import Cursor, Delta, begin, find_delta
from lens_perf.performance.freshness.entity_tag import EntityTag, read_entity_tag
from lens_perf.performance.freshness.pairs import Pairs
from lens_perf.performance.freshness.statements import select_ids, select_rewrites
from lens_perf.performance.freshness.tokens import NotATokenError, digest
from lens_perf.performance.glance_queries import copy_glance
from lens_perf.performance.heavy_questions import HeavyQuestions
from lens_perf.performance.marked_points import MarkedPoints, SampledPoints
from lens_perf.performance.notations import COLUMNS, CSV, CSV_HEADER, JSON, NDJSON, Notation
from lens_perf.performance.object_expander import ObjectExpander
from lens_perf.performance.point_questions import ITERATION_TIMES, Form, PointAnswer, PointQuestion
from lens_perf.performance.point_writer import BodyFile, LineWriter, PointCount, PointWriter, Writer
from lens_perf.performance.row_blocks import collect_rows
from lens_perf.performance.sampled_points_queries import copy_sampled_points
from lens_perf.performance.sampled_times_queries import copy_sampled_times
from lens_perf.performance.sampling_statements import Sampling
from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import Transaction
from lens_perf.performance.survey_queries import select_survey

# Up to here PostgreSQL picks the metrics out; beyond, copying whole objects is faster (docs/decisions.rst).
MOST_NAMED_METRICS = 4
# A statement has room for so many.
MOST_SAMPLED_METRICS = 100

NOTATIONS: dict[Form, Notation] = {"json": JSON, "ndjson": NDJSON, "csv": CSV, "columns": COLUMNS}
NOT_A_CURSOR = "after must be the cursor of an earlier answer about this workload; leave it empty to begin"
NO_CSV_CHANGES = "CSV cannot say which points to remove; use format=json, format=ndjson or layout=columns with after"


class Clusters(Protocol):
    """What is needed of the registry."""

    def read(self, asked: str | None) -> AbstractContextManager[Transaction]:
        """Borrow a connection to the cluster that answers for ``asked``."""

    def admit_heavy_read(self, asked: str | None) -> AbstractContextManager[None]:
        """Hold one of the few places for reads of many data points, or raise ClusterSaturatedError."""

    def resolve(self, asked: str | None) -> str:
        """Return the name of the cluster that answers for ``asked``."""


class PointReader:
    """Answers PointQuestions, in flat memory."""

    def __init__(self, clusters: Clusters, limits: LimitSettings) -> None:
        self._clusters = clusters
        self._limits = limits
        self._heavy_questions = HeavyQuestions()

    def read(self, question: PointQuestion) -> PointAnswer:
        """Return the answer. Raises the LensError of what keeps it from being given."""
        subject = digest(self._clusters.resolve(question.cluster), *_subject(question.selection))
        tag = digest(subject, replace(question, cluster=None, known=()))
        before = _parse_cursor(question, subject)
        current = self._find_current(question, tag)
        if current is not None:
            return PointAnswer(None, current.encode())
        with self._admit(question) as count, BodyFile(self._limits.memory_mib * 2**20) as body:
            with self._clusters.read(question.cluster) as transaction:
                rewrites = select_rewrites(transaction)
                with transaction.snapshot():
                    position = read_position(transaction, rewrites)
                    if question.after is not None:
                        delta = _find_delta(transaction, question, position, before, subject)
                        return self._send_delta(transaction, question, delta, body, count)
                    etag = read_entity_tag(transaction, question.selection, position, tag)
                    writer = self._open_writer(question, body, count)
                    further = _write_points(transaction, question, question.selection, writer)
            return PointAnswer(writer.finish(further), etag.encode())

    def find_etag(self, question: PointQuestion) -> str | None:
        """Return the ETag that the answer has now, without reading it: one that the caller has, if one still holds.

        None for the changes after a cursor. Raises what ``read`` raises, but for what depends on the data points.
        """
        subject = digest(self._clusters.resolve(question.cluster), *_subject(question.selection))
        tag = digest(subject, replace(question, cluster=None, known=()))
        _parse_cursor(question, subject)
        current = self._find_current(question, tag)
        if current is not None:
            return current.encode()
        with self._clusters.read(question.cluster) as transaction:
            rewrites = select_rewrites(transaction)
            with transaction.snapshot():
                position = read_position(transaction, rewrites)
                if question.after is not None:
                    return None
                return read_entity_tag(transaction, question.selection, position, tag).encode()

    def _find_current(self, question: PointQuestion, tag: str) -> EntityTag | None:
        """Return which of the ETags that the caller has still holds, if any does."""
        known = _parse_etags(question.known, tag)
        if not known:
            return None
        with self._clusters.read(question.cluster) as transaction:
            rewrites = select_rewrites(transaction)
            with transaction.snapshot():
                position = read_position(transaction, rewrites)
                current = (each for each in known if each.is_current(transaction, question.selection, position))
                return next(current, None)

    def _send_delta(
        self, transaction: Transaction, question: PointQuestion, delta: Delta, body: BodyFile, count: PointCount
    ) -> PointAnswer:
        """Return the answer to a client that keeps a copy: what to remove from it, and what to add."""
        selection, pairs = question.selection, delta.pairs
        if not delta.reset:
            if question.metrics == ITERATION_TIMES:
                pairs = _widen(pairs, delta.cursor)
            selection = replace(selection, ids=tuple(_list_ids(transaction, selection, pairs)))
        cursor = delta.cursor.encode()
        changes = {
            "cursor": cursor,
            "reset": delta.reset,
            "changed": [{"data_source": source, "iteration": iteration} for source, iteration in pairs],
        }
        writer = self._open_writer(question, body, count, changes)
        further = _write_points(transaction, question, selection, writer) if delta.reset or selection.ids else {}
        return PointAnswer(writer.finish(further | changes), None, cursor)

    def _open_writer(
        self, question: PointQuestion, body: BodyFile, count: PointCount, changes: Mapping[str, Any] | None = None
    ) -> Writer:
        labels = {"workload_uid": question.selection.workload_uid}
        if question.selection.data_source is not None:
            labels["data_source"] = question.selection.data_source
        if question.form == "columns":
            return ColumnWriter(labels, body, count, self._limits.memory_mib * 2**20)
        if question.form == "json":
            return PointWriter(labels, body, count)
        if question.form == "csv":
            return LineWriter(CSV_HEADER, body, count)
        # Ahead of the points, so that a client that reads line by line removes before it adds.
        return LineWriter(None if changes is None else orjson.dumps(changes).decode(), body, count)

    @contextmanager
    def _admit(self, question: PointQuestion) -> Iterator[PointCount]:
        """Count the points; a read that becomes heavy, or was so when it was last asked for, needs a place for it."""
        asked = replace(question, known=())
        with ExitStack() as held:

            def admit() -> None:
                self._heavy_questions.add(asked)
                held.enter_context(self._clusters.admit_heavy_read(question.cluster))

            known = asked in self._heavy_questions
            if known:
                admit()
            yield PointCount(self._limits.max_points, None if known else admit)


def _subject(selection: Selection) -> tuple[str, str | None]:
    """Return whose records a cursor is about: what has been seen of them does not depend on ranges."""
    return selection.workload_uid, selection.data_source


def _parse_cursor(question: PointQuestion, subject: str) -> Cursor | None:
    if not question.after:
        return None
    if question.form == "csv":
        raise InvalidParameterError(NO_CSV_CHANGES, {"query": {"after": [NO_CSV_CHANGES]}})
    try:
        return Cursor.parse(question.after, subject)
    except NotATokenError:
        raise InvalidParameterError(NOT_A_CURSOR, {"query": {"after": [NOT_A_CURSOR]}}) from None


def _parse_etags(texts: Sequence[str], tag: str) -> list[EntityTag]:
    """Return the ETags of this query: others belong to other answers."""
    found = []
    for text in texts:
        with suppress(NotATokenError):
            found.append(EntityTag.parse(text, tag))
    return found


def _find_delta(
    transaction: Transaction, question: PointQuestion, position: Position, before: Cursor | None, subject: str
) -> Delta:
    if before is None:
        return begin(transaction, question.selection, position, subject)
    return find_delta(transaction, question.selection, position, before)


def _widen(pairs: Pairs, cursor: Cursor) -> Pairs:
    """Return the pairs of the same iterations in all data sources, among which iteration times show the earliest."""
    iterations = dict.fromkeys(iteration for _, iteration in pairs if iteration is not None)
    sources = dict.fromkeys([*(cursor.last_iterations or ()), *pairs.sources])
    return Pairs.of((source, iteration) for source in sources for iteration in iterations)


def _list_ids(transaction: Transaction, selection: Selection, pairs: Pairs) -> Iterator[int]:
    for source in pairs.sources:
        none = source in pairs.without_iteration
        yield from select_ids(transaction, selection.workload_uid, source, pairs.ranges.get(source, ()), none=none)


def _write_points(
    transaction: Transaction, question: PointQuestion, selection: Selection, writer: Writer
) -> dict[str, Any]:
    """Give ``writer`` the data points; return what else is to be said of them."""
    notation, sampling = NOTATIONS[question.form], question.sampling
    if sampling is not None:
        survey = select_survey(transaction, selection)
        if survey.records > sampling.max_points:
            return {"sampling": _write_sampled(transaction, question, sampling.suit(survey, selection), writer)}
    points = MarkedPoints(notation, writer, non_finite=question.non_finite)
    if question.metrics == ITERATION_TIMES:
        with collect_rows(points.take) as rows:
            queries.copy_iteration_times(transaction, selection, notation, rows)
    elif question.metrics is not None and len(question.metrics) <= MOST_NAMED_METRICS:
        with collect_rows(points.take) as rows:
            queries.copy_named_points(transaction, selection, question.metrics, notation, rows)
    else:
        expander = ObjectExpander(question.metrics, notation, writer, non_finite=question.non_finite)
        with collect_rows(expander.take) as rows:
            queries.copy_objects(transaction, selection, question.metrics, rows)
    return {} if sampling is None else {"sampling": _describe("none", writer.count.value, writer)}


def _write_sampled(
    transaction: Transaction, question: PointQuestion, sampling: Sampling, writer: Writer
) -> dict[str, Any]:
    total = 0
    metrics, selection, notation = question.metrics, question.selection, NOTATIONS[question.form]
    if sampling.method == "stride" and metrics != ITERATION_TIMES:
        expander = ObjectExpander(metrics, notation, writer, non_finite=sampling.non_finite)
        with collect_rows(expander.take) as rows:
            copy_glance(transaction, selection, sampling.max_points, rows)
        return _describe("stride", None, writer)
    if metrics == ITERATION_TIMES:
        points = SampledPoints(notation, writer)
        with collect_rows(points.take) as rows:
            copy_sampled_times(transaction, selection, sampling, notation, rows)
        return _describe("m4", points.total, writer)
    names = _list_names(transaction, selection) if metrics is None else metrics
    for start in range(0, len(names), MOST_SAMPLED_METRICS):
        batch = names[start : start + MOST_SAMPLED_METRICS]
        points = SampledPoints(notation, writer, non_finite=sampling.non_finite)
        with collect_rows(points.take) as rows:
            copy_sampled_points(transaction, selection, batch, sampling, notation=notation, sink=rows)
        total += points.total
    return _describe("m4", total, writer)


def _list_names(transaction: Transaction, selection: Selection) -> Sequence[str]:
    rows = queries.select_available(transaction, selection.workload_uid, selection.data_source)
    return list(dict.fromkeys(name for name, _source, _count in rows))


def _describe(method: str, total: int | None, writer: Writer) -> dict[str, Any]:
    return {"method": method, "points_total": total, "points_returned": writer.count.value}
