"""Queries several workloads one by one. A cluster that fails is not queried again, and does not affect the others."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from lens_perf.errors import ClusterError, CopyNotReadyError, DeadlineExceededError, LensError, MetricLeftOutError
from lens_perf.performance.payloads import ClusterWarning, Several
from lens_perf.performance.time_limit import TimeLimit

Answer = TypeVar("Answer")


class WorkloadKey(NamedTuple):
    """A workload of a cluster."""

    cluster: str
    uid: str

    def describe(self) -> dict[str, str]:
        """Return the fields that name the workload in a response."""
        return {"cluster": self.cluster, "workload_uid": self.uid}


class WorkloadAnswers(NamedTuple):
    """The results of workloads in the order of the request, and a warning for each workload without a result."""

    answers: list[dict[str, Any]]
    warnings: list[ClusterWarning]

    def describe(self) -> Several:
        """Return the body of the response."""
        return {"workloads": self.answers, "total_count": len(self.answers), "warnings": self.warnings}


def ask_each(
    workloads: Sequence[WorkloadKey], time_limit: TimeLimit, ask: Callable[[WorkloadKey], Answer]
) -> tuple[list[tuple[WorkloadKey, Answer]], list[ClusterWarning]]:
    """Return the result of ``ask`` for each workload, and a warning for each workload without a result.

    There is no result if ``ask`` raises ClusterError, CopyNotReadyError, DeadlineExceededError or MetricLeftOutError.
    Raises ClientLeftError and all other exceptions of ``ask``.
    """
    found: list[tuple[WorkloadKey, Answer]] = []
    failures: dict[WorkloadKey, LensError] = {}
    down: dict[str, ClusterError] = {}
    for index, workload in enumerate(workloads):
        try:
            if workload.cluster in down:
                raise down[workload.cluster]
            time_limit.check()
            time_limit.share(len(workloads) - index)
            found.append((workload, ask(workload)))
        except ClusterError as error:
            failures[workload] = down[workload.cluster] = error
        except (CopyNotReadyError, DeadlineExceededError, MetricLeftOutError) as error:
            failures[workload] = error
    return found, [
        {"cluster": workload.cluster, "workload_uid": workload.uid, "message": error.message}
        for workload, error in failures.items()
    ]


def collect_answers(
    workloads: Sequence[WorkloadKey], time_limit: TimeLimit, ask: Callable[[WorkloadKey], Mapping[str, Any]]
) -> WorkloadAnswers:
    """Return the results of ``ask``, each with the fields of its workload, and the warnings of ``ask_each``."""
    found, warnings = ask_each(workloads, time_limit, ask)
    return WorkloadAnswers([{**workload.describe(), **answer} for workload, answer in found], warnings)
