"""Whether each cluster can answer now: all asked at once, with a bound, and not more than once a second."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from lens_perf.errors import ClusterSaturatedError, DeadlineExceededError, LensError
from lens_perf.performance.statements import Transaction

# A dial may take two seconds.
BOUND_SECONDS = 2.5
CACHE_SECONDS = 1.0

# Reads the table's name and the role's right to it, but no row.
CHECK_READINESS = """
/* lens_perf: check_readiness */
SELECT 1
FROM training_performance
LIMIT 0
"""


class Clusters(Protocol):
    """What is needed of the registry."""

    @property
    def names(self) -> Sequence[str]:
        """The names of all clusters."""

    def read(self, asked: str | None) -> AbstractContextManager[Transaction]:
        """Borrow a connection to the cluster that answers for ``asked``."""


@dataclass(frozen=True)
class ClusterState:
    """What the last question to a cluster showed; ``last_error`` is the name of an error's class, nothing more."""

    name: str
    ready: bool
    breaker: str
    last_error: str | None


class _Question:
    """One question to one cluster, in a thread that no end of the process waits for."""

    def __init__(self, clusters: Clusters, name: str) -> None:
        self._clusters = clusters
        self._name = name
        self._error: str | None = None
        self._thread = threading.Thread(target=self._ask, name=f"lens_perf-readiness-{name}", daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        try:
            with self._clusters.read(self._name) as transaction:
                transaction.fetch_all(CHECK_READINESS, {})
        except LensError as error:
            self._error = type(error).__name__
        except Exception as error:  # whatever it is, the cluster is not ready, and a thread has nobody to tell it to
            self._error = type(error).__name__
            raise

    def pending(self) -> bool:
        return self._thread.is_alive()

    def error(self, until: float) -> str | None:
        """Wait for the answer until ``until`` and return the name of what went wrong, if anything did."""
        self._thread.join(max(0.0, until - time.monotonic()))
        return DeadlineExceededError.__name__ if self.pending() else self._error


class Readiness:
    """Asks the clusters, and remembers for a second, so that many probes cost what one does."""

    def __init__(self, clusters: Clusters, breaker_state: Callable[[str], str]) -> None:
        self._clusters = clusters
        self._breaker_state = breaker_state
        self._asking = threading.Lock()
        self._questions: dict[str, _Question] = {}
        self._states: Mapping[str, ClusterState] = {}
        self._fresh_until = 0.0

    def check(self) -> Sequence[ClusterState]:
        """Return the state of every cluster; while another thread asks, the last ones known."""
        if time.monotonic() < self._fresh_until:
            return tuple(self._states.values())
        if self._asking.acquire(blocking=not self._states):
            try:
                if time.monotonic() >= self._fresh_until:
                    self._states = self._ask_all()
                    self._fresh_until = time.monotonic() + CACHE_SECONDS
            finally:
                self._asking.release()
        return tuple(self._states.values())

    def _ask_all(self) -> Mapping[str, ClusterState]:
        """Ask every cluster anew but those that still owe an answer: a hung one never costs more than one thread."""
        until = time.monotonic() + BOUND_SECONDS
        hung = {name for name, question in self._questions.items() if question.pending()}
        for name in self._clusters.names:
            if name not in hung:
                self._questions[name] = _Question(self._clusters, name)
        return {name: self._judge(name, 0.0 if name in hung else until) for name in self._clusters.names}

    def _judge(self, name: str, until: float) -> ClusterState:
        error = self._questions[name].error(until)
        ready = error is None
        if error == ClusterSaturatedError.__name__:
            # Busy is not away: to send its clients elsewhere would overload the next instance.
            ready = name not in self._states or self._states[name].ready
        return ClusterState(name, ready, self._breaker_state(name), error)
