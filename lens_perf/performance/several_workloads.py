"""Asks several workloads, one after the other: a cluster that fails is asked once, and the others are answered."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from lens_perf.errors import ClusterError, CopyNotReadyError, DeadlineExceededError, LensError
from lens_perf.performance.patience import Patience

Answer = TypeVar("Answer")


class WorkloadKey(NamedTuple):
    """A workload of a cluster."""

    cluster: str
    uid: str

    def describe(self) -> dict[str, str]:
        """Return the fields by which an answer names the workload."""
        return {"cluster": self.cluster, "workload_uid": self.uid}


class WorkloadAnswers(NamedTuple):
    """The answers of the workloads that gave one, in the order asked; ``warnings`` says what the others lack."""

    answers: list[dict[str, Any]]
    warnings: list[dict[str, str]]

    def describe(self) -> dict[str, Any]:
        """Return the body of the answer."""
        return {"workloads": self.answers, "total_count": len(self.answers), "warnings": self.warnings}


def ask_each(
    workloads: Sequence[WorkloadKey], patience: Patience, ask: Callable[[WorkloadKey], Answer]
) -> tuple[list[tuple[WorkloadKey, Answer]], list[dict[str, str]]]:
    """Return what ``ask`` returns for each workload, and a warning for each that its cluster cannot answer for now.

    A cluster that raised a ClusterError is not asked again. Raises ClientLeftError, and the other LensErrors of
    ``ask``.
    """
    found: list[tuple[WorkloadKey, Answer]] = []
    failures: dict[WorkloadKey, LensError] = {}
    down: dict[str, ClusterError] = {}
    for place, workload in enumerate(workloads):
        try:
            if workload.cluster in down:
                raise down[workload.cluster]
            patience.check()
            patience.share(len(workloads) - place)
            found.append((workload, ask(workload)))
        except ClusterError as error:
            failures[workload] = down[workload.cluster] = error
        except (CopyNotReadyError, DeadlineExceededError) as error:
            failures[workload] = error
    return found, [{**workload.describe(), "message": error.message} for workload, error in failures.items()]


def collect_answers(
    workloads: Sequence[WorkloadKey], patience: Patience, ask: Callable[[WorkloadKey], dict[str, Any]]
) -> WorkloadAnswers:
    """Return the answers of ``ask``, each with the fields of its workload, and the warnings of ``ask_each``."""
    found, warnings = ask_each(workloads, patience, ask)
    return WorkloadAnswers([workload.describe() | answer for workload, answer in found], warnings)
